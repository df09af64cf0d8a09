import dataclasses

import pytest

from rally_magnum_scale.in_bay.stats import histogram
from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.runs import progress
from tests.unit.in_bay.stats.simulated_target import Target

PLAN = steps.Plan((steps.Step(100, 12, 2), steps.Step(None, 3)))


def window(second, phase, step, requests=100, failures=None):
    return windows.Window(
        second=second,
        phase=phase,
        step=step,
        workers=3,
        requests=requests,
        failures=failures or {},
        latency_us=histogram.Histogram.from_values_us({1500: requests}),
    )


def lines_of(*found):
    log = []
    load = progress.LoadProgress(PLAN, log.append)
    for one in found:
        load.on_record({"record": "window", **one.to_json()})
    return log


def test_a_line_is_due_every_five_windows():
    lines = lines_of(*(window(n, "steady", 1) for n in range(12)))
    assert len(lines) == 2
    assert lines[0] == (
        "step 1 of 2 steady: 100 rps offered, 100 rps achieved, p99 1.50 ms, "
        "0 errors, 3 workers, 6 of 17 s"
    )


def test_a_ramp_is_not_summed_up_with_the_steady_phase():
    ramp = window(0, "ramp", 1, requests=50, failures={"reset": 2})
    (line,) = lines_of(ramp, window(1, "steady", 1))
    assert "step 1 of 2 ramp" in line
    assert "50 rps achieved" in line
    assert "2 errors" in line


def test_a_closed_loop_has_no_offered_rate():
    lines = lines_of(window(0, "steady", 2), window(1, "stop", 2))
    assert "step 2 of 2 steady: closed loop" in lines[0]


def test_a_second_without_responses_has_no_percentile():
    lines = lines_of(window(0, "steady", 1, 0), window(1, "stop", 1))
    assert "p99 unknown" in lines[0]


SEARCH = trials.Search(
    bounds={"p99_ms": 50}, start_rps=1_000, max_rps=1_000, confirm_s=40
)


def trials_of_a_search():
    """Return the records of each step before and after it, and results."""
    target, done, found = Target(10_000), [], []
    while trial := rate_search.next_trial(SEARCH, done):
        result = target.run(trial)
        done.append(trials.judge(SEARCH, trial, result))
        found.append((trial, done[-1], result))
    return found


def test_each_step_of_a_search_has_a_line_before_and_after_it():
    followed = progress.SearchProgress(SEARCH, print)
    lines = [
        followed.take(record.to_json())
        for ordered, judged, _ in trials_of_a_search()
        for record in (ordered, judged)
    ]
    assert lines == [
        "step 1: 1,000 rps for 10 s after a ramp of 2 s",
        "step 1: 1,000 rps offered, holds (p99 1 ms of 50 ms)",
        "step 2: 1,000 rps for 40 s after a ramp of 2 s, to confirm",
        "step 2: 1,000 rps offered, to confirm, holds (p99 1 ms of 50 ms)",
    ]
    assert followed.plan == steps.Plan(
        (steps.Step(1_000, 10, 2), steps.Step(1_000, 40, 2))
    )
    answer = followed.conclude(
        [result for _, _, result in trials_of_a_search()]
    )
    assert answer.valid
    assert answer.max_rate_rps == 1_000


def test_a_log_that_is_read_twice_gives_no_further_lines():
    followed = progress.SearchProgress(SEARCH, print)
    ordered, judged, _ = trials_of_a_search()[0]
    for record in (ordered, judged):
        assert followed.take(record.to_json())
    for record in (ordered, judged):
        assert followed.take(record.to_json()) is None
    assert followed.done == [judged]


def test_a_search_that_never_began_has_no_plan_and_no_result():
    followed = progress.SearchProgress(SEARCH, print)
    assert followed.plan is None
    assert followed.conclude([]).reasons == [
        "no step of the search came to its end"
    ]


def test_a_record_without_its_fields_is_refused():
    with pytest.raises(ValueError, match="can't be read"):
        progress.SearchProgress(SEARCH, print).take(
            {"record": "trial", "step": 1}
        )


def test_only_a_long_step_has_a_line_in_its_middle():
    followed = progress.SearchProgress(SEARCH, print)
    (ordered, *_), *_ = trials_of_a_search()
    followed.take(ordered.to_json())
    steady = windows.Window(1, steps.STEADY, 1, 2, 990, {"reset": 1})
    ramp = dataclasses.replace(steady, phase=steps.RAMP)
    lines = [followed.line(one) for one in [ramp] * 20 + [steady] * 31]
    assert [line for line in lines if line] == [
        "step 1: 990 rps achieved, 15 errors, 2 workers"
    ] * 2
    assert lines.index("step 1: 990 rps achieved, 15 errors, 2 workers") == 34


def test_events_are_logged():
    log = []
    load = progress.LoadProgress(PLAN, log.append)
    load.on_record({"record": "event", "kind": "slow", "detail": "a worker"})
    load.on_record({"record": "start"})
    assert log == ["slow: a worker"]
