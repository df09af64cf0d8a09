"""The metrics of a workload, which can be compared over many runs."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import json_record
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.measurement import trend
from rally_magnum_scale.measurement import verdicts

_COMPARED = [one for one in criteria.CRITERIA.values() if one.compared]


@dataclasses.dataclass(frozen=True)
class Metric(json_record.JsonRecord):
    """One metric of a workload.

    :param criterion: the SLA criterion that reads it
    :param bound_key: the key of its bound, such as ``p99_ms``
    :param place: the step, change or event, such as ``step 3``; empty for
        none
    :param unit: of ``value``, such as ``ms``
    :param at_least: whether more is better
    :param value: in ``unit``: the median over the iterations and bays whose
        value counts; over all of them if no value counts
    :param reason: why the metric does not count; empty if every iteration
        measured it and every value counts
    :param resolution: the coarsest resolution of these values, in ``unit``; 0
        for a count, None in a line of an earlier release
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
        """The name of the metric, as in :class:`trend.Trend`."""
        return trend.metric_name(self.criterion, self.bound_key, self.place)

    def extend(
        self, known: trend.Trend | None, run: str, at_s: float
    ) -> trend.Trend:
        """Return the trend of this metric with one more run.

        :param known: the trend over the runs before; None for the first
        :param run: id of the run
        :param at_s: epoch second at which it began
        """
        points = known.points if known else ()
        point = trend.Point(run, at_s, self.value, self.resolution)
        return trend.Trend(
            self.name, self.unit, self.at_least, (*points, point)
        )


def read(runs: Iterable[records.Run]) -> list[Metric]:
    """Read every metric on which an SLA criterion could be judged.

    :param runs: the iterations of a workload
    :returns: in the order of the criteria, without metrics that no iteration
        measured
    """
    iterations = list(runs)
    found: dict[tuple[str, str, str], list[_Reading]] = {}
    for number, run in enumerate(iterations):
        read = (
            one
            for criterion in _COMPARED
            for config in _configs(criterion, run)
            for one in verdicts.read(criterion.name, config, run)
        )
        for one in read:
            # JSON can't hold infinity and NaN.
            if one.value is not None and math.isfinite(one.value):
                key = (one.criterion, one.bound_key, place_of(one))
                found.setdefault(key, []).append((number, one))
    return [
        _summarise(place, every, len(iterations))
        for (_, _, place), every in found.items()
    ]


# The position of an iteration in the workload, from 0, and one value in it.
_Reading = tuple[int, verdicts.Verdict]


def _configs(
    criterion: criteria.Criterion, run: records.Run
) -> Iterator[Mapping[str, Any]]:
    """Return the configurations that read each step and event once.

    The steps of a search are left out: they differ from run to run.
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
    """Return the place of a metric; empty if it differs from run to run."""
    if criteria.CRITERIA[verdict.criterion].subject == "max_rate":
        return ""
    return f"during {verdict.place}" if verdict.during else verdict.place


def _summarise(
    place: str, every: Sequence[_Reading], iterations: int
) -> Metric:
    """Return the metric of which these are the values.

    It counts only if all iterations measured it.
    """
    values = [one for _, one in every]
    reason = next((one.reason for one in values if one.reason), "")
    measured = len({number for number, _ in every})
    if not reason and measured != iterations:
        reason = f"only {measured} of {iterations} iterations measured it"
    counting = [one for one in values if not one.reason] or values
    return Metric(
        criterion=values[0].criterion,
        bound_key=values[0].bound_key,
        place=place,
        unit=values[0].unit,
        at_least=values[0].at_least,
        value=statistics.median(
            one.value for one in counting if one.value is not None
        ),
        reason=reason,
        resolution=max(one.resolution for one in counting),
    )
