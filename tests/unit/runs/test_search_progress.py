"""The steps of a search as the scenario follows them."""

import dataclasses

import pytest

from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.runs import search_progress
from tests.unit.in_bay.stats.simulated_target import Target

WANTED = trials.Search(
    bounds={"p99_ms": 50}, start_rps=1_000, max_rps=1_000, confirm_s=40
)


def run():
    """Return the records of each step before and after it, and results."""
    target, done, found = Target(10_000), [], []
    while trial := rate_search.next_trial(WANTED, done):
        result = target.run(trial)
        done.append(trials.judge(WANTED, trial, result))
        found.append((trial, done[-1], result))
    return found


def test_each_step_has_a_line_before_and_after_it():
    followed = search_progress.SearchProgress(WANTED)
    said = [
        followed.take(record.to_json())
        for ordered, judged, _ in run()
        for record in (ordered, judged)
    ]
    assert said == [
        "step 1: 1,000 rps for 10 s after a ramp of 2 s",
        "step 1: 1,000 rps offered, holds (p99 1 ms of 50 ms)",
        "step 2: 1,000 rps for 40 s after a ramp of 2 s, to confirm",
        "step 2: 1,000 rps offered, to confirm, holds (p99 1 ms of 50 ms)",
    ]
    assert followed.plan == steps.Plan(
        (steps.Step(1_000, 10, 2), steps.Step(1_000, 40, 2))
    )
    answer = followed.conclude([result for _, _, result in run()])
    assert answer.valid
    assert answer.max_rate_rps == 1_000


def test_a_log_that_is_read_twice_gives_no_further_lines():
    followed = search_progress.SearchProgress(WANTED)
    ordered, judged, _ = run()[0]
    for record in (ordered, judged):
        assert followed.take(record.to_json())
    for record in (ordered, judged):
        assert followed.take(record.to_json()) is None
    assert followed.done == [judged]


def test_a_search_that_never_began_has_no_plan_and_no_result():
    followed = search_progress.SearchProgress(WANTED)
    assert followed.plan is None
    assert followed.conclude([]).reasons == [
        "no step of the search came to its end"
    ]


def test_a_record_without_its_fields_is_refused():
    with pytest.raises(ValueError, match="can't be read"):
        search_progress.SearchProgress(WANTED).take(
            {"record": "trial", "step": 1}
        )


def test_only_a_long_step_has_a_line_in_its_middle():
    followed = search_progress.SearchProgress(WANTED)
    (ordered, *_), *_ = run()
    followed.take(ordered.to_json())
    steady = windows.Window(1, steps.STEADY, 1, 2, 990, {"reset": 1})
    ramp = dataclasses.replace(steady, phase=steps.RAMP)
    said = [followed.line(one) for one in [ramp] * 20 + [steady] * 31]
    assert [line for line in said if line] == [
        "step 1: 990 rps achieved, 15 errors, 2 workers"
    ] * 2
    assert said.index("step 1: 990 rps achieved, 15 errors, 2 workers") == 34
