"""Real nights on the sandbox: false alarms, and a regression that is found.

``python -m benchmarks.real_history FOLDER`` runs 20 nights of one small task
and 4 with a slower target, and prints a table for the docs.  It takes about
half an hour, so it is no part of ``make bench``.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
from collections.abc import Sequence

import yaml

from rally_magnum_scale.measurement import regression
from rally_magnum_scale.report import comparison
from rally_magnum_scale.report import history

SAMPLES = pathlib.Path(__file__).parents[1] / "samples"
NIGHTS, SLOWER_NIGHTS = 20, 4
# A night of one small task, and a good deal more.
DEADLINE_S = 600
ARGUMENTS = {
    "nodes": 5,
    "steps": [
        {"rate_rps": 1000, "duration_s": 5, "ramp_s": 1},
        {"rate_rps": 2000, "duration_s": 10, "ramp_s": 1},
    ],
    "pods": {"target": {"limits": {"cpu": "500m"}}},
    "min_rps": 1,
    "min_rps_per_core": 1,
    "p99_ms": 10_000,
    "max_error_ratio": 1,
}
# Less than 2,000 requests a second need.
SLOWER = {"pods": {"target": {"limits": {"cpu": "40m"}}}}
ACROSS = ("arguments",)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the nights and print what was found in each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    folder: pathlib.Path = parser.parse_args(arguments).folder
    settings = _write_settings(folder)
    for number in range(NIGHTS + SLOWER_NIGHTS):
        _night(settings, ARGUMENTS | (SLOWER if number >= NIGHTS else {}))
    runs = history.read(folder / "nights/history.jsonl")
    sys.stdout.write(table(runs) + "\n")
    return 0


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
                "grace_s": 60,
            }
        )
    )
    return path


def _night(settings: pathlib.Path, arguments: dict[str, object]) -> None:
    path = settings.parent / "arguments.json"
    path.write_text(json.dumps(arguments))
    done = subprocess.run(
        ["rally-magnum-nightly", str(settings)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE_S + 300,
        check=False,
    )
    head = done.stdout[done.stdout.rindex("Night ") :]
    sys.stderr.write(f"{head}\n")


def table(runs: Sequence[history.Run]) -> str:
    """Return what each night would have been told, in Markdown.

    :param runs: all nights, the oldest first
    """
    lines = [
        "| night | target | metrics compared | worse | suspected |",
        "|---|---|---|---|---|",
    ]
    ask = comparison.Ask(across=ACROSS)
    for number in range(1, len(runs) + 1):
        found = comparison.compare_newest(runs[:number], ask)
        if found is None or not found.outcome.compared:
            continue
        target = "slower" if number > NIGHTS else "same"
        lines.append(
            f"| {number} | {target} | {len(found.outcome.compared)} | "
            f"{_names(found.outcome.worse)} | {_names(found.suspected)} |"
        )
    return "\n".join(lines)


def _names(found: Sequence[regression.Comparison]) -> str:
    """Name the surest, and count the others."""
    if not found:
        return "none"
    first = found[0]
    said = f"{first.metric}, {regression.say_change(first.change_ratio)},"
    return f"{said} and {len(found) - 1} more" if found[1:] else said


if __name__ == "__main__":
    sys.exit(main())
