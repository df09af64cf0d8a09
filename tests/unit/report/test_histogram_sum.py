"""A sum of histograms equals the histogram that merges them."""

import random

import pytest

from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.report.histogram_sum import HistogramSum

PERCENTILES = (1e-9, 1, 50, 90, 99, 99.9, 100)


def some(seed, count=500):
    rng = random.Random(seed)
    times_us = (int(rng.lognormvariate(8, 2)) for _ in range(count))
    return Histogram.from_values_us(
        {time_us: rng.randrange(1, 9) for time_us in times_us}
    )


@pytest.mark.parametrize("above", [0, 1, 700])
@pytest.mark.parametrize(
    "added",
    [
        [],
        [Histogram()],
        [Histogram({0: 1})],
        [Histogram({2046: 1}), Histogram({0: 2, 1: 3})],
        [some(seed) for seed in range(20)],
    ],
)
def test_a_sum_equals_the_merged_histogram(added, above):
    merged, total = Histogram().merge(*added), HistogramSum(added)
    assert total.histogram() == merged
    assert total.total == merged.total
    assert total.max_us == merged.max_us
    assert total.percentiles_us(PERCENTILES, above) == merged.percentiles_us(
        PERCENTILES, above
    )


@pytest.mark.parametrize("text", [f"-{2**41} 1", f"{2**41}", f"-{2**63} 1"])
def test_numbers_that_could_overflow_are_refused(text):
    with pytest.raises(ValueError, match="Invalid histogram"):
        HistogramSum([Histogram.from_json(text)])
