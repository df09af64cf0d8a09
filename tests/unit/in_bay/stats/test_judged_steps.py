"""The steps of a search, judged by their windows."""

import dataclasses

import pytest

from rally_magnum_scale.in_bay.stats import rate_search
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


def judge(trial, seen, due=None):
    """Judge a step of which all requests that its rate makes due were due."""
    if due is None and trial.rate_rps is not None:
        due = int(trial.rate_rps * trial.duration_s)
    return rate_search.judge(WANTED, trial, seen, [due], workers=2)


def first_step(**of_windows):
    trial = rate_search.next_trial(WANTED, [])
    return trial, windows_of(rate_search.plan(trial), **of_windows)


def test_the_next_step_depends_on_the_windows_of_the_previous_steps():
    first, seen = first_step()
    assert (first.step, first.rate_rps, first.ended) == (1, 100, False)
    assert rate_search.plan(first) == Plan((Step(100, 2, 1),))
    held = judge(first, seen)
    assert (held.step, held.held, held.achieved_rps) == (1, True, 100)
    second = rate_search.next_trial(WANTED, [held])
    assert second.rate_rps == 200
    slow = judge(
        second, windows_of(rate_search.plan(second), latency_us=80_000)
    )
    assert (slow.held, slow.limit) == (False, trials.BY_BOUND)
    assert 100 < rate_search.next_trial(WANTED, [held, slow]).rate_rps < 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda seen: seen[:-1],
        lambda seen: [],
        lambda seen: [*seen[:-1], windows_of(Plan((Step(100, 1),)))[0]],
    ],
)
def test_a_step_with_missing_windows_does_not_count(spoil):
    trial, seen = first_step(workers=1)
    judged = judge(trial, spoil(seen))
    assert (judged.held, judged.limit) == (False, trials.BY_INVALID)


def test_responses_after_the_last_second_are_judged():
    trial, seen = first_step()
    late = Histogram.from_values_us({900_000: 3})
    part = Part(1, "steady", 3, {}, late, late)
    stop = Window(1_009, "stop", 1, 2, 3, {}, late, late, carried=(part,))
    judged = judge(trial, [*seen, stop], due=203)
    assert (judged.held, judged.limit) == (False, trials.BY_BOUND)
    assert judged.reached["p99_ms"] >= 900


def test_a_search_ends_with_its_confirmation():
    wanted = dataclasses.replace(WANTED, max_rps=100)
    done = []
    while trial := rate_search.next_trial(wanted, done):
        done.append(judge(trial, windows_of(rate_search.plan(trial))))
    last = done[-1]
    assert (last.step, last.purpose, last.held) == (2, "confirm", True)


def test_a_step_with_uncounted_due_requests_does_not_count():
    trial, seen = first_step()
    judged = judge(trial, seen, due=201)
    assert (judged.held, judged.limit) == (False, trials.BY_INVALID)
