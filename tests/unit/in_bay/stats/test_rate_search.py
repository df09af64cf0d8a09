import dataclasses
import math
import random
import statistics

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies

from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import trials
from tests.unit.in_bay.stats import simulated_target
from tests.unit.in_bay.stats.simulated_target import Target
from tests.unit.in_bay.stats.simulated_target import search

BOUND_MS = 50


def wanted(**changes):
    return trials.Search(
        **{"bounds": {"p99_ms": BOUND_MS}, "max_steps": 30, **changes}
    )


def rates(done):
    return [one.rate_rps for one in done]


@pytest.mark.parametrize("start_rps", [None, 100, 3_000, 9_000, 50_000])
@pytest.mark.parametrize("precision", [0.01, 0.05, 0.2])
def test_the_highest_rate_has_the_requested_precision(start_rps, precision):
    target = Target(10_000)
    done, found = search(
        wanted(start_rps=start_rps, precision=precision), target
    )
    true_rps = target.highest_rps(BOUND_MS)
    assert found.valid
    assert found.confirmed
    assert found.held_rps <= true_rps <= found.failed_rps
    assert found.failed_rps / found.held_rps - 1 <= precision * 1.002
    assert found.max_rate_rps == found.held_rps
    assert (found.failed_by, found.steps) != ("", 0)
    assert done[-1].purpose == trials.CONFIRM
    assert done[-1].duration_s == 30
    assert found.step == done[-1].step == len(done)
    assert found.rps_per_core == found.held_rps / 2
    assert found.rps_per_core_real_nodes == found.held_rps / 4


def test_a_search_without_a_first_rate_begins_with_a_closed_loop():
    done, _ = search(wanted(), Target(10_000))
    assert (done[0].purpose, done[0].rate_rps) == (trials.ESTIMATE, None)
    assert done[0].held is None
    assert 9_000 < done[1].rate_rps < 10_000
    assert len(done) <= 6


def test_the_first_rate_is_doubled_until_a_step_fails():
    done, _ = search(wanted(start_rps=1000), Target(10_000))
    assert rates(done)[:5] == [1000, 2000, 4000, 8000, 16000]
    assert [one.held for one in done[:5]] == [True] * 4 + [False]
    assert done[4].limit == trials.BY_OFFER
    # What it answered although it was offered too much tells where to look.
    assert done[5].rate_rps == pytest.approx(9_600)


def step(rate_rps, limit="", answered_rps=None, purpose=trials.SEARCH):
    """Return a step that was run; it holds unless something limits it."""
    return records.Trial(
        step=0,
        purpose=purpose,
        rate_rps=rate_rps,
        ramp_s=2,
        duration_s=10,
        held=None if rate_rps is None else not limit,
        limit=limit,
        achieved_rps=rate_rps if answered_rps is None else answered_rps,
    )


def fails(rate_rps, limit=trials.BY_BOUND, answered_rps=None, **of_step):
    return step(rate_rps, limit, answered_rps, **of_step)


def overloaded(rate_rps, answered_rps):
    return fails(rate_rps, trials.BY_OFFER, answered_rps)


def invalid(rate_rps, answered_rps=None):
    return fails(rate_rps, trials.BY_INVALID, answered_rps)


def closed(answered_rps):
    return step(None, answered_rps=answered_rps)


def numbered(steps_run):
    return [
        dataclasses.replace(one, step=number)
        for number, one in enumerate(steps_run, 1)
    ]


def next_rate(*steps_run, **changes):
    """Return the rate that is searched next, None for any other step."""
    found = rate_search.next_trial(wanted(**changes), numbered(steps_run))
    if found is None or found.purpose != trials.SEARCH:
        return None
    assert found.step == len(steps_run) + 1
    return found.rate_rps


@pytest.mark.parametrize(
    ("steps_run", "rate_rps"),
    [
        ([step(0.3)], 0.6),
        ([step(1_000), fails(2_000)], 1_414),
        ([fails(1_000)], 250),
        # Not lower than a hundredth of the first, and that only once.
        ([fails(1_000), fails(20)], 10),
        ([fails(1_000), fails(10)], None),
        # A bracket of 5 % is narrow enough, and one of 5.1 % is not.
        ([step(1_000), fails(1_050)], None),
        ([step(1_000), fails(1_051)], 1_025),
    ],
)
def test_without_a_hint_the_rate_is_doubled_quartered_or_halved(
    steps_run, rate_rps
):
    assert next_rate(*steps_run) == rate_rps


def test_a_bracket_may_be_wider_by_the_rounding_of_a_rate():
    assert next_rate(step(1_000), fails(2_001), precision=1) is None
    assert next_rate(step(1_000), fails(2_002), precision=1) == 1_415


@pytest.mark.parametrize(
    ("failed_rps", "rate_rps"),
    [
        (985, 960),
        (980, 920),
        (950, 920),
        (900, 840),
        (700, 680),
        # Below that, what was answered says nothing.
        (690, 172.5),
    ],
)
def test_each_failure_below_a_hint_lowers_the_next_rate_further(
    failed_rps, rate_rps
):
    assert next_rate(closed(1_000), fails(failed_rps)) == rate_rps


@pytest.mark.parametrize(
    ("failed_rps", "rate_rps"), [(1080, 920), (1081, 960)]
)
def test_a_rate_below_a_hint_is_half_the_precision_below_what_failed(
    failed_rps, rate_rps
):
    found = next_rate(closed(1_000), fails(failed_rps), precision=0.25)
    assert found == rate_rps


@pytest.mark.parametrize(
    ("precision", "held_rps", "rate_rps"),
    [
        (0.05, 9_600, 10_080),
        # A rate that is close above it would not say much.
        (0.05, 9_800, 10_080),
        (0.05, 9_850, 19_700),
        (0.05, 10_080, 20_160),
        (0.5, 11_519, 14_400),
        (0.5, 11_520, 23_040),
        (0.01, 9_600, 10_050),
    ],
)
def test_a_rate_just_above_a_hint_is_tried_once_while_all_hold(
    precision, held_rps, rate_rps
):
    found = next_rate(closed(10_000), step(held_rps), precision=precision)
    assert found == rate_rps


@pytest.mark.parametrize(
    ("precision", "held_rps", "failed_rps", "rate_rps"),
    [
        # Just above the hint, unless that is close to what held or failed.
        (0.02, 960, 1_020, 1_005),
        (0.02, 960, 1_011, 1_005),
        (0.02, 960, 1_010, 984.7),
        (0.02, 999, 1_030, 1_005),
        (0.02, 1_004, 1_030, 1_017),
        (0.5, 1_000, 1_621, 1_440),
        (0.5, 1_000, 1_620, 1_273),
        (0.5, 1_279, 2_000, 1_440),
        (0.5, 1_280, 2_000, 1_600),
        # No closer to what failed than four digits can tell.
        (0.001, 960, 1_006.1, 1_005),
        (0.001, 960, 1_005.9, 982.7),
        # Just below the hint, where what held is not there yet.
        (0.05, 959, 1_100, 960),
        (0.05, 959.1, 1_100, 1_008),
        (0.05, 960 / 1.001, 1_100, 1_008),
        (0.05, 900, 1_600, 960),
        # Further below, where the hint itself failed.
        (0.05, 500, 900, 840),
        (0.05, 860, 910, 884.6),
        (0.05, 940, 1_000, 969.5),
        # But not below what held.
        (0.5, 680, 1_040, 841),
        (0.09, 920 / 1.001, 1_003, 960.1),
    ],
)
def test_a_hint_inside_the_bracket_chooses_the_next_rate(
    precision, held_rps, failed_rps, rate_rps
):
    steps_run = closed(1_000), step(held_rps), fails(failed_rps)
    assert next_rate(*steps_run, precision=precision) == rate_rps


@pytest.mark.parametrize(
    ("steps_run", "rate_rps"),
    [
        ([step(500), overloaded(1_000, 989)], 949.4),
        # As good as reached, late, or without an answer: these are no hints.
        ([step(500), overloaded(1_000, 990)], 707.1),
        ([step(500), fails(1_000, answered_rps=600)], 707.1),
        ([step(500), overloaded(1_000, 0)], 707.1),
        # The lowest such offer counts, and of two at that rate the later.
        ([overloaded(2_000, 900), overloaded(1_000, 800)], 768),
        ([step(500), invalid(1_000, 850), overloaded(1_000, 875)], 840),
        # It says more than a closed loop.
        ([closed(1_000), overloaded(960, 500)], 480),
    ],
)
def test_the_achieved_rate_of_an_overloaded_step_is_a_hint(
    steps_run, rate_rps
):
    assert next_rate(*steps_run) == rate_rps


@pytest.mark.parametrize(
    ("changes", "rate_rps"),
    [({}, 960), ({"min_rps": 980}, 980), ({"max_rps": 123.45}, 123.45)],
)
def test_an_estimate_is_kept_within_the_limits(changes, rate_rps):
    assert next_rate(closed(1_000), **changes) == rate_rps


def test_no_rate_is_below_the_lowest_rate():
    assert next_rate(fails(1_000), min_rps=300) == 300
    assert next_rate(fails(1_000), fails(300), min_rps=300) is None
    # A thousandth above it is as good as it.
    for rate_rps in (300.2, 300 * 1.001):
        assert next_rate(fails(rate_rps), min_rps=300) is None
    assert next_rate(fails(300.4), min_rps=300) == 300
    # A closed loop has no rate of which this could be a hundredth.
    assert next_rate(closed(0.5), fails(0.0075)) == 0.001875


@pytest.mark.parametrize(
    ("steps_run", "rate_rps"),
    [
        ([invalid(1_000, 800)], 1_000),
        # This is too far from its offer for a hiccup.
        ([invalid(1_000, 799)], 767),
        ([invalid(1_000, 0)], 250),
        ([invalid(1_000)] * 2, 1_000),
        ([invalid(1_000)] * 3, 250),
        ([step(1_000), *[invalid(2_000)] * 3], 1_414),
        ([step(1_000), *[invalid(2_000)] * 3, invalid(1_500)], 1_500),
        # Three were run again, and that is enough.
        ([step(1_000), *[invalid(2_000)] * 3, *[invalid(1_500)] * 2], 1_225),
    ],
)
def test_an_invalid_step_is_repeated_a_few_times(steps_run, rate_rps):
    assert next_rate(*steps_run) == rate_rps


def test_each_failed_confirmation_lowers_the_rate_further():
    class Shaky(Target):
        def run(self, trial):
            bad = trial.purpose == trials.CONFIRM
            p99_ms = 500 if bad else 1
            return simulated_target.result(trial, trial.rate_rps, p99_ms)

    done, found = search(wanted(start_rps=1_000, max_rps=1_000), Shaky(1))
    assert rates(done) == [
        *(1_000, 1_000, 952.4, 865.8, 721.5, 515.4, 286.3, 110.1),
        *(26.21, 10),
    ]
    assert found.reasons == ["not even 10 rps held: p99 500 ms of 50 ms"]
    assert found.ended == "the lowest rate does not hold"
    search_for = wanted(start_rps=1_000, min_rps=300)
    for rate_rps, lower_rps in ((300 * 1.001, None), (300.4, 300)):
        once, again = step(rate_rps), fails(rate_rps, purpose=trials.CONFIRM)
        found = rate_search.next_trial(search_for, numbered([once, again]))
        assert (found and found.rate_rps) == lower_rps
    # What held before is tried before anything below it.
    done, _ = search(wanted(start_rps=1_000, max_rps=2_000), Shaky(1))
    assert rates(done)[:8] == [
        *(1_000, 2_000, 2_000, 1_905, 1_732, 1_443, 1_031, 1_000)
    ]


@pytest.mark.parametrize(
    ("max_steps", "found"),
    [
        (2, [1, 1]),
        (5, [1, 2, 4, 8, 8]),
        (6, [1, 2, 4, 8, 8]),
        (7, [1, 2, 4, 8, 16, 16]),
    ],
)
def test_a_search_of_six_steps_keeps_one_for_a_second_confirmation(
    max_steps, found
):
    done, answer = search(
        wanted(start_rps=1, max_steps=max_steps), Target(10_000)
    )
    assert rates(done) == found
    assert answer.confirmed
    assert answer.ended == f"all {max_steps} steps (max_steps) were used"


@given(
    start_rps=strategies.none() | strategies.floats(1, 5e4),
    precision=strategies.floats(0.001, 1),
    capacity_rps=strategies.floats(1e3, 1e4),
)
@example(start_rps=10_400, precision=0.5, capacity_rps=10_000)
@example(start_rps=10_120, precision=0.2, capacity_rps=10_000)
@example(start_rps=12_000, precision=0.0012, capacity_rps=11_399)
def test_no_rate_is_tried_twice(start_rps, precision, capacity_rps):
    done, found = search(
        wanted(start_rps=start_rps, precision=precision), Target(capacity_rps)
    )
    searched = [one.rate_rps for one in done if one.purpose == trials.SEARCH]
    assert len(set(searched)) == len(searched)
    assert found.ended == "the wanted precision was reached"


def compare(share):
    """Return steps and relative errors of each way to search.

    :param share: of the first rate in what the target can do
    """
    ways = {
        "plain": (share, simulated_target.plain),
        "informed": (share, rate_search.next_trial),
        "estimated": (None, rate_search.next_trial),
    }
    counts = {name: [] for name in ways}
    errors = {name: [] for name in ways}
    for seed in range(40):
        rng = random.Random(seed)
        values = {
            "capacity_rps": 10 ** rng.uniform(2.5, 5.5),
            "servers": rng.choice([1, 2, 4, 16, 64]),
            "base_ms": rng.choice([0.2, 1, 5]),
            "noise": rng.choice([0.002, 0.01]),
            "connections": rng.choice([64, 256]),
        }
        for name, (first, way) in ways.items():
            target = Target(**values, seed=seed)
            start_rps = first and first * target.capacity_rps
            done, found = search(wanted(start_rps=start_rps), target, way)
            assert found.confirmed
            true_rps = target.highest_rps(BOUND_MS)
            counts[name].append(len(done))
            errors[name].append(found.max_rate_rps / true_rps - 1)
    return counts, errors


@pytest.mark.parametrize("share", [1 / 25, 1 / 6, 1 / 3, 3, 20])
def test_hints_from_overloaded_steps_save_steps(share):
    counts, errors = compare(share)
    mean = {name: statistics.mean(one) for name, one in counts.items()}
    assert mean["informed"] < mean["plain"] - 0.5
    assert mean["estimated"] < mean["plain"] - 1.5
    assert mean["estimated"] < 6
    for name in ("informed", "estimated"):
        # With a bracket of 5 % the answer is within it below the truth.
        assert abs(statistics.mean(errors[name])) < 0.03
        within = [one for one in errors[name] if -0.06 < one < 0.02]
        assert len(within) >= 0.9 * len(errors[name])


def test_a_rate_that_fails_the_confirmation_is_replaced_by_a_lower_one():
    class Leak(Target):
        """Its latency grows the longer a rate is held."""

        def p99_ms(self, rate_rps, step_s, capacity_rps=None):
            grown = step_s / 10 if rate_rps > 4_000 else 1
            return super().p99_ms(rate_rps, step_s, capacity_rps) * grown * 20

    done, found = search(
        wanted(start_rps=3_000, max_rps=5_000), Leak(10_000, base_ms=2)
    )
    confirms = [one for one in done if one.purpose == trials.CONFIRM]
    assert [one.held for one in confirms][-2:] == [False, True]
    assert rates(confirms) == sorted(rates(confirms), reverse=True)
    assert found.confirmed
    assert found.held_rps < 4_100
    assert found.failed_rps == confirms[-2].rate_rps
    assert "a lower rate was confirmed" in found.ended


def test_a_lower_rate_may_be_confirmed_by_the_last_step_but_one():
    search_for = wanted(start_rps=1_000, max_rps=1_000, max_steps=6)
    failing = [
        fails(rate_rps, purpose=trials.CONFIRM)
        for rate_rps in (1_000, 952.4, 865.8)
    ]
    last = step(721.5, purpose=trials.CONFIRM)
    done = numbered([step(1_000), *failing, last])
    assert rate_search.next_trial(search_for, done[:-1]).rate_rps == 721.5
    assert rate_search.next_trial(search_for, done) is None
    found = rate_search.conclude(search_for, done, [])
    assert found.ended == (
        "a lower rate was confirmed after a higher one was not"
    )


def test_a_limit_that_holds_is_a_result_but_no_maximum():
    done, found = search(
        wanted(start_rps=1_000, max_rps=3_000), Target(10_000)
    )
    assert rates(done) == [1000, 2000, 3000, 3000]
    assert (found.held_rps, found.failed_rps) == (3000, None)
    assert found.valid
    assert found.ended == "max_rps holds, so the true rate may be higher"


def test_a_search_in_which_no_rate_holds_has_no_result():
    target = Target(10_000, base_ms=80)
    done, found = search(wanted(start_rps=1_000, min_rps=200), target)
    assert rates(done) == [1000, 250, 200]
    assert (found.max_rate_rps, found.held_rps) == (None, None)
    assert found.failed_rps == 200
    (reason,) = found.reasons
    assert reason.startswith("not even 200 rps held: p99 80")
    assert found.ended == "the lowest rate does not hold"


def test_the_default_lowest_rate_is_a_hundredth():
    done, found = search(wanted(start_rps=1_000), Target(1, base_ms=80))
    assert done[-1].rate_rps == found.failed_rps == 10
    assert not found.valid


def test_a_closed_loop_without_an_answer_ends_the_search():
    trial = rate_search.next_trial(wanted(), [])
    silent = simulated_target.result(trial, 0.0, 1.0, ["no answer"])
    done = [trials.judge(wanted(), trial, silent)]
    assert rate_search.next_trial(wanted(), done) is None
    found = rate_search.conclude(wanted(), done, [silent])
    assert found.max_rate_rps is None
    assert not found.valid


def test_a_generator_at_its_limit_is_named_as_the_reason():
    target = Target(100_000, generator_rps=5_000)
    done, found = search(wanted(start_rps=1_000), target)
    assert 4_700 < found.held_rps <= 5_000
    assert found.failed_by == trials.BY_INVALID
    assert found.failed_because == "the load generator was the limit"
    # Far too much is believed at once, and tells where to look.  What is
    # nearly reached is run again, but only a few times in all.
    invalid = [one for one in done if one.limit == trials.BY_INVALID]
    assert rates(invalid)[:4] == [8_000, 5_040, 5_040, 5_040]
    assert rates(done)[rates(done).index(8_000) + 1] == 4_800
    assert len(invalid) - len(set(rates(invalid))) <= 3


def test_a_generator_that_is_always_too_slow_gives_no_result():
    class Restless(Target):
        def run(self, trial):
            figures = ["the load generator was the limit"]
            rate_rps = trial.rate_rps
            return simulated_target.result(trial, rate_rps, 1, figures)

    target = Restless(100_000)
    done, found = search(wanted(start_rps=1_000), target)
    # A machine that spoils a low rate, too, would spoil any.
    assert rates(done) == [1000, 1000, 1000, 250, 250]
    assert found.max_rate_rps is None
    assert found.reasons == [
        "not even 250 rps held: the load generator was the limit"
    ]
    assert found.ended == "the load generator was the limit at every rate"


def test_one_invalid_step_is_not_taken_for_the_limit():
    calm, _ = search(wanted(start_rps=1_000), Target(10_000))
    done, found = search(wanted(start_rps=1_000), Target(10_000, hiccups=[2]))
    assert rates(done) == [1000, 2000, *rates(calm)[1:]]
    assert found.confirmed
    assert found.held_rps > 9_000


def test_the_last_step_confirms_the_best_rate_so_far():
    done, found = search(wanted(start_rps=1_000, max_steps=3), Target(10_000))
    assert rates(done) == [1000, 2000, 2000]
    assert found.confirmed
    assert found.valid
    assert found.failed_rps is None
    assert found.ended == "all 3 steps (max_steps) were used"


def test_the_last_step_but_one_of_many_confirms():
    done, found = search(wanted(start_rps=1, max_steps=8), Target(10_000))
    assert rates(done) == [1, 2, 4, 8, 16, 32, 32]
    assert found.confirmed
    assert found.ended == "all 8 steps (max_steps) were used"
    # The last one is for a confirmation that did not count.
    calm = Target(10_000, hiccups=[7])
    again, found = search(wanted(start_rps=1, max_steps=8), calm)
    assert rates(again) == [*rates(done), 32]
    assert found.valid


def test_an_unconfirmed_rate_does_not_count():
    class Shaky(Target):
        def run(self, trial):
            bad = trial.purpose == trials.CONFIRM
            p99_ms = 500 if bad else 1
            return simulated_target.result(trial, trial.rate_rps, p99_ms)

    done, found = search(
        wanted(start_rps=1_000, max_rps=1_000, max_steps=3), Shaky(1)
    )
    assert [one.held for one in done] == [True, False, False]
    assert found.ended == "all 3 steps (max_steps) were used"
    assert not found.valid
    assert found.max_rate_rps is None


def test_a_search_that_broke_off_does_not_count():
    search_for = wanted(start_rps=1_000)
    first = rate_search.next_trial(search_for, [])
    figures = simulated_target.result(first, 1_000, 1)
    done = [trials.judge(search_for, first, figures)]
    ordered = rate_search.next_trial(search_for, done)
    found = rate_search.conclude(search_for, [*done, ordered], [figures])
    assert (found.held_rps, found.confirmed) == (1000, False)
    assert found.ended == "the run broke off"
    assert "no longer step confirmed it" in found.reasons[0]
    # Between two steps, too.
    found = rate_search.conclude(search_for, done, [figures])
    assert (found.held_rps, found.ended) == (1000, "the run broke off")
    lost = rate_search.conclude(search_for, done, [])
    assert lost.max_rate_rps is None
    assert lost.reasons == ["the result of step 1 is missing"]
    nothing = rate_search.conclude(search_for, [first], [])
    assert nothing.reasons == ["no step of the search came to its end"]


def test_reasons_of_the_whole_run_invalidate_the_result():
    search_for, target = wanted(start_rps=1_000), Target(10_000)
    done, results = [], []
    while trial := rate_search.next_trial(search_for, done):
        results.append(target.run(trial))
        done.append(trials.judge(search_for, trial, results[-1]))
    results[-1].reasons.append("2 windows are missing")
    found = rate_search.conclude(search_for, done, results)
    assert found.reasons == ["2 windows are missing"]


@given(
    start=strategies.one_of(
        strategies.none(), strategies.floats(1, 1e6, allow_nan=False)
    ),
    capacity=strategies.floats(10, 1e6),
    noise=strategies.sampled_from([0, 0.05, 0.5]),
    hiccups=strategies.sets(strategies.integers(1, 20)),
    max_steps=strategies.integers(2, 20),
)
def test_a_search_ends_and_never_reports_a_rate_that_failed(
    start, capacity, noise, hiccups, max_steps
):
    target = Target(capacity, noise=noise, hiccups=hiccups)
    done, found = search(wanted(start_rps=start, max_steps=max_steps), target)
    assert 1 <= len(done) <= max_steps
    if found.valid:
        (best,) = [one for one in done if one.step == found.step]
        assert best.held
        assert best.purpose == trials.CONFIRM
        assert found.max_rate_rps <= best.rate_rps
    else:
        assert found.reasons


def judged(achieved_rps=1000, p99_ms=10.0, bounds=None, **changes):
    search_for = wanted(bounds=bounds or {"p99_ms": BOUND_MS})
    trial = trials.order(search_for, 4, 1000, trials.SEARCH)
    return trials.judge(
        search_for,
        trial,
        simulated_target.result(trial, achieved_rps, p99_ms, **changes),
    )


def test_a_step_says_how_it_ended():
    assert trials.describe(judged()) == (
        "step 4: 1,000 rps offered, holds (p99 10 ms of 50 ms)"
    )
    assert trials.describe(judged(p99_ms=81.24)) == (
        "step 4: 1,000 rps offered, does not hold (p99 81.2 ms of 50 ms)"
    )
    late = judged(900, 400.0)
    assert late.limit == trials.BY_OFFER
    assert late.why == (
        "900 of 1,000 rps were answered as expected; p99 400 ms of 50 ms"
    )
    assert judged(reasons=["clocks differ"]).limit == trials.BY_INVALID


def test_a_closed_loop_says_what_it_answered():
    first = trials.order(wanted(), 1, None, trials.ESTIMATE)

    def said(achieved_rps, reasons=()):
        result = simulated_target.result(first, achieved_rps, 1.0, reasons)
        judged = trials.judge(wanted(), first, result)
        assert (judged.held, judged.limit) == (None, "")
        return trials.describe(judged)

    assert said(12_345.6) == "step 1: closed loop, 12,346 rps answered"
    assert said(0.0, ["no answer", "a gap"]) == (
        "step 1: closed loop, 0 rps answered (no answer; a gap)"
    )


@pytest.mark.parametrize(
    ("p99_ms", "text"),
    [(9.876, "9.88"), (99.5, "99.5"), (100.4, "100"), (1234.5, "1,234")],
)
def test_figures_of_a_step_have_three_digits_or_are_whole(p99_ms, text):
    assert judged(p99_ms=p99_ms).why == f"p99 {text} ms of 50 ms"


def test_a_value_on_a_bound_holds():
    both = {"p99_ms": 50, "max_error_ratio": 0.001}
    assert judged(p99_ms=50, bounds=both, errors=0.001).held
    for over in ({"p99_ms": 50.001}, {"errors": 0.00101}):
        values = {"p99_ms": 50, "errors": 0.001, **over}
        late = judged(bounds=both, **values)
        assert (late.held, late.limit) == (False, trials.BY_BOUND)


def test_one_missing_request_is_no_unreached_offer():
    search_for = wanted()
    trial = trials.order(search_for, 1, 5.2, trials.SEARCH)

    def held(achieved_rps):
        result = simulated_target.result(trial, achieved_rps, 1.0)
        return trials.judge(search_for, trial, result)

    # Of 52 due in ten seconds.
    assert held(5.1).held
    late = held(5.0)
    assert late.limit == trials.BY_OFFER
    assert late.why == "5 of 5.2 rps were answered as expected"


@pytest.mark.parametrize(("answered", "held"), [(98, True), (97, False)])
def test_an_offer_is_reached_at_99_percent_less_one_request(answered, held):
    trial = trials.order(wanted(), 1, 10, trials.SEARCH)
    result = simulated_target.result(trial, answered / 10, 1.0)
    assert (result.due, result.requests) == (100, answered)
    assert trials.judge(wanted(), trial, result).held is held


@pytest.mark.parametrize(
    ("due", "answered", "held"),
    [
        # By chance fewer were due than the rate says, and more.
        (1_850, 1_850, True),
        (2_150, 2_150, True),
        (2_150, 2_000, False),
        (None, 2_000, False),
    ],
)
def test_an_offer_is_reached_by_the_requests_due_not_by_its_rate(
    due, answered, held
):
    search_for = wanted()
    trial = trials.order(search_for, 1, 200, trials.SEARCH)
    result = simulated_target.result(trial, answered / 10, 1.0)
    judged = trials.judge(
        search_for, trial, dataclasses.replace(result, due=due)
    )
    assert judged.held is held
    assert judged.limit == ("" if held else trials.BY_OFFER)
    if due is None:
        assert judged.why == "it is not known how many requests were due"


def test_a_highest_rate_is_never_above_its_offer():
    search_for = wanted(start_rps=200, max_rps=200)
    done, results = [], []
    while trial := rate_search.next_trial(search_for, done):
        # By chance, a tenth more was due.
        result = simulated_target.result(trial, 220.0, 1.0)
        results.append(dataclasses.replace(result, due=220 * trial.duration_s))
        done.append(trials.judge(search_for, trial, results[-1]))
    found = rate_search.conclude(search_for, done, results)
    assert found.confirmed
    assert found.max_rate_rps == pytest.approx(200)
    assert found.rps_per_core == pytest.approx(100)
    assert found.rps_per_core_real_nodes == pytest.approx(50)


def test_a_confirming_step_is_no_shorter_than_the_others():
    search_for = wanted(step_s=60, confirm_s=20)
    for purpose in (trials.SEARCH, trials.CONFIRM):
        assert trials.order(search_for, 1, 5, purpose).duration_s == 60
    assert search_for.longest_s == 30 * (2 + 60)
    assert wanted(step_s=20, confirm_s=60).longest_s == 30 * (2 + 60)


def test_the_error_ratio_has_its_own_bound():
    both = {"p99_ms": 50, "max_error_ratio": 0.001}
    good = judged(bounds=both, errors=0.0005)
    assert good.held
    assert good.why == "p99 10 ms of 50 ms; errors 0.050% of 0.100%"
    assert good.reached == {"p99_ms": 10.0, "max_error_ratio": 0.0005}
    bad = judged(bounds=both, errors=0.002)
    assert (bad.limit, bad.why) == ("bound", "errors 0.200% of 0.100%")


def test_a_bound_without_a_value_does_not_hold():
    step = judged(bounds={"p99_9_ms": 10})
    assert not step.held
    assert step.why == "p99.9 unknown of 10 ms"


def test_a_step_is_announced():
    first = rate_search.next_trial(wanted(), [])
    assert trials.describe(first) == (
        "step 1: a closed loop, to estimate for 10 s after a ramp of 2 s"
    )
    again = trials.order(wanted(), 9, 5000, trials.CONFIRM)
    assert trials.describe(again) == (
        "step 9: 5,000 rps for 30 s after a ramp of 2 s, to confirm"
    )
    assert trials.plan(again) == steps.Step(5000, 30, 2)
    assert rate_search.first_plan(wanted()) == steps.Plan(
        (steps.Step(None, 10, 2),)
    )


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"bounds": {}}, "bounds: give at least one of p50_ms, p90_ms, "),
        ({"bounds": {"p42_ms": 1}}, "bounds.p42_ms: there is no such bound"),
        ({"bounds": {"p99_ms": 0}}, "bounds.p99_ms: "),
        ({"bounds": {"p99_ms": "50"}}, "bounds.p99_ms: "),
        ({"bounds": {"p99_ms": True}}, "bounds.p99_ms: "),
        ({"bounds": {"p99_ms": math.nan}}, "bounds.p99_ms: "),
        ({"bounds": {"p99_ms": 10**400}}, "bounds.p99_ms: "),
        ({"bounds": {"max_error_ratio": 1.001}}, "bounds.max_error_ratio: "),
        ({"bounds": {"max_error_ratio": -0.1}}, "bounds.max_error_ratio: "),
        ({"bounds": {"max_error_ratio": "0"}}, "bounds.max_error_ratio: "),
        ({"start_rps": 0}, "start_rps: must be a number above 0: 0"),
        ({"min_rps": math.inf}, "min_rps: "),
        ({"max_rps": -1}, "max_rps: "),
        ({"start_rps": 10, "max_rps": 5}, "start_rps: 10 is above max_rps"),
        ({"min_rps": 10, "max_rps": 5}, "min_rps: 10 is above max_rps, 5"),
        ({"min_rps": 10, "start_rps": 5}, "min_rps: 10 is above start_rps"),
        ({"precision": 0.0009}, "precision: must be between 0.001 and 1"),
        ({"precision": 1.001}, "precision: "),
        ({"step_s": 0.5}, "step_s: "),
        ({"step_s": 0}, "step_s: must be a whole number, 1 or more: 0"),
        ({"step_s": True}, "step_s: "),
        ({"ramp_s": -1}, "ramp_s: must be a whole number, 0 or more: -1"),
        ({"confirm_s": 0}, "confirm_s: "),
        ({"max_steps": 1}, "max_steps: "),
    ],
)
def test_an_invalid_search_names_the_key(changes, key):
    with pytest.raises(ValueError, match=f"^{key}"):
        wanted(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"bounds": {"p50_ms": 0.001, "max_error_ratio": 0}},
        {"bounds": {"max_error_ratio": 1}},
        {"min_rps": 0.1, "start_rps": 0.1, "max_rps": 0.1},
        {"precision": 0.001},
        {"precision": 1},
        {"step_s": 1, "ramp_s": 0, "confirm_s": 1, "max_steps": 2},
    ],
)
def test_the_limits_of_a_search_are_accepted(changes):
    found = wanted(**changes)
    assert {key: getattr(found, key) for key in changes} == changes


def test_a_search_has_the_documented_defaults():
    assert trials.Search({"p99_ms": 50}).to_json() == {
        "bounds": {"p99_ms": 50},
        "start_rps": None,
        "min_rps": None,
        "max_rps": None,
        "precision": 0.05,
        "step_s": 10,
        "ramp_s": 2,
        "confirm_s": 30,
        "max_steps": 20,
    }


def test_a_search_and_its_records_are_read_back_from_json():
    search_for = wanted(start_rps=7)
    assert trials.Search.from_json(search_for.to_json()) == search_for
    with pytest.raises(ValueError, match="Invalid search"):
        trials.Search.from_json({"bounds": {"p99_ms": 1}, "speed": 3})
    _, found = search(wanted(start_rps=1_000), Target(10_000))
    source = records.Source("t", 1, "b")
    line = records.dump([source.envelope("max_rate", found.to_json())])
    (record,) = records.parse([line])
    assert records.collect([record]).max_rate == found
