"""The steps of a search, as the master drives it."""

import pytest

from rally_magnum_scale.in_bay.search_driver import SearchDriver
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.in_bay.stats.windows import Part
from rally_magnum_scale.in_bay.stats.windows import Window

WANTED = trials.Search(
    bounds={"p99_ms": 50}, start_rps=100, step_s=2, ramp_s=1, max_steps=5
)


LAG = Histogram.from_values_us({10: 1})


def windows_of(plan, latency_us=1_000, workers=2, phase="steady"):
    (step,) = plan.steps
    rate = int(step.rate_rps or 500)
    times = Histogram.from_values_us({latency_us: rate})
    phases = ["ramp"] * step.ramp_s + [phase] * step.duration_s
    return [
        Window(1_000 + second, each, 1, workers, rate, {}, times, times, LAG)
        for second, each in enumerate(phases)
    ]


def take(hunt, seen, due=None):
    """Judge the step of a hunt; all that its rate makes due was due."""
    (step,) = hunt.plan.steps
    rate = step.rate_rps
    if due is None:
        due = None if rate is None else int(rate * step.duration_s)
    return hunt.take(seen, [due])


def test_the_next_step_depends_on_the_windows_of_the_previous_steps():
    hunt = SearchDriver(WANTED, workers=2)
    first = hunt.next_trial()
    assert (first.step, first.rate_rps, first.ended) == (1, 100, False)
    assert hunt.plan == Plan((Step(100, 2, 1),))
    judged = take(hunt, windows_of(hunt.plan))
    assert (judged.step, judged.held, judged.achieved_rps) == (1, True, 100)
    assert hunt.next_trial().rate_rps == 200
    slow = take(hunt, windows_of(hunt.plan, latency_us=80_000))
    assert (slow.held, slow.limit) == (False, trials.BY_BOUND)
    assert 100 < hunt.next_trial().rate_rps < 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda seen: seen[:-1],
        lambda seen: [],
        lambda seen: [*seen[:-1], windows_of(Plan((Step(100, 1),)))[0]],
    ],
)
def test_a_step_with_missing_windows_does_not_count(spoil):
    hunt = SearchDriver(WANTED, workers=2)
    hunt.next_trial()
    judged = take(hunt, spoil(windows_of(hunt.plan, workers=1)))
    assert (judged.held, judged.limit) == (False, trials.BY_INVALID)


def test_responses_after_the_last_second_are_judged():
    hunt = SearchDriver(WANTED, workers=2)
    hunt.next_trial()
    late = Histogram.from_values_us({900_000: 3})
    part = Part(1, "steady", 3, {}, late, late)
    stop = Window(1_009, "stop", 1, 2, 3, {}, late, late, carried=(part,))
    judged = take(hunt, [*windows_of(hunt.plan), stop], due=203)
    assert (judged.held, judged.limit) == (False, trials.BY_BOUND)
    assert judged.reached["p99_ms"] >= 900


def test_a_search_ends_with_its_confirmation():
    hunt = SearchDriver(
        trials.Search(bounds={"p99_ms": 50}, start_rps=100, max_rps=100), 2
    )
    while hunt.next_trial():
        last = take(hunt, windows_of(hunt.plan))
    assert (last.step, last.purpose, last.held) == (2, "confirm", True)
    with pytest.raises(RuntimeError, match="no step to run"):
        hunt.take([], [None])


def test_a_step_with_uncounted_due_requests_does_not_count():
    hunt = SearchDriver(WANTED, workers=2)
    hunt.next_trial()
    judged = take(hunt, windows_of(hunt.plan), due=201)
    assert (judged.held, judged.limit) == (False, trials.BY_INVALID)
