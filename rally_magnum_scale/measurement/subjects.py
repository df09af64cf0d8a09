"""What the SLA criteria are judged on: steps, bays, changes, events."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import criteria

NOT_MEASURED = "it was not measured"

# Kind of subject of which a run has one: its field, and the reason if there
# is none.
_SINGLE = {
    "load": ("throughput", "no load was run"),
    "api": ("api_latency", "no API server was asked for its metrics"),
}
_NO_CHANGE = {
    bay_records.RESIZE: "no bay was resized",
    bay_records.REPLACE: "no nodes were replaced",
}

# Kind of event to the field of its records, and the reason if there are none.
_EVENTS = {
    disruption_records.UPDATE: ("updates", "no targets were updated"),
    disruption_records.FAULT: ("faults", "no node fault was injected"),
}
EVENT_NOUNS = {
    **dict.fromkeys(_NO_CHANGE, "change"),
    **{kind: kind for kind in _EVENTS},
}


@dataclasses.dataclass(frozen=True)
class Subject:
    """What a criterion is judged on: a step, a bay, or nothing.

    :param record: a StepResult, a Throughput, a Bay, an ApiLatency, a
        MaxRate, a NodeChange, an Update, a Fault, or None
    :param step: number of the step, the change or the event
    :param bay: name of the bay, if the iteration had several
    :param reason: why its values do not count; empty if they count
    :param missing: why a value is missing, if one is
    :param during: kind of the event, for a criterion of steps
    """

    record: Any = None
    step: int | None = None
    bay: str = ""
    reason: str = ""
    missing: str = NOT_MEASURED
    during: str = ""


def find(
    criterion: criteria.Criterion,
    run: records.Run,
    config: Mapping[str, Any],
) -> list[Subject]:
    """Return the subjects of a criterion, of which the worst decides."""
    kind = criterion.subject
    if kind == "step" and "during" in config:
        return _find_loads_during(run, config["during"])
    if kind == "step":
        return [_find_step(run, config.get("step"))]
    if kind == "max_rate":
        return [_find_max_rate(run)]
    if kind in _SINGLE:
        field, nothing = _SINGLE[kind]
        record = getattr(run, field)
        return [Subject(record, reason="" if record else nothing)]
    if kind in _NO_CHANGE:
        return _find_changes(run, kind)
    if kind in _EVENTS:
        return _find_events(run, kind)
    return _find_bays(criterion, run)


def _find_step(run: records.Run, number: float | None) -> Subject:
    # JSON takes 1.0 for an integer.
    chosen = None if number is None else int(number)
    if chosen != number:
        return Subject(reason=f"there is no step {number}")
    if run.throughput is None or not run.throughput.steps:
        return Subject(step=chosen, reason="no load was measured")
    steps = run.throughput.steps
    chosen = len(steps) if chosen is None else chosen
    if not 1 <= chosen <= len(steps):
        reason = f"there is no step {chosen}, only {len(steps)}"
        return Subject(step=chosen, reason=reason)
    step = steps[chosen - 1]
    return Subject(step, step=chosen, reason="; ".join(step.reasons))


def _find_max_rate(run: records.Run) -> Subject:
    found = run.max_rate
    if found is None:
        return Subject(reason="no search for the highest rate was run")
    reason = "; ".join(found.reasons)
    if not found.confirmed:
        reason = reason or "no longer step confirmed it"
    return Subject(found, step=found.step, reason=reason)


def _find_changes(run: records.Run, purpose: str) -> list[Subject]:
    return [
        Subject(change, step=change.number, reason=_why_unsettled(change))
        for change in run.node_changes
        if change.purpose == purpose
    ] or [Subject(reason=_NO_CHANGE[purpose])]


def _why_unsettled(change: bay_records.NodeChange) -> str:
    """Return why the times of a node change do not count."""
    if change.failure:
        return f"it failed: {change.reason}"
    if change.nodes_after is None:
        return "its end was not observed"
    if change.nodes_after != change.nodes_wanted:
        return (
            f"the bay has {change.nodes_after} nodes instead of "
            f"{change.nodes_wanted}"
        )
    if (change.removed or 0) < change.to_go:
        return (
            f"only {change.removed or 0} of {change.to_go} nodes to remove "
            "are gone"
        )
    return ""


def _find_events(run: records.Run, kind: str) -> list[Subject]:
    if kind not in _EVENTS:
        # The schema refuses it, but another release may have stored it.
        known = ", ".join(_EVENTS)
        return [Subject(reason=f"there is no event {kind}, only {known}")]
    field, no_event = _EVENTS[kind]
    return [
        Subject(
            event,
            step=event.number,
            reason=_why_no_event(event),
            missing=event.reason or NOT_MEASURED,
        )
        for event in getattr(run, field)
    ] or [Subject(reason=no_event)]


def _why_no_event(event: disruption_records.DisruptionRecord) -> str:
    """Return why no value of an event counts."""
    if event.failure:
        return f"it failed: {event.reason}"
    if isinstance(event, disruption_records.Fault) and not event.targets_lost:
        return event.reason or "no target ran on the lost nodes"
    return ""


def _find_loads_during(run: records.Run, kind: str) -> list[Subject]:
    """Return the results of the load during each event of a kind."""
    return [
        dataclasses.replace(
            one,
            record=(load := one.record and one.record.load),
            reason=one.reason or "; ".join(load.reasons if load else ()),
            during=kind,
        )
        for one in _find_events(run, kind)
    ]


def _find_bays(
    criterion: criteria.Criterion, run: records.Run
) -> list[Subject]:
    several = len(run.bays) > 1
    return [
        Subject(
            bay,
            bay=bay.name if several else "",
            reason=f"the bay failed: {bay.reason or bay.status}"
            if bay.failure or bay.status.endswith("_FAILED")
            else "",
            missing=_why_missing(criterion, bay),
        )
        for bay in run.bays
    ] or [Subject(reason="no bay was created")]


def _why_missing(criterion: criteria.Criterion, bay: bay_records.Bay) -> str:
    """Return why a time of a bay may be missing."""
    if bay.made_by in ("named", "kubeconfig"):
        return f"{NOT_MEASURED}, because this task did not create the bay"
    if bay.made_by == "context" and criterion.name == "bay_delete_time":
        return (
            f"{NOT_MEASURED}, as the context deletes the bay only after "
            "the last iteration"
        )
    return NOT_MEASURED
