"""The command ``rally-magnum-reap``."""

from __future__ import annotations

import argparse
import datetime
import json
import re
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale import cloud_commands
from rally_magnum_scale import exceptions
from rally_magnum_scale import retries
from rally_magnum_scale.bays import leftovers
from rally_magnum_scale.reap import plan
from rally_magnum_scale.reap import runs as run_list
from rally_magnum_scale.reap import search
from rally_magnum_scale.task import clients

PROGRAM = "rally-magnum-reap"
EXIT_LEFT = 1
DESCRIPTION = """\
List the leftovers of dead runs in a cloud: bays, bay templates, keypairs, and
the users and projects that Rally created. With --delete, delete them.
"""
EPILOG = """\
The run marker shows whether a run on this machine is alive. For any other
run, age is the only protection: set --older-than to more than your longest run
takes. Exit status: 0 if nothing is left; 1 if something
is left, or a service did not show what it has; 2 if the arguments or Rally's
environment are wrong; 3 if the login to the cloud or the program itself
failed. Objects that are kept because their run may be alive do not count.
"""

_HEADINGS = (
    *("kind", "name", "id", "project", "age", "evidence", "run"),
    "what to do",
)
_UNITS_S = {"m": 60, "h": 3600, "d": 86400}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :raises SystemExit: with 2 when the arguments are wrong
    """
    options = _parser().parse_args(arguments)
    return cloud_commands.run(PROGRAM, lambda: _run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument(
        "--older-than",
        type=_seconds,
        default="24h",
        metavar="AGE",
        help="keep the leftovers of a run whose newest object is younger, "
        "unless the run is known to have ended; such as 90m, 12h or 7d "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--run",
        action="append",
        type=_run_id,
        metavar="ID",
        help="only the leftovers of this run: the 8 characters in the names, "
        "or the id of the workload; may be repeated",
    )
    parser.add_argument(
        "--task", metavar="UUID", help="only the leftovers of this task"
    )
    parser.add_argument(
        "--delete",
        action="store_true",
        help="delete the leftovers after a confirmation",
    )
    parser.add_argument(
        "--yes", action="store_true", help="delete them without a confirmation"
    )
    cloud_commands.add_options(parser)
    return parser


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+)([mhd])|0", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an age; give a number and m, h or d, such as 12h"
        )
    return float(match[1] or 0) * _UNITS_S[match[2] or "m"]


def _run_id(text: str) -> str:
    run = leftovers.owner_part(text)
    if not re.fullmatch("[0-9a-f]{8}", run):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a run; give the 8 characters in the names, such "
            "as 0a1b2c3d in rms-0a1b2c3d-x7k2m9qp"
        )
    return run


def _run(options: argparse.Namespace) -> int:
    _require_answer(options)
    cloud_commands.start_rally()
    platform = cloud_commands.openstack_of(options.env)
    rows, problems = _search(options, platform)
    for sentence in problems:
        _log(sentence)
    if not platform.get("admin"):
        _log(
            "Rally's environment has no administrator, so only the projects "
            "of its users were searched."
        )
    if not options.json:
        sys.stdout.write(_as_table(rows))
    if options.delete and _confirmed(options, rows):
        rows = plan.remove(rows, _log)
        if not options.json:
            sys.stdout.write(_as_summary(rows))
    if options.json:
        sys.stdout.write(_as_json(rows, problems))
    left = any(row.is_left for row in rows)
    return EXIT_LEFT if left or problems else 0


def _require_answer(options: argparse.Namespace) -> None:
    if options.yes and not options.delete:
        raise exceptions.InvalidInput("--yes needs --delete.")
    asks = options.delete and not options.yes
    if asks and (options.json or not sys.stdin.isatty()):
        raise exceptions.InvalidInput(
            "--delete asks for confirmation, which needs a terminal. Add "
            "--yes to delete without asking."
        )


def _search(
    options: argparse.Namespace, platform: Mapping[str, Any]
) -> tuple[list[plan.Decision], list[str]]:
    """Search the cloud."""
    with retries.patience(cloud_commands.PATIENCE_S):
        found = search.search(platform, _log)
    login = platform.get("admin") or platform["users"][0]
    runs = run_list.read(clients.address(login), found.problems.append)
    rules = plan.DeletionRules(
        runs,
        options.older_than,
        _chosen(options, runs),
        complete=not found.problems,
    )
    now = datetime.datetime.now(datetime.UTC)
    return rules.apply(found.objects, now), found.problems


def _chosen(
    options: argparse.Namespace, runs: run_list.Runs
) -> set[str] | None:
    if options.run is None and options.task is None:
        return None
    of_task = runs.of_task(options.task) if options.task else set()
    return of_task.union(options.run or ())


def _confirmed(
    options: argparse.Namespace, rows: Sequence[plan.Decision]
) -> bool:
    count = sum(row.action is plan.Action.DELETE for row in rows)
    if not count or options.yes:
        return bool(count)
    sys.stdout.write(f"Delete {count} of them? [y/N] ")
    sys.stdout.flush()
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        answer = ""
    return answer.strip().lower() in ("y", "yes")


def _log(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _as_table(rows: Sequence[plan.Decision]) -> str:
    if not rows:
        return "Nothing was found.\n"
    lines = cloud_commands.table([_HEADINGS, *map(_cells, rows)])
    return "\n".join(lines) + "\n"


def _cells(row: plan.Decision) -> tuple[str, ...]:
    found = row.finding
    return (
        found.kind,
        found.name,
        found.id,
        found.project or "?",
        "?" if row.age_s is None else plan.words(row.age_s),
        found.form,
        f"{found.run} {row.state.value}",
        row.action.value + (f": {row.reason}" if row.reason else ""),
    )


def _as_summary(rows: Sequence[plan.Decision]) -> str:
    """Return what could not be removed, and how much was."""
    tried = [row for row in rows if row.outcome]
    left = [row for row in tried if row.is_left]
    lines = [
        f"left: {row.finding.kind} {row.finding.name}: {row.outcome}"
        for row in left
    ]
    lines.append(f"{len(tried) - len(left)} removed, {len(left)} left.")
    return "\n".join(lines) + "\n"


def _as_json(rows: Sequence[plan.Decision], problems: Sequence[str]) -> str:
    shown = [
        {
            "kind": row.finding.kind,
            "name": row.finding.name,
            "id": row.finding.id,
            "project": row.finding.project,
            "age_s": row.age_s,
            "why": row.finding.form,
            "run": row.finding.run,
            "task": row.task,
            "state": row.state.value,
            "action": row.action.value,
            "reason": row.reason,
            "outcome": row.outcome,
        }
        for row in rows
    ]
    return json.dumps({"rows": shown, "problems": problems}, indent=2) + "\n"
