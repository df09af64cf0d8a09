"""Whether the newest runs are worse, and quiet on noise."""

import dataclasses
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rally_magnum_scale.measurement import regression
from rally_magnum_scale.measurement import trend

RULES = regression.Rules()
VALUES = st.lists(st.floats(1, 1000), min_size=6, max_size=25)


def trend_of(
    values: Sequence[float],
    metric: str = "request_latency.p99_ms step 1",
    unit: str = "ms",
    at_least: bool = False,
) -> trend.Trend:
    points = [
        trend.Point(f"t{number}/1", float(number), value)
        for number, value in enumerate(values, 1)
    ]
    return trend.Trend(metric, unit, at_least, tuple(points))


def noisy(
    seed: int, runs: int, noise_ratio: float = 0.02, level: float = 100
) -> list[float]:
    rng = random.Random(seed)
    return [level * (1 + rng.gauss(0, noise_ratio)) for _ in range(runs)]


def one(
    values: Sequence[float], rules: regression.Rules = RULES, **about: object
) -> regression.Comparison:
    outcome = regression.compare([trend_of(values, **about)], rules)  # type: ignore[arg-type]
    (found,) = outcome.compared
    return found


STEP = noisy(1, 20) + [value * 1.15 for value in noisy(2, 4)]


def test_a_step_is_found_with_its_run_its_size_and_how_sure_it_is() -> None:
    found = one(STEP)
    assert found.worse
    assert (found.since.run, found.runs) == ("t21/1", 4)
    assert found.change_ratio == pytest.approx(0.15, abs=0.03)
    assert found.confidence > 0.99
    said = found.describe()
    assert said.startswith("request_latency.p99_ms step 1: 1")
    assert "% worse, 11" in said
    assert "since run t21/1 (4 runs), more than 99.99% sure" in said


def test_a_rate_is_worse_when_it_falls() -> None:
    fallen = [1e6 / value for value in STEP]
    assert one(fallen, unit="rps", at_least=True).worse
    assert not one(fallen, unit="ms").worse
    assert not one(STEP, unit="rps", at_least=True).worse


def test_better_is_not_worse_and_says_so() -> None:
    found = one([1e4 / value for value in STEP])
    assert not found.worse
    assert found.change_ratio < 0
    assert "% better" in found.describe()


def test_a_surely_small_change_is_not_worth_a_word() -> None:
    values = [100.0, 100.1] * 15 + [103.0, 103.1] * 5
    assert one(values).worse
    rules = dataclasses.replace(RULES, min_change_ratio=0.05)
    assert not one(values, rules).worse


def test_one_run_astray_among_those_before_does_not_hide_a_step() -> None:
    values = list(STEP)
    values[7] = 1000
    assert one(values).since.run == "t21/1"
    assert one(values).worse


def test_one_run_astray_makes_nothing_of_the_runs_after_it_worse() -> None:
    astray = [*noisy(3, 20), 1000.0]
    assert one(astray).worse
    assert not one([*astray, 100.0]).worse
    assert not one([*astray, 100.0, 101.0]).worse


def test_last_asks_so_many_runs_to_agree() -> None:
    two = dataclasses.replace(RULES, last=2)
    assert not one([*noisy(3, 20), 1000.0], two).worse
    assert one([*noisy(3, 20), 120.0, 125.0], two).worse


def test_a_drift_is_found_though_no_run_is_worse_than_the_one_before() -> None:
    values = noisy(4, 30, noise_ratio=0.01)
    drifting = [value * 1.01**night for night, value in enumerate(values)]
    assert not one(values).worse
    found = one(drifting)
    assert found.worse
    assert found.runs > 1


def test_a_drift_is_worse_than_a_run_before_it_that_is_named() -> None:
    values = noisy(5, 30, noise_ratio=0.01)
    drifting = [value * 1.005**night for night, value in enumerate(values)]
    named = dataclasses.replace(RULES, baseline="t1/1")
    assert one(drifting, named).baseline == pytest.approx(values[0])
    assert one(drifting, named).worse
    assert not one(values, named).worse


def test_a_baseline_that_is_not_there_is_no_comparison() -> None:
    rules = dataclasses.replace(RULES, baseline="other/1")
    outcome = regression.compare([trend_of(STEP)], rules)
    assert not outcome.compared
    assert "the run other/1 did not measure it" in outcome.too_few[0].reason


@pytest.mark.parametrize("runs", [0, 1, 5])
def test_too_few_runs_are_said_and_never_judged(runs: int) -> None:
    outcome = regression.compare([trend_of([1.0] * runs)], RULES)
    assert not outcome.compared
    (few,) = outcome.too_few
    assert few.reason == (
        f"{max(runs - 1, 0)} runs to compare with, and 5 are needed"
    )


def test_a_newest_run_that_is_the_baseline_has_nothing_to_compare() -> None:
    rules = dataclasses.replace(RULES, baseline="t24/1")
    assert regression.compare([trend_of(STEP)], rules).too_few


@pytest.mark.parametrize(
    ("unit", "value", "worse"),
    [
        ("ratio", 0.0001, False),
        ("ratio", 0.05, True),
        ("s", 0.05, False),
        ("s", 30.0, True),
    ],
)
def test_from_nothing_but_zeros_only_what_counts_is_worse(
    unit: str, value: float, worse: bool
) -> None:
    found = one([0.0] * 12 + [value], unit=unit)
    assert found.worse is worse
    if worse:
        assert math.isinf(found.change_ratio)
        assert "from 0" in found.describe()


def test_whole_poll_intervals_are_no_noise_of_nothing() -> None:
    polls = [10.0] * 12 + [11.0] * 3 + [10.0] * 5 + [11.0]
    assert not one(polls, unit="s").worse
    assert one([*polls, 15.0, 15.0], unit="s").worse


def test_more_metrics_ask_for_more_certainty() -> None:
    values = [*noisy(6, 20), 112.0]
    alone = one(values)
    quiet = [
        trend_of(noisy(seed, 21), metric=f"m{seed}") for seed in range(30)
    ]
    among = regression.compare([trend_of(values), *quiet], RULES)
    assert alone.worse
    assert not among.worse
    assert among.compared[0].metric == alone.metric
    assert among.compared[0].p_value == pytest.approx(alone.p_value * 31)


@pytest.mark.parametrize("noise_ratio", [0.01, 0.05])
def test_noise_alone_is_seldom_worse(noise_ratio: float) -> None:
    rules = dataclasses.replace(RULES, confidence=0.95)
    alarms = sum(
        one(noisy(seed, 15, noise_ratio), rules).worse for seed in range(200)
    )
    # 5% would be 10 of them; at 20 the chance of so many is 1 in 300.
    assert alarms < 20


@given(value=st.floats(0, 1e6), runs=st.integers(6, 60))
def test_what_never_changes_is_never_worse(value: float, runs: int) -> None:
    found = one([value] * runs)
    assert not found.worse
    assert found.change_ratio == pytest.approx(0)


@given(values=VALUES, factor=st.floats(1.5, 100))
def test_the_unit_of_a_metric_changes_nothing(
    values: list[float], factor: float
) -> None:
    here = one(values, unit="rps")
    there = one([value * factor for value in values], unit="rps")
    assert here.since == dataclasses.replace(
        there.since, value=here.since.value
    )
    assert there.p_value == pytest.approx(here.p_value, rel=1e-3, abs=1e-9)
    assert there.change_ratio == pytest.approx(here.change_ratio, abs=1e-6)


@given(values=VALUES, rng=st.randoms(use_true_random=False))
def test_the_order_of_the_runs_before_changes_nothing(
    values: list[float], rng: random.Random
) -> None:
    rules = dataclasses.replace(RULES, min_runs=len(values) - 1)
    before = values[:-1]
    rng.shuffle(before)
    mixed = one([*before, values[-1]], rules)
    assert mixed.p_value == pytest.approx(one(values, rules).p_value)


@given(values=VALUES, more=st.floats(1.01, 10))
def test_worse_still_is_never_less_sure(
    values: list[float], more: float
) -> None:
    rules = dataclasses.replace(RULES, min_runs=len(values) - 1)
    worse = [*values[:-1], values[-1] * more]
    assert one(worse, rules).p_value <= one(values, rules).p_value + 1e-12
