"""All that a workload measured, as figures that can be followed over runs."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import json_record
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.measurement import trend
from rally_magnum_scale.measurement import verdicts


@dataclasses.dataclass(frozen=True)
class Metric(json_record.JsonRecord):
    """One figure of a workload.

    :param criterion: the SLA criterion that reads it
    :param bound_key: the key of its bound, such as ``p99_ms``
    :param place: the step, change or event, such as ``step 3``
    :param at_least: whether more is better
    :param value: in ``unit``: the median over iterations and bays of those
        that count; if none counts, of all
    :param reason: why it does not count; empty when it was measured, and
        counts, in each iteration
    :param resolution: how closely it was measured, in ``unit``: the width of
        the range in which ``value`` may lie; 0 for an exact count, None in a
        line of an older release
    """

    criterion: str
    bound_key: str
    place: str
    unit: str
    at_least: bool
    value: float
    reason: str = ""
    resolution: float | None = None

    @property
    def name(self) -> str:
        """Its name, as a trend has it."""
        return trend.metric_name(self.criterion, self.bound_key, self.place)


def read(runs: Iterable[records.Run]) -> list[Metric]:
    """Read every figure that any SLA criterion could be judged on.

    :param runs: the iterations of a workload
    :returns: in the order of the criteria; what was not measured is left
        out
    """
    found: dict[_Key, list[_Reading]] = {}
    seen = list(runs)
    for number, run in enumerate(seen):
        for criterion in criteria.CRITERIA.values():
            for config in _configs(criterion, run):
                for one in verdicts.read(criterion.name, config, run):
                    # What is no number can't be followed, nor written.
                    if one.value is not None and math.isfinite(one.value):
                        key = (one.criterion, one.bound_key, place_of(one))
                        found.setdefault(key, []).append(
                            _Reading(
                                number, one.value, one.resolution, one.reason
                            )
                        )
    return [_summed_up(*key, every, len(seen)) for key, every in found.items()]


_Key = tuple[str, str, str]


@dataclasses.dataclass(frozen=True)
class _Reading:
    """One value of a metric.

    :param iteration: which of the runs that are read together it is of
    :param reason: why it does not count, if so
    """

    iteration: int
    value: float
    resolution: float
    reason: str


def _configs(
    criterion: criteria.Criterion, run: records.Run
) -> Iterator[Mapping[str, Any]]:
    """Return what to ask for, that each step and event is read once.

    The steps of a search differ from run to run.
    """
    if criterion.subject != "step":
        yield {}
        return
    load = None if run.max_rate else run.throughput
    steps = load.steps if load else []
    yield from ({"step": number} for number, _ in enumerate(steps, 1))
    yield {"during": disruption_records.UPDATE}
    yield {"during": disruption_records.FAULT}


def place_of(verdict: verdicts.Verdict) -> str:
    """Return the place of a metric, unless it differs from run to run."""
    if criteria.CRITERIA[verdict.criterion].subject == "max_rate":
        return ""
    return f"during {verdict.place}" if verdict.during else verdict.place


def _summed_up(
    criterion: str,
    key: str,
    place: str,
    every: list[_Reading],
    iterations: int,
) -> Metric:
    bound = criteria.CRITERIA[criterion].bounds[key]
    counting = [one for one in every if not one.reason] or every
    return Metric(
        criterion=criterion,
        bound_key=key,
        place=place,
        unit=bound.unit,
        at_least=bound.at_least,
        value=statistics.median(one.value for one in counting),
        reason=_why_not(every, iterations),
        resolution=max(one.resolution for one in counting),
    )


def _why_not(every: list[_Reading], iterations: int) -> str:
    """Say why a metric does not count: a part of it is not the whole."""
    reason = next((one.reason for one in every if one.reason), "")
    measured = len({one.iteration for one in every})
    if reason or measured == iterations:
        return reason
    return f"only {measured} of {iterations} iterations measured it"
