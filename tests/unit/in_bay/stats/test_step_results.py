"""What is said of the requests of a step that failed."""

import pytest

from rally_magnum_scale.in_bay.stats import records
from tests.unit import factories


@pytest.mark.parametrize(
    ("failures", "timeout_s", "slowest", "failed"),
    [
        ({}, 10.0, "", 0),
        ({"timeout": 1}, 10.0, "> 10 s (timed out)", 1),
        ({"timeout": 1, "reset": 2}, 0.5, "> 0.5 s (timed out)", 3),
        ({"timeout": 1}, None, "no answer (timeout)", 1),
        ({"reset": 2, "refused": 3}, 10.0, "no answer (refused, reset)", 5),
    ],
)
def test_a_failed_request_took_at_least_its_time_out(
    failures, timeout_s, slowest, failed
):
    step = factories.event_load(failures=failures, timeout_s=timeout_s)
    assert (step.slowest, step.failed) == (slowest, failed)


def test_a_step_with_a_reason_is_invalid():
    assert factories.event_load().valid
    assert not factories.event_load(reasons=["a worker died"]).valid


def test_a_step_of_an_early_release_tells_only_what_was_kept_then():
    written = factories.event_load().to_json()
    for name in ("due", "answered", "answered_latency_us", "timeout_s"):
        del written[name]
    read = records.StepResult.from_json(written)
    assert (read.due, read.answered, read.answered_latency_us) == (None, 0, {})
