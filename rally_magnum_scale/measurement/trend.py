"""One metric over many comparable runs, in which a regression may be."""

from __future__ import annotations

import dataclasses
import math
import statistics


@dataclasses.dataclass(frozen=True)
class Point:
    """The value of one run.

    :param run: id of the run: the task's uuid and the position of the
        workload in it, from 1, such as ``3f0c…/1``
    :param at_s: epoch second at which the run began
    :param value: in the unit of the trend
    :param resolution: the width of the interval in which the true value
        lies, in the same unit; 0 for a count, None if unknown
    """

    run: str
    at_s: float
    value: float
    resolution: float | None = None


@dataclasses.dataclass(frozen=True)
class Trend:
    """The values of one metric, first run first.

    :param metric: its name, such as ``request_latency.p99_ms step 3``
    :param unit: of the values, such as ``ms``
    :param at_least: whether more is better
    :param points: of the runs in which the metric was measured and counts
    """

    metric: str
    unit: str
    at_least: bool
    points: tuple[Point, ...]

    @property
    def resolution(self) -> float:
        """The median of the known resolutions; 0 without any."""
        known = [
            point.resolution
            for point in self.points
            if point.resolution is not None
        ]
        return statistics.median(known) if known else 0.0

    def worse_ratio(self, value: float, reference: float) -> float:
        """Return the share of ``reference`` by which a value is worse.

        :returns: above 0 if the value is worse, below 0 if it is better;
            infinite if the reference is 0 and the value is not
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
    """Return the name of a metric in criteria, history and pages.

    :param place: the step, change or event, such as ``step 3``
    """
    return f"{criterion}.{bound_key} {place}".rstrip()
