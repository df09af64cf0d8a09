"""The command ``rally-magnum-history``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import pathlib
import sys
from collections.abc import Callable
from collections.abc import Sequence

from rally_magnum_scale import exceptions
from rally_magnum_scale import files
from rally_magnum_scale.history import comparison
from rally_magnum_scale.history import storage
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.measurement import regression
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import runs_page
from rally_magnum_scale.task.exporters import result_files

EXIT_WORSE = 1
EXIT_FAILED = 2
EXIT_NOT_COMPARED = 3
DESCRIPTION = """\
Add Rally's results to a history of runs, list the runs, check for metrics
that got worse, and draw them in a page.
"""
EPILOG = """\
Exit status: 0 on success; 1 if `check` finds a metric that got worse; 2 if the
arguments are wrong or a file can't be read or written; 3 if `check` can't
compare, because the history is empty, the newest run is broken or invalid, a
metric is missing, or there are too few runs and --no-learning-passes is given.
"""

# The options of `check` that are fields of regression.Rules.
_RULES = {
    "last": "how many of the newest runs must be worse (default %(default)s)",
    "min_runs": "minimum number of earlier runs (default %(default)s)",
    "min_change_ratio": "minimum relative change to report "
    "(default %(default)s)",
    "confidence": "confidence level, 1 - alpha: report a change only if its "
    "p-value is at most alpha (default %(default)s)",
    "baseline": "id of the run to compare with (default: the previous runs)",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    try:
        work: Callable[[argparse.Namespace], int] = options.work
        return work(options)
    except exceptions.ScaleError as error:
        sys.stderr.write(f"rally-magnum-history: {error}\n")
        return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rally-magnum-history", description=DESCRIPTION, epilog=EPILOG
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser(
        "add", help="add the output of `rally task report --json`"
    )
    add.add_argument(
        "results",
        type=pathlib.Path,
        help="a result file, or a folder of which all result files are read",
    )
    add.add_argument(
        "--to",
        type=pathlib.Path,
        required=True,
        metavar="HISTORY",
        help="the history file",
    )
    add.add_argument(
        "--link",
        default="",
        help="path of the SLA page, relative to the history",
    )
    add.set_defaults(work=_add)
    listing = commands.add_parser(
        "list", help="list the runs, grouped by conditions"
    )
    listing.set_defaults(work=_list)
    check = commands.add_parser(
        "check", help="compare the newest runs with earlier runs"
    )
    _add_rules(check)
    check.set_defaults(work=_check)
    page = commands.add_parser("page", help="draw all metrics over all runs")
    page.add_argument(
        "--out",
        type=pathlib.Path,
        required=True,
        metavar="FILE",
        help="the HTML file to write",
    )
    page.set_defaults(work=_page)
    for each in (listing, check, page):
        each.add_argument(
            "history", type=pathlib.Path, help="the history file"
        )
        each.add_argument(
            "--across",
            action="append",
            default=[],
            choices=conditions.KEYS,
            help="a condition in which compared runs may differ; may be "
            "repeated",
        )
    for each in (listing, check):
        each.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_rules(check: argparse.ArgumentParser) -> None:
    check.add_argument(
        "--metric",
        action="append",
        default=[],
        help="compare only this metric or criterion; may be repeated",
    )
    rules = comparison.Ask().rules
    for name, words in _RULES.items():
        default = getattr(rules, name)
        check.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(default),
            default=default,
            help=words,
        )
    check.add_argument(
        "--learning-passes",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="exit with 0 if there are too few runs to compare with "
        "(default: yes)",
    )


def _add(options: argparse.Namespace) -> int:
    added = result_files.read_runs(options.results, options.link)
    every = storage.append(options.to, added)
    _say(f"Added {len(added)} runs; {options.to} has {len(every)} now.")
    return 0


def _list(options: argparse.Namespace) -> int:
    found = storage.groups(storage.read(options.history), options.across)
    if options.json:
        _say(json.dumps([[one.to_json() for one in g] for g in found]))
        return 0
    for group in found:
        _say(group[-1].conditions.describe())
        for run in group:
            began = formatting.when(run.at_s)
            _say(f"  {began}  {run.state:<7}  {run.id}  {run.name}")
    return 0


def _check(options: argparse.Namespace) -> int:
    ask = comparison.Ask(
        tuple(options.metric),
        tuple(options.across),
        _rules(options),
        options.learning_passes,
    )
    runs = storage.read(options.history)
    found = [
        (group, comparison.compare_newest(group, ask))
        for group in storage.groups(runs, ask.across)
    ]
    if options.json:
        _say(json.dumps([_as_json(*one) for one in found]))
    else:
        for one in found:
            _say_check(*one)
    if not found:
        sys.stderr.write(
            f"rally-magnum-history: The history {options.history} is empty, "
            "so nothing could be compared.\n"
        )
    if any(one.state == comparison.WORSE for _, one in found):
        return EXIT_WORSE
    held = bool(found) and all(one.holds for _, one in found)
    return 0 if held else EXIT_NOT_COMPARED


def _say_check(
    group: Sequence[storage.StoredRun], compared: comparison.RunComparison
) -> None:
    newest = group[-1]
    run = compared.run or newest
    _say(f"{run.name} ({run.conditions.describe()})")
    if compared.run and run.id != newest.id:
        _say(f"  the compared run is {run.id}, {formatting.when(run.at_s)}.")
    for sentence in compared.sentences():
        _say(f"  {sentence}.")


def _as_json(
    group: Sequence[storage.StoredRun], compared: comparison.RunComparison
) -> dict[str, object]:
    return {
        "run": compared.run.id if compared.run else None,
        "newest": group[-1].id,
        "state": compared.state,
        "holds": compared.holds,
        "sentences": compared.sentences(),
        "worse": [_worse_as_json(one) for one in compared.outcome.worse],
    }


def _worse_as_json(one: regression.MetricComparison) -> dict[str, object]:
    """Return the comparison for JSON, which can't hold an infinite ratio."""
    ratio = one.change_ratio if math.isfinite(one.change_ratio) else None
    return {**dataclasses.asdict(one), "change_ratio": ratio}


def _rules(options: argparse.Namespace) -> regression.Rules:
    for name, holds, right in (
        ("last", options.last >= 1, "1 or more"),
        ("min_runs", options.min_runs >= 5, "5 or more"),
        (
            "confidence",
            0.5 <= options.confidence < 1,
            "at least 0.5 and less than 1",
        ),
        ("min_change_ratio", options.min_change_ratio >= 0, "0 or more"),
    ):
        if not holds:
            raise exceptions.InvalidInput(
                f"--{name.replace('_', '-')}: {getattr(options, name)} is out "
                f"of range. Give {right}."
            )
    return regression.Rules(
        **{name: getattr(options, name) for name in _RULES}
    )


def _page(options: argparse.Namespace) -> int:
    runs = storage.read(options.history)
    text = runs_page.render(runs, tuple(options.across))
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        files.atomic_write(options.out, text)
    except OSError as error:
        raise exceptions.InvalidInput(
            f"--out: {options.out} can't be written: {error.strerror}."
        ) from error
    _say(f"{options.out} shows {len(runs)} runs.")
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
