"""The command ``rally-magnum-preflight``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import sys
import traceback
from collections.abc import Sequence

from rally import api as rally_api
from rally import exceptions as rally_exceptions
from rally import plugins

from rally_magnum_scale import exceptions
from rally_magnum_scale import retries
from rally_magnum_scale.preflight import comparison
from rally_magnum_scale.preflight import needs
from rally_magnum_scale.preflight import projects as project_list
from rally_magnum_scale.preflight import rows as row_list

EXIT_SHORT = 1
EXIT_INVALID = 2
EXIT_NO_CLOUD = 3
DESCRIPTION = """\
Compare what a Rally task will need with what the cloud has, before the task
creates anything. This command changes nothing in the cloud.
"""
EPILOG = """\
Exit status: 0 if nothing is short; 1 if something is short; 2 if the
arguments, the task or Rally's environment are wrong; 3 if the login to the
cloud or the program itself failed. What the cloud does not show is unknown,
which is neither enough nor short.
"""

# A service that does not answer by then is unknown.
PATIENCE_S = 5.0

_HEADINGS = ("what", "need", "have", "verdict", "what to change")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: arguments of the command line
    :returns: the exit status
    :raises SystemExit: with 2 when the arguments are wrong
    """
    options = _parser().parse_args(arguments)
    try:
        with retries.patience(PATIENCE_S):
            rows = _compare(options)
    except exceptions.InvalidInput as error:
        return _fail(error, EXIT_INVALID)
    except exceptions.ScaleError as error:
        return _fail(error, EXIT_NO_CLOUD)
    except Exception:
        # Python's own exit status for errors, 1, means a shortage here.
        return _fail(
            f"{traceback.format_exc()}\nThis is a bug in the program. Please "
            "report it with the lines above.",
            EXIT_NO_CLOUD,
        )
    sys.stdout.write(_as_json(rows) if options.json else _as_table(rows))
    short = any(row.verdict == row_list.SHORT for row in rows)
    return EXIT_SHORT if short else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rally-magnum-preflight", description=DESCRIPTION, epilog=EPILOG
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
        "--env",
        metavar="NAME",
        help="Rally's environment (default: the one that Rally uses)",
    )
    parser.add_argument(
        "--heat-max-resources",
        type=int,
        metavar="N",
        help="max_resources_per_stack of heat.conf, which no API shows; -1 "
        f"without a limit (default: Heat's own, {needs.HEAT_MAX_RESOURCES})",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON instead of a table"
    )
    return parser


def _compare(options: argparse.Namespace) -> list[row_list.Row]:
    try:
        plugins.load()
        opened = rally_api.API()
    except rally_exceptions.RallyException as error:
        raise exceptions.InvalidInput(f"Rally can't start: {error}") from error
    # This module needs options that loading the plugins registers.
    from rally_magnum_scale.preflight import task_file

    projects = project_list.of_environment(options.env)
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
    cells = [_HEADINGS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    # The last column may be long.
    widths[-1] = 0
    lines = [
        "  ".join(map(str.ljust, line, widths)).rstrip() for line in cells
    ]
    count = ", ".join(f"{n} {verdict}" for verdict, n in _counts(rows).items())
    return "\n".join([*lines, "", f"{count}."]) + "\n"


def _cells(row: row_list.Row) -> tuple[str, ...]:
    what = f"{row.what}: {row.workload}" if row.workload else row.what
    return what, row.need, row.have, row.verdict, row.change


def _counts(rows: Sequence[row_list.Row]) -> dict[str, int]:
    verdicts = [row.verdict for row in rows]
    return {each: verdicts.count(each) for each in row_list.VERDICTS}


def _fail(error: object, status: int) -> int:
    sys.stderr.write(f"rally-magnum-preflight: {error}\n")
    return status
