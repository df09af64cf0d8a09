"""The SLA criteria as pure functions over the records of a run.

The SLA plugins, the table in the terminal and the page call
:func:`judge` and :func:`worst`; no verdict is formed anywhere else.
A criterion with no data fails, and so does one on an invalid step.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale.measurement import bay_records
from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.measurement import records

CRITERIA = criteria.CRITERIA

_NOT_MEASURED = "it was not measured"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether one bound of one criterion holds in one iteration.

    :param bound_key: the key of the bound, such as ``min_rps``
    :param at_least: True when the value must reach the bound, False when
        it must not pass it
    :param step: number of the judged step or change, from 1, or None
    :param value: what was measured, in ``unit``, or None
    :param reason: why there is no value, or why it does not count
    :param bay: name of the bay, where the iteration had several
    """

    criterion: str
    bound_key: str
    at_least: bool
    bound: float
    unit: str
    iteration: int
    step: int | None = None
    value: float | None = None
    reason: str = ""
    bay: str = ""

    @property
    def margin(self) -> float | None:
        """How far the value is on the good side of the bound, in ``unit``."""
        if self.value is None:
            return None
        distance = self.value - self.bound
        return distance if self.at_least else -distance

    @property
    def passed(self) -> bool:
        """Tell whether the bound holds, on data that counts."""
        return not self.reason and self.margin is not None and self.margin >= 0

    @property
    def place(self) -> str:
        """Which step or change was judged, in words; empty for neither."""
        if self.step is None:
            return ""
        changes = CRITERIA[self.criterion].subject in _NO_CHANGE
        return f"{'change' if changes else 'step'} {self.step}"

    def describe(self) -> str:
        """Say the verdict in one line."""
        where = f", {self.place}" if self.place else ""
        where += f", bay {self.bay}" if self.bay else ""
        side = "at least" if self.at_least else "at most"
        # Rally hands over iterations without their numbers; the records
        # have it, where there are any.
        known = f"iteration {self.iteration}"
        whence = known if self.iteration else "an iteration without records"
        return (
            f"{self.criterion} {self.bound_key}: "
            f"{format_value(self.value, self.unit)}, asked for {side} "
            f"{format_value(self.bound, self.unit)}"
            f" ({whence}{where})" + (f": {self.reason}" if self.reason else "")
        )


def judge(
    criterion_name: str, config: Mapping[str, Any], run: records.Run
) -> list[Verdict]:
    """Judge one criterion on one iteration.

    :param criterion_name: a key of :data:`CRITERIA`
    :param config: its configuration in the SLA section
    :param run: the records of the iteration
    :returns: a verdict for each bound in ``config``
    """
    criterion = CRITERIA[criterion_name]
    subjects = _find_subjects(criterion, run, config.get("step"))
    return _unknown(criterion, config, run.iteration) + [
        worst(
            _judge_bound(criterion, key, config[key], run.iteration, subject)
            for subject in subjects
        )
        for key in criterion.bounds
        if key in config
    ]


@dataclasses.dataclass(frozen=True)
class _Subject:
    """What a criterion is judged on: a step, a bay, or nothing.

    :param found: a StepResult, a Throughput, a Bay, an ApiLatency, a
        MaxRate, a NodeChange, or None
    :param step: number of the step or the change
    :param reason: why what it says does not count
    :param silent: why it says nothing, if it does
    """

    found: Any = None
    step: int | None = None
    bay: str = ""
    reason: str = ""
    silent: str = _NOT_MEASURED


def _judge_bound(
    criterion: criteria.Criterion,
    key: str,
    asked: float,
    iteration: int,
    subject: _Subject,
) -> Verdict:
    bound = criterion.bounds[key]
    value = None if subject.found is None else bound.read(subject.found)
    missing = ""
    if value is None:
        why = bound.missing(subject.found) if subject.found else ""
        missing = subject.silent + (f": {why}" if why else "")
    return Verdict(
        criterion=criterion.name,
        bound_key=key,
        at_least=bound.at_least,
        bound=asked,
        unit=bound.unit,
        iteration=iteration,
        step=subject.step,
        bay=subject.bay,
        value=value,
        reason=subject.reason or missing,
    )


def _unknown(
    criterion: criteria.Criterion, config: Mapping[str, Any], iteration: int
) -> list[Verdict]:
    """Fail what is asked for under a key that no bound has.

    The schema refuses such a key before a task starts; a configuration
    that was stored by another release may still hold one.
    """
    allowed = {*criterion.bounds, "step"}
    return [
        Verdict(
            criterion=criterion.name,
            bound_key=key,
            at_least=True,
            bound=config[key] if _is_number(config[key]) else math.nan,
            unit="ratio",
            iteration=iteration,
            reason=f"there is no bound {key}, only "
            + ", ".join(criterion.bounds),
        )
        for key in sorted(set(config) - allowed)
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that decides: every iteration must hold.

    The order is total, so the answer depends neither on the order of the
    iterations nor on how they were merged.

    :param verdicts: on one bound, at least one
    """
    return min(verdicts, key=_rank)


def _rank(verdict: Verdict) -> tuple[bool, bool, float, int, str, str]:
    margin = verdict.margin
    return (
        verdict.passed,
        margin is not None,
        0.0 if margin is None else margin,
        verdict.iteration,
        verdict.bay,
        verdict.reason,
    )


def judge_all(
    sla: Mapping[str, Any], runs: Iterable[records.Run]
) -> list[Verdict]:
    """Judge all criteria of ours on all iterations of a workload.

    :param sla: the SLA section; criteria that are not ours are left out
    :returns: the deciding verdict for each bound; with no iteration a
        verdict without a value, which fails
    """
    seen = list(runs) or [records.Run()]
    decided = []
    for name in CRITERIA:
        if name in sla:
            each = [judge(name, sla[name], run) for run in seen]
            decided += [worst(bound) for bound in zip(*each, strict=True)]
    return decided


def _find_subjects(
    criterion: criteria.Criterion, run: records.Run, step: int | None
) -> list[_Subject]:
    """Return all that a criterion is judged on, the worst of which decides."""
    if criterion.subject == "step":
        return [_find_step(run, step)]
    if criterion.subject == "load":
        return [_find_load(run)]
    if criterion.subject == "api":
        return [_find_api(run)]
    if criterion.subject == "max_rate":
        return [_find_max_rate(run)]
    if criterion.subject in (bay_records.RESIZE, bay_records.REPLACE):
        return _find_changes(run, criterion.subject)
    return _find_bays(criterion, run)


def _find_step(run: records.Run, number: int | None) -> _Subject:
    if run.throughput is None or not run.throughput.steps:
        return _Subject(step=number, reason="no load was measured")
    steps = run.throughput.steps
    chosen = len(steps) if number is None else number
    if not 1 <= chosen <= len(steps):
        reason = f"there is no step {chosen}, only {len(steps)}"
        return _Subject(step=chosen, reason=reason)
    step = steps[chosen - 1]
    return _Subject(step, step=chosen, reason="; ".join(step.reasons))


def _find_load(run: records.Run) -> _Subject:
    if run.throughput is None:
        return _Subject(reason="no load was run")
    return _Subject(run.throughput)


def _find_api(run: records.Run) -> _Subject:
    if run.api_latency is None:
        return _Subject(reason="no API server was asked for its metrics")
    return _Subject(run.api_latency)


def _find_max_rate(run: records.Run) -> _Subject:
    found = run.max_rate
    if found is None:
        return _Subject(reason="no search for the highest rate was run")
    return _Subject(found, step=found.step, reason="; ".join(found.reasons))


_NO_CHANGE = {
    bay_records.RESIZE: "no bay was resized",
    bay_records.REPLACE: "no nodes were replaced",
}


def _find_changes(run: records.Run, purpose: str) -> list[_Subject]:
    return [
        _Subject(
            change,
            step=change.number,
            reason=f"it failed: {change.reason}" if change.failure else "",
        )
        for change in run.node_changes
        if change.purpose == purpose
    ] or [_Subject(reason=_NO_CHANGE[purpose])]


def _find_bays(
    criterion: criteria.Criterion, run: records.Run
) -> list[_Subject]:
    several = len(run.bays) > 1
    return [
        _Subject(
            bay,
            bay=bay.name if several else "",
            reason=f"the bay failed: {bay.reason}" if bay.failure else "",
            silent=_why_silent(criterion, bay),
        )
        for bay in run.bays
    ] or [_Subject(reason="no bay was created")]


def _why_silent(criterion: criteria.Criterion, bay: bay_records.Bay) -> str:
    """Say why a bay lacks a time: no data fails, but there is a reason."""
    if bay.made_by in ("named", "kubeconfig"):
        return f"{_NOT_MEASURED}, as this task did not make the bay"
    if bay.made_by == "context" and criterion.name == "bay_delete_time":
        return (
            f"{_NOT_MEASURED}, as the context deletes the bay only after "
            "the last iteration"
        )
    return _NOT_MEASURED


def format_value(value: float | None, unit: str) -> str:
    """Write a value with its unit, to four significant digits or whole."""
    if value is None:
        return "no value"
    number = format_number(value)
    return number if unit == "ratio" else f"{number} {unit}"


def format_number(value: float) -> str:
    """Write a number to four significant digits or whole, no exponent."""
    if abs(value) >= 1000 or not math.isfinite(value):
        return f"{value:,.0f}"
    if 0 < abs(value) < 1e-4:
        digits = 3 - math.floor(math.log10(abs(value)))
        return f"{value:.{digits}f}".rstrip("0")
    return f"{value:.4g}"
