"""Find changes of a metric's level over many runs, with Apache Otava.

Otava's method is that of M. Fleming and others, Hunter: Using Change Point
Detection to Hunt for Performance Regressions, ICPE 2023
(https://doi.org/10.1145/3578244.3583719).  It considers the whole series in
both directions, while :mod:`rally_magnum_scale.measurement.regression` judges
only the newest runs.

Otava comes with the extra ``regression``, and is imported only when needed.
"""

from __future__ import annotations

import dataclasses
import types

from rally_magnum_scale import exceptions
from rally_magnum_scale.measurement import trend

# Otava's own default: 1 in 1000, at each change point.
MAX_P_VALUE = 0.001
MIN_CHANGE_RATIO = 0.02


@dataclasses.dataclass(frozen=True)
class ChangePoint:
    """A change of a metric's level.

    :param index: index of the first point of the new level
    :param since: the first point of the new level
    :param baseline: mean of the level before, in the unit of the metric
    :param value: mean of the level from there to the next change point
    :param change_ratio: change to the worse, as a share of the baseline;
        below 0 for better, infinite when the baseline is 0
    :param p_value: probability that noise alone causes such a difference
    """

    index: int
    since: trend.Point
    baseline: float
    value: float
    change_ratio: float
    p_value: float


def find(
    one: trend.Trend,
    max_p_value: float = MAX_P_VALUE,
    min_change_ratio: float = MIN_CHANGE_RATIO,
) -> tuple[ChangePoint, ...]:
    """Find the change points of a metric, in order of time.

    :param max_p_value: changes with a larger p-value count as noise
    :param min_change_ratio: smaller changes are ignored
    :raises MissingExtra: when Otava is not installed
    """
    series = _import_otava()
    options = series.AnalysisOptions()
    options.max_pvalue = max_p_value
    options.min_magnitude = min_change_ratio
    analyzed = series.Series(
        test_name=one.metric,
        branch=None,
        time=[int(point.at_s) for point in one.points],
        metrics={one.metric: series.Metric(1 if one.at_least else -1)},
        data={one.metric: [point.value for point in one.points]},
        attributes={},
    ).analyze(options)
    return tuple(
        ChangePoint(
            index=int(found.index),
            since=one.points[found.index],
            baseline=float(found.mean_before()),
            value=float(found.mean_after()),
            change_ratio=float(
                one.worse_ratio(found.mean_after(), found.mean_before())
            ),
            p_value=float(found.pvalue()),
        )
        for found in analyzed.change_points[one.metric]
    )


def _import_otava() -> types.ModuleType:
    try:
        from otava import series
    except ImportError as error:
        raise exceptions.MissingExtra(
            "Finding change points requires Apache Otava, which is not "
            "installed. Install it with: "
            "pip install 'rally-magnum-scale[regression]'"
        ) from error
    return series  # type: ignore[no-any-return]
