"""Runs of the whole engine whose results are known before they are made.

What the target itself logged is the judge wherever it can be: this machine
may be busy with other things.
"""

import pytest

from benchmarks import truth
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step


def test_a_stall_of_1500_ms_in_5_s_is_in_p99_and_max_as_arithmetic_says():
    by_formula, by_log = truth.stall(400, 5, 1.5, connections=4)
    assert by_formula.requests == by_formula.counted == 2000
    # 1.45 s and 1.5 s, or more where the stall took longer.  Counted from
    # the actual send, only the requests that were on the 4 connections
    # would be late: 0.2 % of all, far from p99.
    for name, least_us in (("p99", 1_445_000), ("max", 1_495_000)):
        assert by_formula.expected[name] > least_us
        assert by_formula.measured[name] > 0.99 * by_formula.expected[name]
        assert by_formula.error_ratio(name) < 0.1
        assert by_log.error_ratio(name) < 0.02
    assert by_formula.expected["p50"] == 0
    assert by_formula.measured["p50"] < 0.1 * by_formula.measured["p99"]


def test_percentiles_of_known_delays_are_within_1_percent():
    # Each percentile is the first of its group: were it hit by a pause of
    # this machine, all of the group would have to be.
    delays_us = truth.steps_us({1_000_000: 1187, 1_500_000: 11, 2_000_000: 2})
    found = truth.delays(600, 2, delays_us, connections=700)
    assert found.requests == found.counted == 1200
    nominal_us = {"p50": 1_000_000, "p99": 1_500_000, "p99_9": 2_000_000}
    for name, least_us in nominal_us.items():
        assert found.expected[name] == pytest.approx(least_us, rel=0.02)
        assert found.error_ratio(name) < 0.01
        # Nothing is answered before the target answers.
        assert found.measured[name] >= least_us


def test_counts_equal_the_targets_own_in_the_run_and_in_each_second():
    plan = Plan((Step(60, 2, 4), Step(20, 2)))
    found, by_target, by_window = truth.counts(plan)
    assert found.reasons == []
    assert found.requests == found.counted == sum(by_window.values())
    # The rates differ from one second to the next, so a request that is
    # counted in the wrong second shows.
    seconds = sorted(by_target | by_window)
    assert len(seconds) >= 8
    off = [abs(by_target[one] - by_window[one]) for one in seconds]
    # A boundary that this machine slept through is one of two seconds.
    assert sum(one > 1 for one in off) <= 2
    assert by_target[seconds[4]] - by_target[seconds[0]] > 20
