import pytest

from benchmarks import truth


@pytest.mark.parametrize(
    ("percentile", "late_us"),
    [(50, 0), (95, 0), (99, 400_000), (99.9, 490_000), (100, 500_000)],
)
def test_what_a_stall_of_500_ms_in_10_s_does(percentile, late_us):
    assert truth.stalled_us(percentile, 10, 0.5) == pytest.approx(late_us)


def test_the_formula_holds_for_requests_that_are_written_down():
    rate_rps, duration_s, stop_s, stall_s = 1000, 10, 4, 0.5
    dues_s = [(n + 0.5) / rate_rps for n in range(rate_rps * duration_s)]
    answered_s = [
        stop_s + stall_s if stop_s <= due < stop_s + stall_s else due
        for due in dues_s
    ]
    late_us = truth.answered_late_us(
        [7_000_000_000 + round(at * 1e9) for at in answered_s],
        rate_rps,
        7_000_000_000,
    )
    found = truth.percentiles_us(late_us)
    for name, percentile in truth.PERCENTILES.items():
        expected_us = truth.stalled_us(percentile, duration_s, stall_s)
        # No finer than the requests are apart.
        assert found[name] == pytest.approx(expected_us, abs=1001)


def test_percentiles_are_by_nearest_rank():
    found = truth.percentiles_us(range(1, 1001))
    assert found == {"p50": 500, "p99": 990, "p99_9": 999, "max": 1000}


def test_exponential_delays_have_its_percentiles():
    found = truth.exponential_us(10_000, 10_000)
    assert found != sorted(found)
    assert sum(found) / len(found) == pytest.approx(10_000, rel=0.01)
    read = truth.percentiles_us(found)
    # -mean * ln(1 - q)
    assert read["p50"] == pytest.approx(6931, rel=0.001)
    assert read["p99"] == pytest.approx(46_052, rel=0.01)
