"""Tell whether the newest runs are worse than earlier runs, beyond noise.

The newest runs are compared with the earlier ones in the worse direction
(one-sided), against the noise of the earlier ones.  The run at which a
regression began is unknown.  So every split into earlier and newest runs is
tried.  The p-value is corrected for the number of splits (Bonferroni) and for
the number of metrics (Holm).

- If all values exceed their resolution, their logarithms are compared: noise
  of times and rates grows with the value, and a change is a ratio.  Otherwise
  the values themselves are compared, because the logarithm of a value that
  can't be told from 0 is arbitrary.
- The level and the noise of the earlier runs are the robust estimates of
  :mod:`~rally_magnum_scale.measurement.estimators`.
- The value of the newest runs is their median, so two of three runs must
  agree on it.
- If the baseline is one named run, the noise is that of neighbouring runs: a
  drift since the baseline is the change to find, and not noise.
- The difference divided by its standard error follows Student's t.  It has
  fewer degrees of freedom than runs, because the noise is an estimate.
- The noise is at least the part that the resolution of the metric adds.
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

# Older runs say little about the noise of today, and the estimators look at
# all pairs of runs.
MOST_RUNS = 50
# An older change is dated this many runs back.
MOST_SINCE = 10
# No metric repeats more closely.  A series of equal values, such as times in
# whole poll intervals, must not turn its last digit into a change.
LEAST_NOISE_RATIO = 0.005
# Ignore fewer than one failed request in a thousand.
LEAST_NOISE = {"ratio": 0.001}
# Standard deviation of a uniform distribution of width 1.
_UNIFORM_NOISE = 1 / math.sqrt(12)

# The tails of the distribution are not known beyond this.
_LEAST_P_VALUE = 1e-4
# From this factor on, a factor is easier to read than a percentage.
_MANIFOLD = 10


@dataclasses.dataclass(frozen=True)
class Rules:
    """When a metric counts as worse.

    :param last: the least number of newest runs that must be worse
    :param min_runs: the least number of runs before them
    :param min_change_ratio: the least share of the baseline by which the
        level must be worse
    :param confidence: the confidence level 1 - alpha, between 0 and 1: alpha
        is the largest p-value that counts as worse, over all metrics together
    :param baseline: ``median`` for the level of the earlier runs, or the
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

    :param metric: name of the metric
    :param unit: of the metric, such as ``ms``
    :param since: the first of the newest runs, by the least p-value
    :param runs: how many newest runs there are, ``since`` included
    :param baseline: level of the baseline, in ``unit``
    :param value: level of the newest runs, in ``unit``
    :param change_ratio: the share of the baseline by which ``value`` is
        worse; below 0 if it is better, infinite if the baseline is 0
    :param p_value: the share of comparisons in which noise alone would make a
        difference this large, over all splits and all metrics
    :param worse: whether the metric counts as worse
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
        """Describe the metric, its change, the first run and the p-value."""
        old = verdicts.format_value(self.baseline, self.unit)
        new = verdicts.format_value(self.value, self.unit)
        change = describe_change(self.change_ratio)
        runs = "1 run" if self.runs == 1 else f"{self.runs} runs"
        return (
            f"{self.metric}: {change}, {new} after {old}, since run "
            f"{self.since.run} ({runs}), {describe_p_value(self.p_value)}"
        )


@dataclasses.dataclass(frozen=True)
class TooFew:
    """A metric with too few runs to compare.

    :param metric: name of the metric
    :param runs: how many runs there are before the newest
    :param needed: how many runs are needed
    """

    metric: str
    runs: int
    needed: int


@dataclasses.dataclass(frozen=True)
class NoBaseline:
    """A metric that the baseline run did not measure."""

    metric: str


@dataclasses.dataclass(frozen=True)
class RegressionResult:
    """The comparison of all metrics.

    :param compared: the smallest p-value first
    :param too_few: metrics with too few runs
    :param no_baseline: metrics that the baseline run did not measure
    """

    compared: tuple[MetricComparison, ...] = ()
    too_few: tuple[TooFew, ...] = ()
    no_baseline: tuple[NoBaseline, ...] = ()

    @property
    def worse(self) -> tuple[MetricComparison, ...]:
        """The metrics that count as worse, the smallest p-value first."""
        return tuple(one for one in self.compared if one.worse)


def compare(trends: Iterable[trend.Trend], rules: Rules) -> RegressionResult:
    """Compare the newest runs of each metric with its baseline.

    :param trends: each metric once, first run first
    :param rules: when a metric counts as worse
    """
    found = [_compare_one(one, rules) for one in trends]
    compared = [one for one in found if isinstance(one, MetricComparison)]
    return RegressionResult(
        _judge(compared, rules),
        tuple(one for one in found if isinstance(one, TooFew)),
        tuple(one for one in found if isinstance(one, NoBaseline)),
    )


def describe_change(ratio: float) -> str:
    """Describe a change as a percentage, or as a factor from ten on."""
    if math.isinf(ratio):
        return "from 0"
    if ratio >= _MANIFOLD - 1:
        return f"{ratio + 1:,.0f} times as much"
    side = "worse" if ratio >= 0 else "better"
    return f"{abs(ratio) * 100:.3g}% {side}"


def describe_p_value(p_value: float) -> str:
    """Describe a p-value as a share of comparisons, which it is."""
    noise = "noise alone would make a difference this large in"
    if p_value < _LEAST_P_VALUE:
        few = f"fewer than {_LEAST_P_VALUE * 10_000:g} of 10,000"
        return f"p < {_LEAST_P_VALUE:.4f}: {noise} {few} comparisons"
    # The p-values of so few runs have no more than two digits.
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
    """Correct p-values for their number, and decide which count as worse.

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
    series = _Series(one, points, named)
    split = min(splits, key=series.p_value)
    return dataclasses.replace(
        series.compare(series.begin(split, before)),
        p_value=min(1.0, series.p_value(split) * len(splits)),
    )


class _Series:
    """The runs of a metric, to be split into earlier and newest runs.

    Its values are on the scale of the comparison, which may be logarithmic.

    :param points: the newest points of the trend
    :param named: the baseline run; None if the baseline is the level of the
        earlier runs
    """

    def __init__(
        self,
        one: trend.Trend,
        points: Sequence[trend.Point],
        named: trend.Point | None,
    ) -> None:
        resolution = one.resolution
        above = all(point.value > resolution for point in one.points)
        self._logarithmic = above and one.unit != "ratio"
        self._least = least_noise(one)
        self._trend = one
        self._points = points
        self._values = [self._inward(point.value) for point in points]
        self._reference = self._inward(named.value) if named else None

    def p_value(self, at: int) -> float:
        """Return the p-value of a split before the run at an index."""
        difference = self._newest(at) - self._baseline(at)
        error = self._error(at)
        worse = -difference if self._trend.at_least else difference
        if not error:
            # Without noise, every difference is significant.
            return 0.0 if worse > 0 else 1.0
        named = self._reference is not None
        # A third of the differences between neighbours is redundant.
        counting = at * 2 // 3 if named else at
        return estimators.upper_tail(
            worse / error, estimators.degrees_of_freedom(counting)
        )

    def begin(self, at: int, last: int) -> int:
        """Skip the first newest runs that are closer to the baseline."""
        newest, before = self._newest(at), self._baseline(at)
        return next(
            (
                number
                for number in range(at, last)
                if abs(self._values[number] - newest)
                <= abs(self._values[number] - before)
            ),
            last,
        )

    def compare(self, at: int) -> MetricComparison:
        """Compare the runs from an index on with the baseline."""
        baseline = self._outward(self._baseline(at))
        value = self._outward(self._newest(at))
        return MetricComparison(
            metric=self._trend.metric,
            unit=self._trend.unit,
            since=self._points[at],
            runs=len(self._points) - at,
            baseline=baseline,
            value=value,
            change_ratio=change_ratio(self._trend, value, baseline),
            p_value=self.p_value(at),
        )

    def _newest(self, at: int) -> float:
        return estimators.cautious_median(
            self._values[at:], not self._trend.at_least
        )

    def _baseline(self, at: int) -> float:
        if self._reference is None:
            return estimators.level(self._values[:at])
        return self._reference

    def _error(self, at: int) -> float:
        """Return the standard error of newest minus baseline."""
        before = self._values[:at]
        level, variance = self._baseline(at), estimators.level_variance(at)
        if self._reference is not None:
            # A drift away from the baseline run is not noise.
            neighbours = itertools.pairwise(before)
            before = [(b - a) / math.sqrt(2) for a, b in neighbours]
            variance = 1.0
        noise = max(estimators.noise(before), self._least_noise(level))
        newest = estimators.median_variance(len(self._values) - at)
        return noise * math.sqrt(variance + newest)

    def _inward(self, value: float) -> float:
        return math.log(value) if self._logarithmic else value

    def _outward(self, value: float) -> float:
        return math.exp(value) if self._logarithmic else value

    def _least_noise(self, level: float) -> float:
        """Return the least noise around a level, on this scale."""
        if self._logarithmic:
            return max(LEAST_NOISE_RATIO, self._least / math.exp(level))
        return max(LEAST_NOISE_RATIO * abs(level), self._least)


def change_ratio(one: trend.Trend, value: float, baseline: float) -> float:
    """Return the share of a baseline by which a value is worse.

    :returns: as :meth:`~trend.Trend.worse_ratio`, but 0 for a value within
        the least noise of a baseline of 0
    """
    if not baseline and value <= least_noise(one):
        return 0.0
    return one.worse_ratio(value, baseline)


def least_noise(one: trend.Trend) -> float:
    """Return the noise that a metric has at least, in its unit."""
    return max(LEAST_NOISE.get(one.unit, 0.0), one.resolution * _UNIFORM_NOISE)
