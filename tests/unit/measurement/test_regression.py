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
    resolution: float = 0.0,
) -> trend.Trend:
    points = [
        trend.Point(f"t{number}/1", float(number), value, resolution)
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
) -> regression.MetricComparison:
    outcome = regression.compare([trend_of(values, **about)], rules)  # type: ignore[arg-type]
    (found,) = outcome.compared
    return found


STEP = noisy(1, 20) + [value * 1.15 for value in noisy(2, 4)]


def test_a_step_is_found_with_its_run_its_size_and_its_p_value() -> None:
    found = one(STEP)
    assert found.worse
    assert (found.since.run, found.runs) == ("t21/1", 4)
    assert found.change_ratio == pytest.approx(0.15, abs=0.03)
    assert found.p_value < 0.01
    said = found.describe()
    assert said.startswith("request_latency.p99_ms step 1: 1")
    assert "% worse, 11" in said
    assert said.endswith(
        "since run t21/1 (4 runs), p < 0.0001: noise alone would make a "
        "difference this large in fewer than 1 of 10,000 comparisons"
    )


@pytest.mark.parametrize(
    ("p_value", "said"),
    [
        (0.0, "p < 0.0001: {} fewer than 1 of 10,000 comparisons"),
        (0.00009, "p < 0.0001: {} fewer than 1 of 10,000 comparisons"),
        (0.0001, "p = 0.0001: {} 1 of 10,000 comparisons"),
        (0.000123, "p = 0.00012: {} 12 of 100,000 comparisons"),
        (0.0002, "p = 0.0002: {} 2 of 10,000 comparisons"),
        (0.00516, "p = 0.0052: {} 52 of 10,000 comparisons"),
        (0.0123, "p = 0.012: {} 12 of 1,000 comparisons"),
        (0.0996, "p = 0.1: {} 1 of 10 comparisons"),
        (0.42, "p = 0.42: {} 42 of 100 comparisons"),
        (1.0, "p = 1: {} 10 of 10 comparisons"),
    ],
)
def test_a_p_value_is_said_as_a_share_of_comparisons(
    p_value: float, said: str
) -> None:
    noise = "noise alone would make a difference this large in"
    assert regression.describe_p_value(p_value) == said.format(noise)


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (-0.25, "25% better"),
        (0.0, "0% worse"),
        (0.0123, "1.23% worse"),
        (8.99, "899% worse"),
        (9.0, "10 times as much"),
        (1234.0, "1,235 times as much"),
        (math.inf, "from 0"),
    ],
)
def test_a_change_is_said_as_a_share_and_from_ten_times_on_as_a_factor(
    ratio: float, said: str
) -> None:
    assert regression.describe_change(ratio) == said


@pytest.mark.parametrize(
    ("runs", "distance", "factor", "t"),
    # The factors are those of Croux and Rousseeuw (1992), each t is that of
    # Abramowitz and Stegun, table 26.10, for 1 %.
    [
        (2, 1, 0.399, 31.821),
        (3, 1, 0.994, 31.821),
        (4, 1, 0.512, 31.821),
        (5, 1, 0.844, 6.965),
        (6, 2, 0.611, 4.541),
        (7, 1, 0.857, 4.541),
        (8, 2, 0.669, 3.747),
        (9, 2, 0.872, 3.747),
        (10, 2, 0.7246, 3.365),
        (11, 2, 0.8871, 3.143),
        (12, 2, 0.7595, 3.143),
    ],
)
def test_p_values_are_those_of_t_in_noise_by_qn(
    runs: int, distance: int, factor: float, t: float
) -> None:
    """Compare a run with 0, 1, 2 and so on.

    :param distance: the pairwise distance that Qn chooses
    """
    noise = 2.2219 * factor * distance
    error = noise * math.sqrt(math.pi / 3 / runs + 1)
    values = [*range(runs), (runs - 1) / 2 + t * error]
    rules = dataclasses.replace(RULES, min_runs=runs)
    assert one(values, rules).p_value == pytest.approx(0.01, rel=2e-3)


@pytest.mark.parametrize(
    ("last", "variance"), [(1, 1.0), (2, 0.785), (3, 0.524)]
)
def test_more_new_runs_that_agree_make_a_smaller_difference_sure(
    last: int, variance: float
) -> None:
    error = 2.2219 * 0.844 * math.sqrt(math.pi / 3 / 5 + variance)
    values = [*range(5), *[2 + 6.965 * error] * last]
    rules = dataclasses.replace(RULES, last=last)
    assert one(values, rules).p_value == pytest.approx(0.01, rel=2e-3)


@pytest.mark.parametrize(
    ("runs", "distance", "factor", "t"),
    [(5, 1, 0.512, 31.821), (9, 2, 0.669, 4.541), (12, 2, 0.8871, 3.747)],
)
def test_noise_beside_a_named_run_is_that_of_neighbours(
    runs: int, distance: int, factor: float, t: float
) -> None:
    # Each run is one more above the run before it than that one was.
    drifting = [number * (number + 1) / 2 for number in range(runs)]
    noise = 2.2219 * factor * distance / math.sqrt(2)
    values = [*drifting, t * noise * math.sqrt(2)]
    rules = dataclasses.replace(RULES, min_runs=runs, baseline="t1/1")
    assert one(values, rules).p_value == pytest.approx(0.01, rel=2e-3)


@pytest.mark.parametrize(
    ("value", "unit", "resolution", "noise", "logarithmic"),
    [
        (10.0, "ms", 0.0, 0.005, True),
        (10.0, "s", 1.0, 0.1 / math.sqrt(12), True),
        (1.0, "s", 1.0, 1 / math.sqrt(12), False),
        (0.0, "s", 1.0, 1 / math.sqrt(12), False),
        (0.0, "ratio", 0.0, 0.001, False),
        (0.5, "ratio", 0.0, 0.0025, False),
    ],
)
def test_equal_runs_have_the_least_noise_that_is_believed(
    value: float,
    unit: str,
    resolution: float,
    noise: float,
    logarithmic: bool,
) -> None:
    change = 3.143 * noise * math.sqrt(math.pi / 3 / 12 + 1)
    newest = value * math.exp(change) if logarithmic else value + change
    rules = dataclasses.replace(RULES, min_runs=12)
    values = [value] * 12 + [newest]
    found = one(values, rules, unit=unit, resolution=resolution)
    assert found.p_value == pytest.approx(0.01, rel=2e-3)


def test_runs_without_any_noise_or_change_differ_by_chance() -> None:
    assert one([0.0] * 12, unit="s").p_value == 1.0


@pytest.mark.parametrize(
    ("value", "ratio"), [(0.0, 0.0), (0.001, 0.0), (0.00101, math.inf)]
)
def test_what_is_within_the_least_noise_of_0_is_no_change(
    value: float, ratio: float
) -> None:
    zeros = trend_of([0.0], unit="ratio")
    assert regression.change_ratio(zeros, value, 0.0) == ratio
    assert regression.change_ratio(zeros, value, 1.0) == value - 1


@pytest.mark.parametrize(
    ("min_runs", "tries"), [(5, 10), (11, 10), (12, 9), (20, 1)]
)
def test_the_p_value_pays_for_each_run_that_a_change_may_begin_with(
    min_runs: int, tries: int
) -> None:
    values = [*noisy(6, 20), 112.0]
    once = one(values, dataclasses.replace(RULES, min_runs=20))
    found = one(values, dataclasses.replace(RULES, min_runs=min_runs))
    assert found.since == once.since
    assert found.p_value == pytest.approx(once.p_value * tries)


def test_a_change_is_dated_ten_runs_back_at_most() -> None:
    found = one([*noisy(1, 40), *noisy(2, 15, level=130)])
    assert (found.since.run, found.runs) == ("t46/1", 10)


@pytest.mark.parametrize("at_least", [False, True])
def test_a_change_does_not_begin_with_a_run_like_those_before_it(
    at_least: bool,
) -> None:
    values = [*noisy(1, 20), 100.0, 120.0, 121.0, 122.0]
    if at_least:
        values = [1e4 / value for value in values]
    found = one(values, at_least=at_least)
    assert found.worse
    assert (found.since.run, found.runs) == ("t22/1", 3)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_run_halfway_between_is_one_of_the_newest(sign: int) -> None:
    for halfway, runs in ((10.0, 4), (9.9, 3)):
        values = [*[-1.0, 1.0] * 6, *(sign * halfway, *[sign * 20.0] * 3)]
        assert one(values, at_least=sign < 0).runs == runs


def test_fifty_runs_are_looked_at_and_no_older_one() -> None:
    values = [*noisy(7, 50), 112.0]
    oldest = one([1e6, *values[1:]])
    assert oldest == one(values)
    assert one([values[0], 1e6, *values[2:]]).p_value != oldest.p_value


def test_a_named_run_may_be_older_than_those_that_are_looked_at() -> None:
    rules = dataclasses.replace(RULES, baseline="t1/1")
    found = one([80.0, *noisy(7, 59)], rules)
    assert found.baseline == pytest.approx(80)
    assert found.worse


def test_the_run_before_the_newest_can_be_the_baseline() -> None:
    before = dataclasses.replace(RULES, baseline="t23/1")
    assert one(STEP, before).runs == 1
    newest = dataclasses.replace(RULES, baseline="t24/1")
    (few,) = regression.compare([trend_of(STEP)], newest).too_few
    assert (few.runs, few.needed) == (23, 24)


@pytest.mark.parametrize(
    ("newest", "min_change_ratio", "worse"),
    # Noise alone makes runs of one level differ upwards in half of the cases.
    [
        (100.0, 0.0, True),
        (99.0, 0.0, False),
        (125.0, 0.25, True),
        (125.0, 0.2500001, False),
    ],
)
def test_what_lies_on_both_limits_is_worse(
    newest: float, min_change_ratio: float, worse: bool
) -> None:
    rules = dataclasses.replace(
        RULES, confidence=0.5, min_change_ratio=min_change_ratio
    )
    values = [0.0, 50.0, 100.0, 150.0, 200.0, newest]
    assert one(values, rules).worse is worse


def test_the_next_metric_pays_for_one_less() -> None:
    """Holm's procedure, of three metrics."""
    series = [
        trend_of([*noisy(6, 20), newest], metric=f"m{newest}")
        for newest in (106.0, 112.0, 100.0)
    ]
    alone = {
        each.metric: one(
            [point.value for point in each.points], metric=each.metric
        ).p_value
        for each in series
    }
    found = regression.compare(series, RULES).compared
    assert [each.metric for each in found] == ["m112.0", "m106.0", "m100.0"]
    assert [each.p_value for each in found] == pytest.approx(
        [alone["m112.0"] * 3, alone["m106.0"] * 2, alone["m100.0"]]
    )
    # None is surer than one that comes before it.
    twice = regression.compare([series[1], *series[1:]], RULES).compared
    assert twice[0].p_value == twice[1].p_value < twice[2].p_value


def test_metrics_that_noise_surely_explains_keep_their_order() -> None:
    names = {"most likely": 99.0, "less likely": 103.0}
    quiet = [
        trend_of([*noisy(6, 20), newest], metric=name)
        for name, newest in names.items()
    ]
    found = regression.compare(quiet, RULES).compared
    assert [each.metric for each in found] == list(names)
    assert {each.p_value for each in found} == {1}


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


@pytest.mark.parametrize(
    ("newest", "runs"), [([130.0], "1 run"), ([130.0, 131.0], "2 runs")]
)
def test_a_change_says_how_many_runs_have_it(
    newest: list[float], runs: str
) -> None:
    said = one([*noisy(1, 20), *newest]).describe()
    assert f", since run t21/1 ({runs}), p " in said


@pytest.mark.parametrize(("value", "worse"), [(101.9, False), (102.1, True)])
def test_less_than_2_percent_are_not_worse_unless_asked_for(
    value: float, worse: bool
) -> None:
    assert one([100.0] * 20 + [value] * 5).worse is worse


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
    assert not outcome.too_few
    (found,) = outcome.no_baseline
    assert found.metric == "request_latency.p99_ms step 1"


@pytest.mark.parametrize("runs", [0, 1, 5])
def test_too_few_runs_are_said_and_never_judged(runs: int) -> None:
    outcome = regression.compare([trend_of([1.0] * runs)], RULES)
    assert not outcome.compared
    (few,) = outcome.too_few
    assert (few.runs, few.needed) == (max(runs - 1, 0), 5)


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
    resolution = 1.0 if unit == "s" else 0.0
    found = one([0.0] * 12 + [value], unit=unit, resolution=resolution)
    assert found.worse is worse
    if worse:
        assert math.isinf(found.change_ratio)
        assert "from 0" in found.describe()


def test_whole_poll_intervals_are_no_noise_of_nothing() -> None:
    polls = [10.0] * 12 + [11.0] * 3 + [10.0] * 5 + [11.0]
    assert not one(polls, unit="s", resolution=1.0).worse
    assert one([*polls, 15.0, 15.0], unit="s", resolution=1.0).worse


@pytest.mark.parametrize("before", [0.02, 0.3])
@pytest.mark.parametrize("runs", [6, 20])
def test_a_time_that_is_known_closely_is_compared_closely(
    before: float, runs: int
) -> None:
    values = [before * (1 + 0.1 * (number % 3)) for number in range(runs)]
    # The width of the bucket that the p99 of an API server lies in.
    width = before
    assert one([*values, 30.0], unit="s", resolution=width).worse
    assert not one([*values, before], unit="s", resolution=width).worse


@pytest.mark.parametrize("before", [0.0, 0.02, 0.9, 1.1])
@pytest.mark.parametrize("runs", [6, 20])
def test_a_poll_hides_no_time_that_is_many_polls_long(
    before: float, runs: int
) -> None:
    values = [before] * runs
    assert one([*values, 60.0], unit="s", resolution=1.0).worse
    assert not one([*values, before + 0.5], unit="s", resolution=1.0).worse


def test_a_difference_from_runs_without_any_noise_is_no_chance() -> None:
    assert one([0.0] * 12 + [0.5], unit="s").worse
    better = one([0.0] * 12 + [0.5], unit="rps", at_least=True)
    assert not better.worse


def test_a_line_of_an_older_release_has_the_resolution_of_the_newer() -> None:
    old = trend_of([10.0] * 20 + [10.4], unit="s")
    points = [dataclasses.replace(p, resolution=None) for p in old.points]
    points[-1] = dataclasses.replace(points[-1], resolution=1.0)
    mixed = dataclasses.replace(old, points=tuple(points))
    assert mixed.resolution == 1.0
    (found,) = regression.compare([mixed], RULES).compared
    assert not found.worse
    assert one([10.0] * 20 + [10.4], unit="s").worse


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


@pytest.mark.parametrize("metrics", [1, 20])
def test_the_largest_p_value_that_is_worse_is_alpha(metrics: int) -> None:
    quiet = [
        trend_of(noisy(seed, 21), metric=f"m{seed}") for seed in range(metrics)
    ]
    values = trend_of([*noisy(6, 20), 112.0])

    def judged(confidence: float) -> regression.MetricComparison:
        rules = dataclasses.replace(RULES, confidence=confidence)
        every = regression.compare([values, *quiet], rules).compared
        (found,) = (one for one in every if one.metric == values.metric)
        return found

    p_value = judged(0.5).p_value
    assert 0 < p_value < 0.3
    assert judged(1 - p_value * 1.01).worse
    assert not judged(1 - p_value * 0.99).worse


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
