"""One metric over many comparable runs: what regression is looked for in."""

from __future__ import annotations

import dataclasses
import math
import statistics


@dataclasses.dataclass(frozen=True)
class Point:
    """What one run measured.

    :param run: identifies the run: the task's uuid and the position of the
        workload in it, from 1, such as ``3f0c…/1``
    :param at_s: when the run began, in epoch seconds
    :param value: in the unit of the trend
    :param resolution: how closely the value was measured, in the same unit:
        the width of the range in which it may lie; None where not known
    """

    run: str
    at_s: float
    value: float
    resolution: float | None = None


@dataclasses.dataclass(frozen=True)
class Trend:
    """The values of one metric, first run first.

    :param metric: criterion, bound and place that it is read as, such as
        ``request_latency.p99_ms step 3``
    :param unit: of the values, such as ``ms``
    :param at_least: whether more is better, as with the bounds of a criterion
    :param points: only of runs in which the metric was measured and counts
    """

    metric: str
    unit: str
    at_least: bool
    points: tuple[Point, ...]

    @property
    def resolution(self) -> float:
        """How closely the metric is measured, as a rule; 0 for exactly."""
        known = [
            point.resolution
            for point in self.points
            if point.resolution is not None
        ]
        return statistics.median(known) if known else 0.0

    def worse_ratio(self, value: float, reference: float) -> float:
        """Tell by which share of ``reference`` a value is worse than it.

        :returns: above 0 for worse, below 0 for better; infinite when the
            reference is 0, of which nothing is a share, and the value is not
        """
        change = value - reference
        if not change:
            return 0.0
        if reference:
            share = change / abs(reference)
        else:
            share = math.copysign(math.inf, change)
        return -share if self.at_least else share


def metric_name(criterion: str, bound_key: str, place: str = "") -> str:
    """Name a metric as criteria, history and pages do.

    :param place: the step, change or event, such as ``step 3``
    """
    return f"{criterion}.{bound_key} {place}".rstrip()
