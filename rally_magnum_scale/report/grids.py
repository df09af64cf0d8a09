"""Tables for the page, the terminal and Rally's report."""

from __future__ import annotations

import collections
import dataclasses
import math
import statistics
from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import bay_records
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

    def trimmed(self) -> Grid:
        """Return the table without empty columns."""
        columns = zip(self.head, *self.rows, strict=True)
        return self._of([one for one in columns if set(one[1:]) - _EMPTY])

    def folded(self, names: Sequence[str]) -> Grid:
        """Move values that are the same in all rows into a note.

        :param names: names of the columns that may be removed
        """
        columns = list(zip(self.head, *self.rows, strict=True))
        same = [
            one
            for one in columns
            if one[0] in names
            and len(self.rows) > 1
            and len(set(one[1:])) == 1
        ]
        if not same:
            return self
        told = "; ".join(f"{name} {value}" for name, value, *_ in same)
        note = f"The same for all: {told}."
        slim = self._of([one for one in columns if one not in same])
        return dataclasses.replace(slim, notes=(note, *self.notes))

    def _of(self, columns: Sequence[tuple[str, ...]]) -> Grid:
        head, *rows = zip(*columns, strict=True)
        return dataclasses.replace(self, head=head, rows=tuple(rows))


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
    found = Grid(
        title="Ladder" if len(sizes) > 1 else "Side by side",
        caption=(
            "A row for each workload. Seconds are measured from the request; "
            "s/node is the time until all nodes are Ready, per node. MB is "
            "the plugin's peak memory. Magnum ms is the p99 latency of "
            "Magnum's API, of the slowest bay."
            + (_LAST if any(map(_last_steps, workloads)) else "")
            + (_MIDDLE if several else "")
        ),
        head=(
            "Workload",
            "Nodes",
            "Bays",
            "Failed",
            "Create s",
            "Ready s",
            "s/node",
            "Delete s",
            "Peak MB",
            "Magnum ms",
            "Verdict",
            "rps",
            "rps/core",
            "req/CPU s",
            "p99 ms",
            "Template",
        ),
        rows=tuple(map(_rung, workloads)),
    )
    return found.trimmed().folded(("Template",))


_MIDDLE = " For several bays or iterations, the median is shown."
_LAST = " Rates and p99 are those of the last step."


def _rung(workload: model.Workload) -> tuple[str, ...]:
    bays = [one.bay for one in workload.bays()]
    steps = _last_steps(workload)
    state = states.of_workload(workload)
    return (
        workload.name,
        _distinct(f"{bay.nodes:,}" for bay in bays),
        f"{len(bays):,}" if len(bays) > 1 else "",
        _failures(bays),
        _median(bay.create_s for bay in bays),
        _median(bay.nodes_ready_s for bay in bays),
        brief(_middle(map(formatting.s_per_node, bays))),
        _median(bay.delete_s for bay in bays),
        formatting.megabytes(_peak_bytes(bays)),
        milliseconds(_slowest(bays)),
        state if state == storage.HOLDS else state.upper(),
        _median(step.achieved_rps for step in steps),
        _median(step.rps_per_core_real_nodes for step in steps),
        _median(step.requests_per_cpu_s.get("pods") for step in steps),
        _median(map(_p99_ms, steps)),
        _distinct(formatting.template(bay) for bay in bays),
    )


def _failures(bays: Sequence[bay_records.Bay]) -> str:
    """Return the number of failed bays by class."""
    counts = collections.Counter(b.failure for b in bays if b.failure)
    return ", ".join(f"{n} {kind}" for kind, n in sorted(counts.items()))


def _slowest(bays: Sequence[bay_records.Bay]) -> float | None:
    known = [(bay.magnum_request_s or {}).get("p99") for bay in bays]
    return max((one for one in known if one is not None), default=None)


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
        rows=tuple(_spread_row(*row) for row in rows if _known(row[1])),
    )


def _spread_row(name: str, values: Iterable[float | None]) -> tuple[str, ...]:
    known = _known(values)
    figures = (min(known), statistics.median(known), max(known))
    return (name, f"{len(known):,}", *map(formatting.number, figures))


def cores(load: records.Throughput) -> Grid | None:
    """Return a table of requests per core and per CPU second.

    :returns: a row for each step, or None if it would contain no more than
        the table of the steps
    """
    if not any(step.cpu_s or step.rps_per_core_of for step in load.steps):
        return None
    found = Grid(
        title="Requests per core and per CPU second",
        caption=(
            "Expected responses in the steady seconds of each step, per core "
            "of the real nodes, per core that the pods could use, and per "
            "CPU second used. Generators are the Locust workers and their "
            "master, which measure their own CPU time. The CPU time of the "
            "targets, and of everything on the nodes with pods, is from the "
            "nodes' counters."
        ),
        head=("Step", "Of", "Cores", "rps/core", "CPU s", "req/CPU s"),
        rows=tuple(
            row for step in load.steps for row in _cores_rows(load, step)
        ),
        notes=tuple(_cores_notes(load.steps)),
    )
    return found.trimmed()


def _cores_rows(
    load: records.Throughput, step: records.StepResult
) -> list[tuple[str, ...]]:
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
        (
            str(step.step),
            name,
            formatting.number(cores),
            formatting.number(rate),
            formatting.number(step.cpu_s.get(name)),
            formatting.number(step.requests_per_cpu_s.get(name)),
        )
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
    covered = [one.cpu_covered_ratio for one in steps]
    least = min((one for one in covered if one is not None), default=1.0)
    if least < 1 - _EXACT_RATIO:
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


def _peak_bytes(found: Iterable[bay_records.Bay]) -> int | None:
    known = [one.client_memory_peak_bytes for one in found]
    return max((one for one in known if one is not None), default=None)


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _middle(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return statistics.median(known) if known else None


def _median(values: Iterable[float | None]) -> str:
    return formatting.number(_middle(values))


def brief(value: float | None) -> str:
    """Write a small number with three digits, as it is no more exact."""
    return formatting.brief(value)


def milliseconds(value_s: float | None) -> str:
    """Write seconds as ms; None as a dash."""
    return formatting.number(None if value_s is None else value_s * 1000)


def _distinct(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(text for text in texts if text)) or NONE
