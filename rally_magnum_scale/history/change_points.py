"""Where the level of a metric changed over many runs, by Apache Otava.

Otava's method is that of M. Fleming and others, Hunter: Using Change Point
Detection to Hunt for Performance Regressions, ICPE 2023
(https://doi.org/10.1145/3578244.3583719).  It looks in both directions and
over the whole series, where :mod:`rally_magnum_scale.measurement.regression`
judges the newest runs.

It comes with the extra ``regression``, and is imported only when it is used.
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
    """Where the level of a metric changed.

    :param index: of the first point of the new level
    :param since: that point
    :param baseline: mean of the level before, in the unit of the metric
    :param value: mean of the level from there to the next change point
    :param change_ratio: by which share of the baseline it became worse;
        below 0 for better, infinite when the baseline is 0
    :param p_value: how likely noise alone makes the two differ so much
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
    """Find the change points of a metric, the first one first.

    :param max_p_value: above which a change counts as noise
    :param min_change_ratio: below which a change is too small to tell
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
            "Change points are looked for with Apache Otava, which is not "
            "installed; install it with: "
            "pip install 'rally-magnum-scale[regression]'"
        ) from error
    return series  # type: ignore[no-any-return]
