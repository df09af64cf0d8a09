"""Whether the newest runs are worse than those before them, beyond noise.

The newest runs are compared with the runs before, one-sided, in the worse
direction, in the noise that those runs had.  Since when is not known, so
each split into newest and earlier runs is tried, and the p-value pays for
each try (Bonferroni), and for each metric (Holm).

- Values that are all above their resolution are compared as logarithms:
  noise in times and rates grows with them, and a change is a ratio.  Others
  are compared as they are: the logarithm of what can't be told from 0 is
  anything.
- The level of some runs is their Hodges-Lehmann estimate, the median of all
  pairwise means, as efficient as the mean (95 %), unmoved by outliers [1]_.
- The noise of the runs before is Qn, an order statistic of all pairwise
  distances, as efficient as the standard deviation (82 %), and true with up
  to half of the runs astray [2]_.
- The newest runs are their median, which two of three must agree on.
- Against one run that is named the noise is that of neighbouring runs: what
  has drifted since that run is what is asked for.
- The difference of the two over its standard error follows Student's t with
  fewer degrees of freedom than runs, as the noise is an estimate.
- The noise is never taken for less than the resolution of the metric adds.

.. [1] J. L. Hodges and E. L. Lehmann, Estimates of location based on rank
   tests, Annals of Mathematical Statistics 34 (1963), 598-611
.. [2] P. J. Rousseeuw and C. Croux, Alternatives to the median absolute
   deviation, JASA 88 (1993), 1273-1283; the factors for few values are those
   of C. Croux and P. J. Rousseeuw, Time-efficient algorithms for two highly
   robust estimators of scale, COMPSTAT 1 (1992), 411-428
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_scale.measurement import estimators
from rally_magnum_scale.measurement import trend
from rally_magnum_scale.measurement import verdicts

MEDIAN = "median"

# Older runs tell little of the noise of today, and pairs are looked at.
MOST_RUNS = 50
# A change that is older than so many runs is dated so many runs back.
MOST_SINCE = 10
# Nothing here repeats more closely: a series that seems to, such as times
# in whole poll intervals, must not make a change out of the last digit.
LEAST_NOISE_RATIO = 0.005
# Fewer failed requests than one in a thousand are no matter.
LEAST_NOISE = {"ratio": 0.001}
# The standard deviation of what lies anywhere in a range of width 1.
_UNIFORM_NOISE = 1 / math.sqrt(12)

# No tail of a distribution is known further than that.
_LEAST_P_VALUE = 1e-4
# From here on a share says less than a factor.
_MANIFOLD = 10


@dataclasses.dataclass(frozen=True)
class Rules:
    """What counts as worse.

    :param last: how many of the newest runs must be worse, at least
    :param min_runs: how many runs there must be before them, at least
    :param min_change_ratio: by which share of the baseline the level must be
        worse, at least
    :param confidence: 1 - alpha, between 0 and 1: the largest p-value that
        counts as worse is alpha, over all metrics together
    :param baseline: ``median`` for the level of the runs before, or the
        name of one run
    """

    last: int = 1
    min_runs: int = 5
    min_change_ratio: float = 0.02
    confidence: float = 0.99
    baseline: str = MEDIAN


@dataclasses.dataclass(frozen=True)
class MetricComparison:
    """How the newest runs of one metric compare with their baseline.

    :param since: the first of the runs that noise explains least
    :param runs: how many runs there have been since, this one included
    :param baseline: level of the baseline, in the unit of the metric
    :param value: level since, in the same unit
    :param change_ratio: by which share of the baseline it is worse; below 0
        for better, infinite when the baseline is 0
    :param p_value: in what share of comparisons noise alone would make a
        difference this large, over all splits and all metrics
    :param worse: whether it counts as worse
    """

    metric: str
    unit: str
    since: trend.Point
    runs: int
    baseline: float
    value: float
    change_ratio: float
    p_value: float
    worse: bool = False

    def describe(self) -> str:
        """Say which metric, how much, since which run, and the p-value."""
        old = verdicts.format_value(self.baseline, self.unit)
        new = verdicts.format_value(self.value, self.unit)
        much = say_change(self.change_ratio)
        runs = "1 run" if self.runs == 1 else f"{self.runs} runs"
        return (
            f"{self.metric}: {much}, {new} after {old}, since run "
            f"{self.since.run} ({runs}), {say_p_value(self.p_value)}"
        )


@dataclasses.dataclass(frozen=True)
class TooFew:
    """A metric of which there are too few runs to tell.

    :param runs: how many there are before the newest
    :param needed: how many it takes
    """

    metric: str
    runs: int
    needed: int


@dataclasses.dataclass(frozen=True)
class NoBaseline:
    """A metric that the run chosen as the baseline did not measure."""

    metric: str


@dataclasses.dataclass(frozen=True)
class RegressionResult:
    """What comparing all metrics came to.

    :param compared: the smallest p-value first
    """

    compared: tuple[MetricComparison, ...] = ()
    too_few: tuple[TooFew, ...] = ()
    no_baseline: tuple[NoBaseline, ...] = ()

    @property
    def worse(self) -> tuple[MetricComparison, ...]:
        """Return what counts as worse, the smallest p-value first."""
        return tuple(one for one in self.compared if one.worse)


def compare(trends: Iterable[trend.Trend], rules: Rules) -> RegressionResult:
    """Compare the newest runs of each metric with its baseline.

    :param trends: each metric once, first run first
    """
    found = [_compare_one(one, rules) for one in trends]
    return RegressionResult(
        _judge(
            [one for one in found if isinstance(one, MetricComparison)], rules
        ),
        tuple(one for one in found if isinstance(one, TooFew)),
        tuple(one for one in found if isinstance(one, NoBaseline)),
    )


def say_change(ratio: float) -> str:
    """Say by how much it is worse; beyond a factor of ten as a factor."""
    if math.isinf(ratio):
        return "from 0"
    if ratio >= _MANIFOLD - 1:
        return f"{ratio + 1:,.0f} times as much"
    side = "worse" if ratio >= 0 else "better"
    return f"{abs(ratio) * 100:.3g}% {side}"


def say_p_value(p_value: float) -> str:
    """Say a p-value, and what it is: a share of comparisons, no certainty."""
    noise = "noise alone would make a difference this large in"
    if p_value < _LEAST_P_VALUE:
        few = f"fewer than {_LEAST_P_VALUE * 10_000:g} of 10,000"
        return f"p < {_LEAST_P_VALUE:.4f}: {noise} {few} comparisons"
    # Two digits, as p-values of so few runs have no more.
    shown = float(f"{p_value:.2g}")
    total = next(
        10**digits
        for digits in (1, 2, 3, 4, 5)
        if math.isclose(shown * 10**digits, round(shown * 10**digits))
    )
    often = f"{round(shown * total):,} of {total:,} comparisons"
    return f"p = {shown:g}: {noise} {often}"


def _judge(
    compared: Sequence[MetricComparison], rules: Rules
) -> tuple[MetricComparison, ...]:
    """Correct p-values for their number, and tell which count as worse.

    Holm's step-down procedure: S. Holm, A simple sequentially rejective
    multiple test procedure, Scandinavian Journal of Statistics 6 (1979),
    65-70.
    """
    judged: list[MetricComparison] = []
    p_value = 0.0
    for place, one in enumerate(sorted(compared, key=lambda c: c.p_value)):
        p_value = max(p_value, min(1, one.p_value * (len(compared) - place)))
        worse = (
            p_value <= 1 - rules.confidence
            and one.change_ratio >= rules.min_change_ratio
        )
        judged.append(dataclasses.replace(one, p_value=p_value, worse=worse))
    return tuple(judged)


def _compare_one(
    one: trend.Trend, rules: Rules
) -> MetricComparison | TooFew | NoBaseline:
    points = one.points[-MOST_RUNS:]
    named, needed = None, rules.min_runs
    if rules.baseline != MEDIAN:
        named = next((p for p in one.points if p.run == rules.baseline), None)
        if named is None:
            return NoBaseline(one.metric)
        if named in points:
            needed = max(needed, points.index(named) + 1)
    before = len(points) - rules.last
    if before < needed:
        return TooFew(one.metric, max(before, 0), needed)
    oldest = max(needed, len(points) - MOST_SINCE)
    splits = range(min(oldest, before), before + 1)
    series = _Series.of(one, points, named)
    split = min(splits, key=series.p_value)
    return dataclasses.replace(
        series.compare(series.begin(split, before)),
        p_value=min(1.0, series.p_value(split) * len(splits)),
    )


@dataclasses.dataclass(frozen=True)
class _Series:
    """The runs of a metric, to be split into earlier and newest.

    :param values: of the points, on the scale that they are compared on
    :param reference: value of the run that is the baseline, on that scale,
        or None
    """

    of_trend: trend.Trend
    scale: _Scale
    points: Sequence[trend.Point]
    values: Sequence[float]
    reference: float | None

    @classmethod
    def of(
        cls,
        one: trend.Trend,
        points: Sequence[trend.Point],
        named: trend.Point | None,
    ) -> _Series:
        scale = _Scale.of(one)
        return cls(
            one,
            scale,
            points,
            [scale.inward(point.value) for point in points],
            scale.inward(named.value) if named else None,
        )

    def p_value(self, at: int) -> float:
        """Tell how likely noise makes the runs from one on so much worse."""
        difference = self._newest(at) - self._baseline(at)
        error = self._error(at)
        worse = difference if self.scale.worse_is_more else -difference
        if not error:
            # Noise of nothing makes no difference at all.
            return 0.0 if worse > 0 else 1.0
        named = self.reference is not None
        # Of differences between neighbours a third tells nothing new.
        counting = at * 2 // 3 if named else at
        return estimators.upper_tail(
            worse / error, estimators.degrees_of_freedom(counting)
        )

    def begin(self, at: int, last: int) -> int:
        """Leave out runs of a split that are more like those before it."""
        newest, before = self._newest(at), self._baseline(at)
        return next(
            (
                number
                for number in range(at, last)
                if abs(self.values[number] - newest)
                <= abs(self.values[number] - before)
            ),
            last,
        )

    def compare(self, at: int) -> MetricComparison:
        """Tell how the runs from one on compare with the baseline."""
        baseline = self.scale.outward(self._baseline(at))
        value = self.scale.outward(self._newest(at))
        return MetricComparison(
            metric=self.of_trend.metric,
            unit=self.of_trend.unit,
            since=self.points[at],
            runs=len(self.points) - at,
            baseline=baseline,
            value=value,
            change_ratio=change_ratio(self.of_trend, value, baseline),
            p_value=self.p_value(at),
        )

    def _newest(self, at: int) -> float:
        return estimators.cautious_median(
            self.values[at:], self.scale.worse_is_more
        )

    def _baseline(self, at: int) -> float:
        if self.reference is None:
            return estimators.level(self.values[:at])
        return self.reference

    def _error(self, at: int) -> float:
        """Return the standard error of the difference of the two."""
        before = self.values[:at]
        level, variance = self._baseline(at), estimators.level_variance(at)
        if self.reference is not None:
            # The runs since may have drifted from it, which is no noise.
            neighbours = itertools.pairwise(before)
            before = [(b - a) / math.sqrt(2) for a, b in neighbours]
            variance = 1.0
        noise = max(estimators.noise(before), self.scale.least_noise(level))
        newest = estimators.median_variance(len(self.values) - at)
        return noise * math.sqrt(variance + newest)


def change_ratio(one: trend.Trend, value: float, baseline: float) -> float:
    """Tell by which share of a baseline a value is worse than it.

    :returns: as :meth:`~trend.Trend.worse_ratio`, but 0 for what is within
        the least noise of a baseline of 0
    """
    if not baseline and value <= least_noise(one):
        return 0.0
    return one.worse_ratio(value, baseline)


def least_noise(one: trend.Trend) -> float:
    """Return the least noise of a metric that is believed, in its unit."""
    return max(LEAST_NOISE.get(one.unit, 0.0), one.resolution * _UNIFORM_NOISE)


@dataclasses.dataclass(frozen=True)
class _Scale:
    """On which scale the values of a metric are compared.

    :param logarithmic: of their logarithms, or as they are
    :param worse_is_more: which direction is the worse one
    :param least: the least noise that is believed, in the unit
    """

    logarithmic: bool
    worse_is_more: bool
    least: float

    @classmethod
    def of(cls, one: trend.Trend) -> _Scale:
        above = all(point.value > one.resolution for point in one.points)
        logarithmic = above and one.unit != "ratio"
        return cls(logarithmic, not one.at_least, least_noise(one))

    def inward(self, value: float) -> float:
        return math.log(value) if self.logarithmic else value

    def outward(self, value: float) -> float:
        return math.exp(value) if self.logarithmic else value

    def least_noise(self, level: float) -> float:
        """Return the least noise that is believed, around a level."""
        if self.logarithmic:
            return max(LEAST_NOISE_RATIO, self.least / math.exp(level))
        return max(LEAST_NOISE_RATIO * abs(level), self.least)
