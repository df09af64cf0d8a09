"""The command ``rally-magnum-preflight``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import sys
from collections.abc import Sequence

from rally_magnum_scale import cloud_commands
from rally_magnum_scale import retries
from rally_magnum_scale.preflight import comparison
from rally_magnum_scale.preflight import have
from rally_magnum_scale.preflight import needs
from rally_magnum_scale.preflight import rows as row_list

PROGRAM = "rally-magnum-preflight"
EXIT_SHORT = 1
DESCRIPTION = """\
Compare the needs of a Rally task with the quotas and resources of the cloud.
This command changes nothing in the cloud.
"""
EPILOG = """\
Exit status: 0 if nothing is short; 1 if something is short; 2 if the
arguments, the task or Rally's environment are wrong; 3 if the login to the
cloud or the program itself failed. Values that the cloud does not show are
unknown, which is neither enough nor short.
"""

_HEADINGS = ("what", "need", "have", "verdict", "what to change")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :raises SystemExit: with 2 when the arguments are wrong
    """
    options = _parser().parse_args(arguments)
    return cloud_commands.run(PROGRAM, lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    with retries.patience(cloud_commands.PATIENCE_S):
        rows = _compare(options)
    sys.stdout.write(_as_json(rows) if options.json else _as_table(rows))
    short = any(row.verdict == row_list.SHORT for row in rows)
    return EXIT_SHORT if short else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument(
        "task", type=pathlib.Path, help="the file of the Rally task"
    )
    parser.add_argument(
        "--task-args-file",
        metavar="FILE",
        help="arguments of the task, as for `rally task start`",
    )
    parser.add_argument(
        "--task-args",
        metavar="JSON",
        help="further arguments of the task, as for `rally task start`",
    )
    parser.add_argument(
        "--heat-max-resources",
        type=int,
        metavar="N",
        help="max_resources_per_stack of heat.conf, which no API shows; -1 "
        f"without a limit (default: Heat's own, {needs.HEAT_MAX_RESOURCES})",
    )
    cloud_commands.add_options(parser)
    return parser


def _compare(options: argparse.Namespace) -> list[row_list.Row]:
    opened = cloud_commands.start_rally()
    # This module needs options that loading the plugins registers.
    from rally_magnum_scale.preflight import task_file

    projects = have.Projects(cloud_commands.openstack_of(options.env))
    config = task_file.load(
        opened, options.task, options.task_args_file, options.task_args
    )
    return comparison.compare(
        task_file.read(config, projects.existing),
        projects.open,
        options.heat_max_resources,
    )


def _as_json(rows: Sequence[row_list.Row]) -> str:
    shown = [dataclasses.asdict(row) for row in rows]
    return json.dumps({"rows": shown, **_counts(rows)}, indent=2) + "\n"


def _as_table(rows: Sequence[row_list.Row]) -> str:
    lines = cloud_commands.table([_HEADINGS, *map(_cells, rows)])
    count = ", ".join(f"{n} {verdict}" for verdict, n in _counts(rows).items())
    return "\n".join([*lines, "", f"{count}."]) + "\n"


def _cells(row: row_list.Row) -> tuple[str, ...]:
    what = f"{row.what}: {row.workload}" if row.workload else row.what
    return what, row.need, row.have, row.verdict, row.change


def _counts(rows: Sequence[row_list.Row]) -> dict[str, int]:
    verdicts = [row.verdict for row in rows]
    return {each: verdicts.count(each) for each in row_list.VERDICTS}
