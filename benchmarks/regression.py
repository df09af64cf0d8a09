"""How seldom noise is taken for a regression, and how often one is found.

On synthetic series, whose change is known, beside Apache Otava.  Otava looks
for changes anywhere in a series: here a change for the worse in the newest
runs counts, which are those that ours judges.  Ours suspects on one run,
and alarms when two are worse, which is what the job and the criterion do.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from collections.abc import Iterator

from benchmarks import synthetic_series
from benchmarks.result import Result
from rally_magnum_scale.history import change_points
from rally_magnum_scale.history import comparison
from rally_magnum_scale.measurement import regression
from rally_magnum_scale.measurement import trend

BENCH = "regression"
RUNS = (10, 20, 40)
NOISE_RATIOS = (0.01, 0.03, 0.05)
TRIALS = 200


def compare() -> Iterator[Result]:
    """Count alarms of both, for each kind of series, noise and length."""
    for kind in synthetic_series.KINDS:
        for noise_ratio in NOISE_RATIOS:
            for runs in RUNS:
                yield _compare(kind, noise_ratio, runs)


def _compare(
    kind: synthetic_series.Kind, noise_ratio: float, runs: int
) -> Result:
    rng = random.Random(f"{kind.name} {noise_ratio} {runs}")  # noqa: S311
    series = [
        synthetic_series.make(kind, runs, noise_ratio, rng)
        for _ in range(TRIALS)
    ]
    ours, suspects, otava = (
        _share(series, alarm) for alarm in (alarms, is_suspect, otava_alarms)
    )
    # One more of each, so that none in so many is no infinite advantage.
    ratio = (ours * TRIALS + 1) / (otava * TRIALS + 1)
    return Result(
        BENCH,
        "no_regression",
        "apache-otava",
        1 / ratio if kind.quiet else ratio,
        {
            "kind": kind.name,
            "quiet": kind.quiet,
            "noise_ratio": noise_ratio,
            "runs": runs,
            "trials": TRIALS,
            "alarms_ratio": ours,
            "suspects_ratio": suspects,
            "otava_alarms_ratio": otava,
        },
    )


def _share(
    series: list[trend.Trend], alarm: Callable[[trend.Trend], bool]
) -> float:
    return sum(alarm(one) for one in series) / len(series)


def alarms(one: trend.Trend) -> bool:
    """Tell whether ours takes the newest runs for worse."""
    return bool(regression.compare([one], comparison.Ask().rules).worse)


def is_suspect(one: trend.Trend) -> bool:
    """Tell whether ours takes the newest run alone for worse."""
    return bool(regression.compare([one], regression.Rules(last=1)).worse)


def otava_alarms(one: trend.Trend) -> bool:
    """Tell whether Otava finds a change for the worse in the newest runs."""
    newest = len(one.points) - regression.MOST_SINCE
    return any(
        found.index >= newest and found.change_ratio > 0
        for found in change_points.find(one)
    )
