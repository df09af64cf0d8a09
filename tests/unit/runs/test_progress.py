from rally_magnum_scale.in_bay.stats import histogram
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.runs import progress

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


def said(*found):
    lines = progress.LoadProgress(PLAN)
    return [line for line in map(lines.line, found) if line]


def test_a_line_is_due_every_five_windows():
    lines = said(*(window(n, "steady", 1) for n in range(12)))
    assert len(lines) == 2
    assert lines[0] == (
        "step 1 of 2 steady: 100 rps offered, 100 rps achieved, p99 1.50 ms, "
        "0 errors, 3 workers, 6 of 17 s"
    )


def test_a_ramp_is_not_summed_up_with_the_steady_phase():
    ramp = window(0, "ramp", 1, requests=50, failures={"reset": 2})
    (line,) = said(ramp, window(1, "steady", 1))
    assert "step 1 of 2 ramp" in line
    assert "50 rps achieved" in line
    assert "2 errors" in line


def test_a_closed_loop_has_no_offered_rate():
    lines = said(window(0, "steady", 2), window(1, "stop", 2))
    assert "step 2 of 2 steady: closed loop" in lines[0]


def test_a_second_without_responses_has_no_percentile():
    lines = said(window(0, "steady", 1, 0), window(1, "stop", 1))
    assert "p99 unknown" in lines[0]
