"""Real nights on the sandbox: false alarms, and a regression that is found.

``tools/in-venv python -m benchmarks.real_history FOLDER`` runs 20 nights of
one small task and 4 with a slower target, and prints the table that the docs
show.  It takes about half an hour, so it is no part of ``make bench``.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterable
from collections.abc import Sequence

import yaml

from rally_magnum_scale import exceptions
from rally_magnum_scale.history import comparison
from rally_magnum_scale.history import storage
from rally_magnum_scale.measurement import regression
from rally_magnum_scale.nightly import cli

SAMPLES = pathlib.Path(__file__).parents[1] / "samples"
NIGHTS, SLOWER_NIGHTS = 20, 4
# A night of one small task, and a good deal more.
DEADLINE_S = 600
GRACE_S = 60
# What a night may take after its deadline and its grace.
LAST_S = 1300
# More, and less, than 2,000 requests a second need.
ENOUGH, TOO_LITTLE = "500m", "40m"
ARGUMENTS = {
    "nodes": 5,
    "steps": [
        {"rate_rps": 1000, "duration_s": 5, "ramp_s": 1},
        {"rate_rps": 2000, "duration_s": 10, "ramp_s": 1},
    ],
    "pods": {"target": {"limits": {"cpu": ENOUGH}}},
    "min_rps": 1,
    "min_rps_per_core": 1,
    "p99_ms": 10_000,
    "max_error_ratio": 1,
}
SLOWER = {"pods": {"target": {"limits": {"cpu": TOO_LITTLE}}}}
ACROSS = ("arguments",)


@dataclasses.dataclass(frozen=True)
class _Told:
    """What one night was told.

    :param number: of the night, from 1
    :param compared: how many metrics were compared
    """

    number: int
    target: str
    compared: int
    worse: str
    suspected: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the nights and print what was found in each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    folder: pathlib.Path = parser.parse_args(arguments).folder
    try:
        _all_nights(_write_settings(folder))
    except exceptions.ScaleError as error:
        sys.stderr.write(f"real_history: {error}\n")
        return 1
    runs = storage.read(folder / "nights/history.jsonl")
    sys.stdout.write(table(runs) + "\n")
    return 0


def _all_nights(settings: pathlib.Path) -> None:
    for number in range(1, NIGHTS + SLOWER_NIGHTS + 1):
        slower = SLOWER if number > NIGHTS else {}
        _night(number, settings, ARGUMENTS | slower)


def _write_settings(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    base = json.loads((SAMPLES / "args/sandbox.json").read_text())
    ARGUMENTS.update({k: v for k, v in base.items() if k not in ARGUMENTS})
    task = {
        "task": str(SAMPLES / "tasks/2m-rps.json"),
        "arguments": "arguments.json",
        "deadline_s": DEADLINE_S,
    }
    path = folder / "nightly.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "cloud": {"sandbox": True},
                "folder": "nights",
                "tasks": [task],
                "across": list(ACROSS),
                "deadline_s": DEADLINE_S,
                "grace_s": GRACE_S,
            }
        )
    )
    return path


def _night(
    number: int, settings: pathlib.Path, arguments: dict[str, object]
) -> None:
    """Run one night.

    :raises WorkloadError: when it did not come to its end
    """
    path = settings.parent / "arguments.json"
    path.write_text(json.dumps(arguments))
    done = subprocess.run(
        ["rally-magnum-nightly", str(settings)],
        stdout=subprocess.PIPE,
        text=True,
        # It ends by itself before.
        timeout=DEADLINE_S + GRACE_S + LAST_S,
        check=False,
    )
    # Lines of progress come before the summary.
    summary = re.search("^Night .*", done.stdout, re.MULTILINE | re.DOTALL)
    sys.stderr.write(summary.group() if summary else done.stdout)
    if not summary or done.returncode not in range(cli.EXIT_FAILED):
        raise exceptions.WorkloadError(
            f"Night {number} of {NIGHTS + SLOWER_NIGHTS} failed with exit "
            f"status {done.returncode}, for the reason above; mend that and "
            "begin again with an empty folder."
        )


def table(runs: Sequence[storage.StoredRun]) -> str:
    """Return what the nights would have been told, in Markdown.

    Nights one after the other that were told the same share a row.

    :param runs: all nights, the oldest first
    """
    lines = [
        "| night | target | metrics compared | worse | suspected |",
        "|---|---|---|---|---|",
    ]
    for _, alike in itertools.groupby(enumerate(_told(runs)), _what):
        lines.append(_row([one for _, one in alike]))
    return "\n".join(lines)


def _told(runs: Sequence[storage.StoredRun]) -> Iterable[_Told]:
    """Compare each night with those before it, where that can be done."""
    ask = comparison.Ask(across=ACROSS)
    usual = runs[0].conditions.arguments
    for number, run in enumerate(runs, 1):
        found = comparison.compare_run(run, runs[:number], ask)
        if found.outcome.compared:
            same = run.conditions.arguments == usual
            yield _Told(
                number,
                f"{ENOUGH if same else TOO_LITTLE} of a core",
                len(found.outcome.compared),
                _names(found.outcome.worse),
                _names(found.suspected),
            )


def _what(placed: tuple[int, _Told]) -> tuple[object, ...]:
    """Return what nights of one row share; a gap ends a row."""
    place, told = placed
    return told.number - place, told.target, told.worse, told.suspected


def _row(alike: Sequence[_Told]) -> str:
    """Return a row; how many metrics were compared may differ in it."""
    first = alike[0]
    cells = (
        _span([one.number for one in alike]),
        first.target,
        _span([one.compared for one in alike]),
        first.worse,
        first.suspected,
    )
    return f"| {' | '.join(cells)} |"


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _names(found: Sequence[regression.MetricComparison]) -> str:
    """Name the surest, and count the others."""
    if not found:
        return "none"
    first, more = found[0], len(found) - 1
    said = f"{first.metric}, {regression.describe_change(first.change_ratio)}"
    return f"{said}, and {more} more" if more else said


if __name__ == "__main__":
    sys.exit(main())
