"""Tables for the page, the terminal and Rally's report."""

from __future__ import annotations

import collections
import dataclasses
import math
import statistics
from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import model
from rally_magnum_scale.report import states

NONE = "-"
# Texts that a column of numbers may contain.
_NO_FIGURES = {"", NONE, "no value", "closed"}
_EMPTY = {"", NONE}
_FIGURES = frozenset("0123456789+-<>")
# Smaller values are invisible in four digits.
_EXACT_RATIO = 0.001


# A row of a table: its cells by the names of their columns.
Row = dict[str, str]


@dataclasses.dataclass(frozen=True)
class Grid:
    """A table of text.

    :param caption: meaning of the columns; empty if their heads are enough
    :param rows: each row has as many cells as ``head``
    :param notes: sentences below the table
    """

    title: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def figures(self) -> list[bool]:
        """Return for each column whether it contains numbers."""
        columns = zip(self.head, *self.rows, strict=True)
        return [is_figures(one[1:]) for one in columns]


def plain(
    title: str, caption: str, rows: Sequence[Row], notes: Iterable[str] = ()
) -> Grid:
    """Return a table with all columns of its rows.

    :param rows: at least one; the first names the columns
    """
    cells = tuple(tuple(row.values()) for row in rows)
    return Grid(title, caption, tuple(rows[0]), cells, tuple(notes))


def compact(
    title: str,
    caption: str,
    rows: Sequence[Row],
    notes: Iterable[str] = (),
    foldable: Sequence[str] = (),
) -> Grid | None:
    """Return a table without empty columns; None without rows.

    :param foldable: columns that become a note if all of several rows have
        the same value
    """
    if not rows:
        return None
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    left = [name for name, cells in columns.items() if set(cells) - _EMPTY]
    same = [
        name
        for name in left
        if name in foldable and len(rows) > 1 and len(set(columns[name])) == 1
    ]
    if same:
        told = "; ".join(f"{name} {rows[0][name]}" for name in same)
        notes = (f"The same for all: {told}.", *notes)
    slim = [
        {name: row[name] for name in left if name not in same} for row in rows
    ]
    return plain(title, caption, slim, notes)


def is_figures(column: Iterable[str]) -> bool:
    """Return whether a column contains numbers, which are right-aligned."""
    starts = {cell[0] for cell in column if cell not in _NO_FIGURES}
    return bool(starts) and starts <= _FIGURES


def ladder(workloads: Sequence[model.Workload]) -> Grid | None:
    """Return a table that compares the workloads of a task.

    :returns: a row for each workload, or None when there is only one
    """
    if len(workloads) < 2:
        return None
    sizes = {one.bay.nodes for work in workloads for one in work.bays()}
    several = any(len(work.bays()) > 1 for work in workloads)
    caption = (
        "A row for each workload. Seconds are measured from the request; "
        "s/node is the time until all nodes are Ready, per node. MB is "
        "the plugin's peak memory. Magnum ms is the p99 latency of "
        "Magnum's API, of the slowest bay."
    )
    if any(map(_last_steps, workloads)):
        caption += " Rates and p99 are those of the last step."
    if several:
        caption += " For several bays or iterations, the median is shown."
    return compact(
        "Ladder" if len(sizes) > 1 else "Side by side",
        caption,
        list(map(_rung, workloads)),
        foldable=("Template",),
    )


def _rung(workload: model.Workload) -> Row:
    bays = [one.bay for one in workload.bays()]
    steps = _last_steps(workload)
    state = states.of_workload(workload)
    failures = collections.Counter(b.failure for b in bays if b.failure)
    p99_s = _known((bay.magnum_request_s or {}).get("p99") for bay in bays)
    peaks_bytes = _known(bay.client_memory_peak_bytes for bay in bays)
    return {
        "Workload": workload.name,
        "Nodes": _distinct(f"{bay.nodes:,}" for bay in bays),
        "Bays": f"{len(bays):,}" if len(bays) > 1 else "",
        "Failed": ", ".join(
            f"{n} {one}" for one, n in sorted(failures.items())
        ),
        "Create s": _median(bay.create_s for bay in bays),
        "Ready s": _median(bay.nodes_ready_s for bay in bays),
        "s/node": formatting.brief(_middle(map(formatting.s_per_node, bays))),
        "Delete s": _median(bay.delete_s for bay in bays),
        "Peak MB": formatting.megabytes(max(peaks_bytes, default=None)),
        "Magnum ms": milliseconds(max(p99_s, default=None)),
        "Verdict": state if state == storage.HOLDS else state.upper(),
        "rps": _median(step.achieved_rps for step in steps),
        "rps/core": _median(step.rps_per_core_real_nodes for step in steps),
        "req/CPU s": _median(
            step.requests_per_cpu_s.get("pods") for step in steps
        ),
        "p99 ms": _median(map(_p99_ms, steps)),
        "Template": _distinct(formatting.template(bay) for bay in bays),
    }


def spread(workload: model.Workload) -> Grid | None:
    """Return a table of the spread of the iterations.

    :returns: minimum, median and maximum, or None for a single iteration
    """
    total = len(workload.iterations)
    if total < 2:
        return None
    bays = [one.bay for one in workload.bays()]
    steps = _last_steps(workload)
    rows = (
        ("Bay created, s", [bay.create_s for bay in bays]),
        ("All nodes Ready, s", [bay.nodes_ready_s for bay in bays]),
        ("Bay deleted, s", [bay.delete_s for bay in bays]),
        ("Rate of the last step, rps", [one.achieved_rps for one in steps]),
        ("p99 of the last step, ms", [_p99_ms(one) for one in steps]),
    )
    failed = len(workload.failed_iterations)
    return Grid(
        title="Iterations",
        caption=f"{total} iterations, {failed or 'none'} of them failed.",
        head=("Measured", "Count", "Least", "Median", "Most"),
        rows=tuple(
            _spread_row(name, known)
            for name, values in rows
            if (known := _known(values))
        ),
    )


def _spread_row(name: str, known: Sequence[float]) -> tuple[str, ...]:
    figures = (min(known), statistics.median(known), max(known))
    return (name, f"{len(known):,}", *map(formatting.number, figures))


def cores(load: records.Throughput) -> Grid | None:
    """Return a table of requests per core and per CPU second.

    :returns: a row for each step, or None if it would contain no more than
        the table of the steps
    """
    if not any(step.cpu_s or step.rps_per_core_of for step in load.steps):
        return None
    return compact(
        "Requests per core and per CPU second",
        "Expected responses in the steady seconds of each step, per core "
        "of the real nodes, per core that the pods could use, and per "
        "CPU second used. Generators are the Locust workers and their "
        "master, which measure their own CPU time. The CPU time of the "
        "targets, and of everything on the nodes with pods, is from the "
        "nodes' counters.",
        [row for step in load.steps for row in _cores_rows(load, step)],
        _cores_notes(load.steps),
    )


def _cores_rows(
    load: records.Throughput, step: records.StepResult
) -> list[Row]:
    """Return a row for all nodes, for all pods, and for each component."""
    parts = (
        ("nodes", load.cores_real_nodes, step.rps_per_core_real_nodes),
        ("pods", load.cores_pods, step.rps_per_core),
        *(
            (side, load.cores_of.get(side), step.rps_per_core_of.get(side))
            for side in records.SIDES
        ),
    )
    return [
        {
            "Step": str(step.step),
            "Of": name,
            "Cores": formatting.number(cores),
            "rps/core": formatting.number(rate),
            "CPU s": formatting.number(step.cpu_s.get(name)),
            "req/CPU s": formatting.number(step.requests_per_cpu_s.get(name)),
        }
        for name, cores, rate in parts
    ]


def _cores_notes(steps: Sequence[records.StepResult]) -> list[str]:
    """Return notes on missing and on inexact values."""
    why: dict[str, list[int]] = {}
    for step in steps:
        if step.cpu_missing:
            why.setdefault(step.cpu_missing, []).append(step.step)
    notes = [
        f"Not all CPU seconds of step {ranges(found)} are known: "
        f"{reason.rstrip('.')}."
        for reason, found in why.items()
    ]
    outside = max((one.cpu_outside_ratio or 0.0 for one in steps), default=0)
    if outside > _EXACT_RATIO:
        notes.append(
            f"Up to {formatting.percent(outside)} of the time that the nodes' "
            "counters cover is outside of the steady seconds."
        )
    covered = _known(one.cpu_covered_ratio for one in steps)
    if (least := min(covered, default=1.0)) < 1 - _EXACT_RATIO:
        notes.append(
            "The nodes' counters cover at least "
            f"{formatting.percent(least)} of the steady seconds and are "
            "scaled to all of them."
        )
    return notes


def ranges(numbers: Sequence[int]) -> str:
    """Write numbers as ranges, such as ``1 to 40``."""
    if len(numbers) < 3:
        return ", ".join(map(str, numbers))
    return f"{min(numbers)} to {max(numbers)}"


def _last_steps(workload: model.Workload) -> list[records.StepResult]:
    loads = [one.run.throughput for one in workload.iterations]
    return [load.steps[-1] for load in loads if load and load.steps]


def _p99_ms(step: records.StepResult) -> float | None:
    value_us = step.latency_us.get("p99")
    if value_us is not None:
        return value_us / 1000
    return math.inf if step.failed else None


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _middle(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return statistics.median(known) if known else None


def _median(values: Iterable[float | None]) -> str:
    return formatting.number(_middle(values))


def milliseconds(value_s: float | None) -> str:
    """Write seconds as ms; None as a dash."""
    return formatting.number(None if value_s is None else value_s * 1000)


def _distinct(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(text for text in texts if text)) or NONE
