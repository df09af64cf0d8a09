"""A row of the table of faults: how it is read, judged and written."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import model
from rally_magnum_scale.report import states

TOLERATED = "tolerated"
FAILED_ITERATION = "iteration failed"
FAILED_TASK = "task failed"

_NAMES_OF_A_RUN = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\b(rms|kept)-[a-z0-9]{8}-[a-z0-9_-]+"), "NAME"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(,\d+)?"), "TIME"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
)
COLUMNS = (
    "fault",
    "injected by",
    "outcome",
    "duration",
    "message",
    "verdict",
    "class",
    "created, resolution",
    "left",
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a task under a fault came to.

    :param did: :data:`TOLERATED`, :data:`FAILED_ITERATION` or
        :data:`FAILED_TASK`
    :param sentence: the error, or the conclusion of a task without one
    :param state: of the run, as the history calls it
    :param failures: classes of the failures of bays
    :param create_s: seconds until a bay was complete, and their resolution;
        None if the task made no complete bay
    """

    did: str
    sentence: str
    state: str
    failures: tuple[str, ...] = ()
    create_s: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """One fault and what came of it.

    :param fault: in words
    :param cause: the command that injects it
    :param task_s: seconds from the start of ``rally`` to its end
    :param left: what the task left behind
    :param spoils: whether the fault makes figures untrue, so that the
        verdict must not be *holds*
    :param missed: faults that hit no request
    """

    fault: str
    cause: str
    outcome: Outcome
    task_s: float
    left: Sequence[str] = ()
    spoils: bool = False
    missed: Sequence[str] = ()


def read(report: model.Report, last_line: str) -> Outcome:
    """Read what a task came to.

    :param last_line: of Rally's output, the error of a refused task
    """
    runs = [one.run for each in report.workloads for one in each.iterations]
    bays = [bay for run in runs for bay in run.bays]
    changes = [change for run in runs for change in run.node_changes]
    failures = (one.failure for one in (*bays, *changes))
    created = [
        (bay.create_s, bay.create_resolution_s)
        for bay in bays
        if bay.create_s is not None and bay.create_resolution_s is not None
    ]
    return Outcome(
        _did(report),
        one_line(_sentence(report) if report.workloads else last_line),
        states.of_task(report.workloads, report.errors),
        tuple(dict.fromkeys(filter(None, failures))),
        created[0] if created else None,
    )


def _did(report: model.Report) -> str:
    iterations = [one for each in report.workloads for one in each.iterations]
    if report.errors or not iterations:
        return FAILED_TASK
    failed = any(one.error for one in iterations)
    return FAILED_ITERATION if failed else TOLERATED


def _sentence(report: model.Report) -> str:
    for each in report.workloads:
        for one in each.failed_iterations:
            return records.describe_error(one.error)
        if each.broken_context:
            return records.describe_error(each.broken_context.setup_error)
    return conclusion.conclude(report.workloads, report.errors).sentence


def one_line(text: str) -> str:
    """Put a text on one line, without the names that only one run has."""
    for pattern, name in _NAMES_OF_A_RUN:
        text = pattern.sub(name, text)
    return " ".join(text.split())


def objections(row: Row) -> list[str]:
    """List what is wrong with a row; such a row fails the command."""
    found = [f"the task left {each}" for each in row.left]
    found += [f"the fault hit nothing: {each}" for each in row.missed]
    if row.spoils and row.outcome.state == storage.HOLDS:
        found.append("the verdict holds, although figures are not true")
    return found


def markdown(rows: Iterable[Row]) -> str:
    """Write the table."""
    lines = [_line(COLUMNS), "|" + "---|" * len(COLUMNS)]
    lines += [_line(_cells(row)) for row in rows]
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> Sequence[str]:
    outcome = row.outcome
    created = outcome.create_s
    return (
        row.fault,
        f"`{row.cause}`" if row.cause else "",
        outcome.did,
        f"{row.task_s:.0f} s",
        outcome.sentence,
        outcome.state,
        ", ".join(f"`{one}`" for one in outcome.failures),
        f"{created[0]:.1f} s, {created[1]:.1f} s" if created else "",
        "; ".join(map(one_line, row.left)) or "nothing",
    )


def _line(cells: Iterable[str]) -> str:
    escaped = (one.replace("|", "\\|") for one in cells)
    return f"| {' | '.join(escaped)} |"
