"""What the tests cost: a table from pytest's own report.

``python -m tests.costs REPORT...`` reads what ``pytest --report-log`` wrote
and prints Markdown: each file, and the slowest tests, with the seconds of
set-up, test and teardown, the CPU seconds that the test process and its
children used, and the seconds in which they waited.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PHASES = ("setup", "call", "teardown")
SLOWEST = 40
FAILED = ("failed", "error")


@dataclasses.dataclass
class Test:
    """What one test took.

    :param nodeid: pytest's name of it
    :param seconds: of each phase
    :param cpu_s: of the test process and its ended children
    :param machine_cpu_s: of everything on the machine meanwhile
    :param outcome: ``passed``, ``skipped``, ``failed`` or ``error``
    :param reason: the first line of why it failed
    """

    nodeid: str
    seconds: dict[str, float] = dataclasses.field(
        default_factory=lambda: dict.fromkeys(PHASES, 0.0)
    )
    cpu_s: float = 0.0
    machine_cpu_s: float = 0.0
    outcome: str = "passed"
    reason: str = ""

    @property
    def total_s(self) -> float:
        return sum(self.seconds.values())

    @property
    def waiting_s(self) -> float:
        """Seconds in which the test's own processes used no processor."""
        return max(0.0, self.total_s - self.cpu_s)

    def add(self, entry: dict[str, Any]) -> None:
        """Add the report of a phase."""
        phase = entry["when"]
        self.seconds[phase] = entry["duration"]
        used = dict(entry["user_properties"])
        self.cpu_s += used.get(f"{phase}_cpu_s", 0.0)
        self.machine_cpu_s += used.get(f"{phase}_machine_cpu_s", 0.0)
        if entry["outcome"] == "failed":
            self.outcome = "failed" if phase == "call" else "error"
            self.reason = _reason(entry)
        elif entry["outcome"] == "skipped":
            self.outcome = "skipped"


def read(paths: Iterable[Path]) -> list[Test]:
    """Read reports; the last line of one that was cut short may be broken."""
    tests: dict[str, Test] = {}
    for entry in _entries(paths):
        if entry.get("$report_type") == "TestReport":
            name = entry["nodeid"]
            tests.setdefault(name, Test(name)).add(entry)
    return list(tests.values())


def failures_to_collect(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """List the files that could not be read as tests, each with the reason."""
    return [
        (entry["nodeid"], _reason(entry))
        for entry in _entries(paths)
        if entry.get("$report_type") == "CollectReport"
        and entry["outcome"] == "failed"
    ]


def _entries(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        if not path.exists():
            continue
        for line in path.read_text().splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def _reason(entry: dict[str, Any]) -> str:
    """Find the line that pytest's short summary would show."""
    told = entry["longrepr"]
    crash = told.get("reprcrash") if isinstance(told, dict) else None
    text = crash["message"] if crash else str(told)
    return next((x.strip() for x in text.splitlines() if x.strip()), "")


def table(tests: list[Test]) -> str:
    """Draw the costs of all files, and of the slowest tests, as Markdown."""
    files: dict[str, list[Test]] = collections.defaultdict(list)
    for test in tests:
        files[test.nodeid.partition("::")[0]].append(test)
    slowest = sorted(tests, key=lambda test: test.total_s, reverse=True)
    return "\n".join(
        [
            *_rows("all tests", {f"{len(tests)} tests": tests}),
            "",
            *_rows("file", files),
            "",
            *_rows("test", {x.nodeid: [x] for x in slowest[:SLOWEST]}),
            "",
        ]
    )


def _rows(head: str, groups: dict[str, list[Test]]) -> list[str]:
    columns = ("total", *PHASES, "CPU", "waiting", "machine's CPU")
    rows = [f"| {head} | {' | '.join(f'{c} (s)' for c in columns)} |"]
    rows.append("|---" + "|---:" * len(columns) + "|")
    for name, tests in sorted(
        groups.items(), key=lambda group: -sum(x.total_s for x in group[1])
    ):
        values = [
            sum(x.total_s for x in tests),
            *(sum(x.seconds[phase] for x in tests) for phase in PHASES),
            sum(x.cpu_s for x in tests),
            sum(x.waiting_s for x in tests),
            sum(x.machine_cpu_s for x in tests),
        ]
        cells = " | ".join(f"{value:.1f}" for value in values)
        rows.append(f"| {name} | {cells} |")
    return rows


def main() -> None:
    """Print the table of the reports that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path)
    print(table(read(parser.parse_args().reports)))  # noqa: T201


if __name__ == "__main__":
    main()
