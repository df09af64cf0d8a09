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
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import record_body
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.measurement import criteria

CRITERIA = criteria.CRITERIA

_NOT_MEASURED = "it was not measured"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether one bound of one criterion holds in one iteration.

    :param bound_key: the key of the bound, such as ``min_rps``
    :param at_least: True when the value must reach the bound, False when
        it must not pass it
    :param step: number of the judged step, change or event, from 1, or None
    :param value: what was measured, in ``unit``, or None; infinite where it
        is longer than any bound, as a request that failed
    :param endless: what an infinite value is, in words
    :param reason: why there is no value, or why it does not count
    :param bay: name of the bay, where the iteration had several
    :param during: of what kind the event is over whose time a criterion of
        steps was judged; empty for a step
    :param between: the values that the truth lies between, in ``unit``: above
        the first and not above the second; None where it is ``value``
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
    during: str = ""
    endless: str = ""
    between: tuple[float, float] | None = None

    @property
    def measured(self) -> str:
        """The value with its unit, in words."""
        return self.endless or format_value(self.value, self.unit)

    @property
    def undecided(self) -> bool:
        """Tell whether the bound lies where the truth may be on both sides."""
        if self.between is None:
            return False
        low, high = self.between
        return low < self.bound < high

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
        """Which step, change or event was judged; empty for none."""
        if self.step is None:
            return ""
        return self.event or f"step {self.step}"

    @property
    def event(self) -> str:
        """Which change or event was judged; empty for a step, or none."""
        noun = _NOUNS.get(self.during or CRITERIA[self.criterion].subject)
        return "" if self.step is None or not noun else f"{noun} {self.step}"

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
            f"{self.measured}, asked for {side} "
            f"{format_value(self.bound, self.unit)}"
            f" ({whence}{where})" + (f": {self.reason}" if self.reason else "")
        )


def judge(
    criterion_name: str, config: Mapping[str, Any], run: records.Run
) -> list[Verdict]:
    """Judge one criterion on one iteration.

    Nothing is raised: what can't be judged fails, and says why.

    :param criterion_name: a key of :data:`CRITERIA`
    :param config: its configuration in the SLA section
    :param run: the records of the iteration
    :returns: a verdict for each bound in ``config``, none of which holds
        where the iteration failed
    """
    criterion = CRITERIA[criterion_name]
    asked = _bounds_asked(criterion, config)
    judged = []
    for key in asked:
        try:
            judged.append(_judge_key(criterion, key, config, run))
        except Exception as error:
            why = f"it could not be judged: {type(error).__name__}: {error}"
            judged.append(_failed(criterion, key, run.iteration, why))
    return spoil(judged, _why_failed(run))


def _why_failed(run: records.Run) -> str:
    return f"the iteration failed: {run.error}" if run.error else ""


def spoil(judged: Iterable[Verdict], reason: str) -> list[Verdict]:
    """Return verdicts of which none holds.

    :param reason: why not; one that a verdict has already stays.  Where it
        is empty, the verdicts stay as they are
    """
    return [
        dataclasses.replace(one, reason=one.reason or reason) for one in judged
    ]


def _bounds_asked(
    criterion: criteria.Criterion, config: Mapping[str, Any]
) -> list[str]:
    """Return the keys of a configuration that ask for a bound.

    The schema refuses others before a task starts; a configuration that
    was stored by another release may still hold one.

    :returns: those that no bound has first; an empty key where nothing is
        asked for
    """
    given = set(config) if isinstance(config, Mapping) else set()
    unknown = sorted(given - {*criterion.bounds, "step", "during"}, key=str)
    return [*unknown, *(key for key in criterion.bounds if key in given)] or [
        ""
    ]


def _judge_key(
    criterion: criteria.Criterion,
    key: str,
    config: Mapping[str, Any],
    run: records.Run,
) -> Verdict:
    if not key:
        return _failed(criterion, key, run.iteration, "it asks for no bound")
    if key not in criterion.bounds:
        why = f"there is no bound {key}, only {', '.join(criterion.bounds)}"
        return _failed(criterion, key, run.iteration, why)
    bound = config[key]
    if not record_body.is_number(bound):
        why = f"the bound is {bound!r}, which is no number"
        return _failed(criterion, key, run.iteration, why)
    return worst(
        _judge_bound(criterion, key, bound, run.iteration, subject)
        for subject in _find_subjects(criterion, run, config)
    )


def _failed(
    criterion: criteria.Criterion, key: str, iteration: int, reason: str
) -> Verdict:
    """Return a verdict on a bound that could not be judged at all."""
    bound = criterion.bounds.get(key)
    return Verdict(
        criterion=criterion.name,
        bound_key=key,
        at_least=bound.at_least if bound else True,
        bound=math.nan,
        unit=bound.unit if bound else "ratio",
        iteration=iteration,
        reason=reason,
    )


def read(
    criterion_name: str, config: Mapping[str, Any], run: records.Run
) -> list[Verdict]:
    """Read all that a criterion knows, against no bound.

    :param criterion_name: a key of :data:`CRITERIA`
    :param config: which step, or the events of which kind
    :param run: the records of the iteration
    :returns: a verdict for each step, bay, change or event and each bound,
        which is NaN
    """
    criterion = CRITERIA[criterion_name]
    found = [
        _judge_bound(criterion, key, math.nan, run.iteration, subject)
        for subject in _find_subjects(criterion, run, config)
        for key in criterion.bounds
    ]
    return spoil(found, _why_failed(run))


@dataclasses.dataclass(frozen=True)
class _Subject:
    """What a criterion is judged on: a step, a bay, or nothing.

    :param found: a StepResult, a Throughput, a Bay, an ApiLatency, a
        MaxRate, a NodeChange, an Update, a Fault, or None
    :param step: number of the step, the change or the event
    :param reason: why what it says does not count
    :param silent: why it says nothing, if it does
    :param during: the kind of the event, for a criterion of steps
    """

    found: Any = None
    step: int | None = None
    bay: str = ""
    reason: str = ""
    silent: str = _NOT_MEASURED
    during: str = ""


def _judge_bound(
    criterion: criteria.Criterion,
    key: str,
    asked: float,
    iteration: int,
    subject: _Subject,
) -> Verdict:
    bound = criterion.bounds[key]
    value = None if subject.found is None else bound.read(subject.found)
    endless = bound.endless(subject.found) if value == math.inf else ""
    odd = ""
    # Infinity itself would hold any bound from below.
    if not (value is None or record_body.is_number(value) or endless):
        odd, value = f"{_NOT_MEASURED}: {value!r} can't be right", None
    between = None if value is None else bound.between(subject.found)
    verdict = Verdict(
        criterion=criterion.name,
        bound_key=key,
        at_least=bound.at_least,
        bound=asked,
        unit=bound.unit,
        iteration=iteration,
        step=subject.step,
        bay=subject.bay,
        value=value,
        reason=subject.reason or odd or _why_not(bound, subject, value),
        during=subject.during,
        endless=endless,
        between=between,
    )
    if verdict.reason or not verdict.undecided:
        return verdict
    return dataclasses.replace(verdict, reason=_undecided(bound, verdict))


def _undecided(bound: criteria.Bound, verdict: Verdict) -> str:
    low, high = (
        format_value(end, bound.unit) for end in verdict.between or ()
    )
    asked = format_value(verdict.bound, bound.unit)
    return (
        f"the time is between {low} and {high} ({bound.coarse}), so a bound "
        f"of {asked} can't be judged"
    )


def _why_not(
    bound: criteria.Bound, subject: _Subject, value: float | None
) -> str:
    """Say why there is no value, or why it does not count."""
    if value is not None and value < 0:
        return "a value below 0 can't be right"
    if value is not None:
        return bound.doubt(subject.found)
    why = bound.missing(subject.found) if subject.found else ""
    return subject.silent + (f": {why}" if why else "")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that decides: every iteration must hold.

    The order is total, so the answer depends neither on the order of the
    iterations nor on how they were merged.

    :param verdicts: on one bound, at least one
    """
    return min(verdicts, key=_rank)


def _rank(verdict: Verdict) -> tuple[bool, bool, bool, float, int, str, str]:
    margin = verdict.margin
    return (
        verdict.passed,
        margin is not None,
        # One that fails for certain decides before one that may hold.
        verdict.undecided,
        margin or 0.0,
        verdict.iteration,
        verdict.bay,
        verdict.reason,
    )


def judge_all(
    sla: Mapping[str, Any],
    runs: Sequence[records.Run],
    told: int | None = None,
) -> list[Verdict]:
    """Judge all criteria of ours on all iterations of a workload.

    :param sla: the SLA section, with the names as the task file has them;
        criteria that are not ours are left out
    :param told: how many iterations the runner was told to run; None where
        that is not known
    :returns: the deciding verdict for each bound; with no iteration a
        verdict without a value, which fails, and with too few none holds
    """
    seen = list(runs) or [records.Run()]
    decided = []
    for name in CRITERIA:
        for given, config in sla.items():
            if criteria.normalise(given) == name:
                each = [judge(name, config, run) for run in seen]
                decided += [worst(bound) for bound in zip(*each, strict=True)]
    return spoil(decided, conditions.say_missing(len(runs), told))


def _find_subjects(
    criterion: criteria.Criterion,
    run: records.Run,
    config: Mapping[str, Any],
) -> list[_Subject]:
    """Return all that a criterion is judged on, the worst of which decides."""
    if criterion.subject == "step":
        if "during" in config:
            return _find_loads_during(run, config["during"])
        return [_find_step(run, config.get("step"))]
    if criterion.subject == "load":
        return [_find_load(run)]
    if criterion.subject == "api":
        return [_find_api(run)]
    if criterion.subject == "max_rate":
        return [_find_max_rate(run)]
    if criterion.subject in (bay_records.RESIZE, bay_records.REPLACE):
        return _find_changes(run, criterion.subject)
    if criterion.subject in _EVENTS:
        return _find_events(run, criterion.subject)
    return _find_bays(criterion, run)


def _find_step(run: records.Run, number: float | None) -> _Subject:
    # JSON takes 1.0 for an integer.
    asked = None if number is None else int(number)
    if asked != number:
        return _Subject(reason=f"there is no step {number}")
    if run.throughput is None or not run.throughput.steps:
        return _Subject(step=asked, reason="no load was measured")
    steps = run.throughput.steps
    chosen = len(steps) if asked is None else asked
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
    reason = "; ".join(found.reasons)
    if not found.confirmed:
        reason = reason or "no longer step confirmed it"
    return _Subject(found, step=found.step, reason=reason)


_NO_CHANGE = {
    bay_records.RESIZE: "no bay was resized",
    bay_records.REPLACE: "no nodes were replaced",
}


def _find_changes(run: records.Run, purpose: str) -> list[_Subject]:
    return [
        _Subject(
            change,
            step=change.number,
            reason=_why_unsettled(change),
        )
        for change in run.node_changes
        if change.purpose == purpose
    ] or [_Subject(reason=_NO_CHANGE[purpose])]


def _why_unsettled(change: bay_records.NodeChange) -> str:
    """Say why the times of a change of nodes do not count."""
    if change.failure:
        return f"it failed: {change.reason}"
    if change.nodes_after is None:
        return "it was never seen to end"
    if change.nodes_after != change.nodes_wanted:
        return (
            f"the bay has {change.nodes_after} nodes and was to have "
            f"{change.nodes_wanted}"
        )
    if (change.removed or 0) < change.to_go:
        return (
            f"only {change.removed or 0} of the {change.to_go} nodes that "
            "were to go are gone"
        )
    return ""


# The events of each kind, and what is said where there is none.
_EVENTS = {
    disruption_records.UPDATE: ("updates", "no targets were updated"),
    disruption_records.FAULT: ("faults", "no node was lost on purpose"),
}
_NOUNS = {
    **dict.fromkeys(_NO_CHANGE, "change"),
    **{kind: kind for kind in _EVENTS},
}


def _find_events(run: records.Run, kind: str) -> list[_Subject]:
    if kind not in _EVENTS:
        # As with a bound that is not known: the schema refuses it.
        known = ", ".join(_EVENTS)
        return [_Subject(reason=f"there is no event {kind}, only {known}")]
    field, none = _EVENTS[kind]
    return [
        _Subject(
            event,
            step=event.number,
            reason=_why_no_event(event),
            silent=event.reason or _NOT_MEASURED,
        )
        for event in getattr(run, field)
    ] or [_Subject(reason=none)]


def _why_no_event(event: disruption_records.DisruptionRecord) -> str:
    """Say why nothing of an event counts."""
    if event.failure:
        return f"it failed: {event.reason}"
    if isinstance(event, disruption_records.Fault) and not event.targets_lost:
        return event.reason or "no target ran on the lost nodes"
    return ""


def _find_loads_during(run: records.Run, kind: str) -> list[_Subject]:
    """Return what a load came to in the time of each event of a kind."""
    return [
        dataclasses.replace(
            one,
            found=(load := one.found and one.found.load),
            reason=one.reason or "; ".join(load.reasons if load else ()),
            during=kind,
        )
        for one in _find_events(run, kind)
    ]


def _find_bays(
    criterion: criteria.Criterion, run: records.Run
) -> list[_Subject]:
    several = len(run.bays) > 1
    return [
        _Subject(
            bay,
            bay=bay.name if several else "",
            reason=f"the bay failed: {bay.reason or bay.status}"
            if bay.failure or bay.status.endswith("_FAILED")
            else "",
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
