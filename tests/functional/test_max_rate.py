"""The search for the highest rate, on a target that can't do much."""

from __future__ import annotations

import json

import pytest

from rally_magnum_scale.in_bay.stats import trials
from tests.functional import conftest
from tests.functional import test_tasks

pytestmark = pytest.mark.quiet

ARGUMENTS = json.loads(
    (test_tasks.SAMPLES / "args/sandbox-max-rate.json").read_text()
)
# A tenth of a core, so that the search is over soon and loads little.
SLOW = {
    **ARGUMENTS,
    "pods": {"target": {"limits": {"cpu": "100m"}}},
    "bounds": {"p99_ms": 300, "max_error_ratio": 0.01},
    "start_rps": 500,
    "precision": 0.5,
    "step_s": 2,
    "confirm_s": 5,
    "max_steps": 9,
    "min_rps": 100,
}


@pytest.fixture(scope="module")
def found(sandbox: conftest.Sandbox) -> test_tasks.Ran:
    ran = test_tasks.start(sandbox, "max-rate.json", SLOW)
    assert ran.errors == [], ran.said
    return ran


def test_a_search_confirms_a_rate_and_knows_one_that_fails(
    found: test_tasks.Ran,
) -> None:
    (run,) = found.runs()
    answer = run.max_rate
    assert answer is not None
    assert answer.valid, answer.reasons
    assert answer.confirmed
    assert answer.held_rps is not None
    assert answer.failed_rps is not None
    assert answer.held_rps < answer.failed_rps
    assert answer.failed_by in (trials.BY_BOUND, trials.BY_OFFER)
    assert answer.failed_because
    confirming = answer.trials[(answer.step or 0) - 1]
    assert (confirming.purpose, confirming.held) == (trials.CONFIRM, True)
    assert confirming.duration_s == SLOW["confirm_s"]
    assert answer.max_rate_rps == pytest.approx(answer.held_rps, rel=0.01)


def test_all_steps_are_in_the_records(found: test_tasks.Ran) -> None:
    (run,) = found.runs()
    assert run.max_rate is not None
    assert run.throughput is not None
    assert run.end is not None
    assert run.end.windows == len(run.windows)
    steps = run.throughput.steps
    assert [one.step for one in steps] == [
        one.step for one in run.max_rate.trials
    ]
    assert {one.step for one in run.windows} == {one.step for one in steps}
    # The master decided on the very figures that are kept.
    for step, trial in zip(steps, run.max_rate.trials, strict=True):
        assert step.achieved_rps == trial.achieved_rps
        assert step.offered_rps == trial.rate_rps


def test_the_highest_rate_is_judged(found: test_tasks.Ran) -> None:
    assert found.status == 0, found.said
    verdict = found.sla["max_rate"]
    assert verdict["success"]
    assert "max_rate min_rps: " in verdict["detail"]
    for each in ("step 1: 500 rps", "to confirm, holds"):
        assert each in found.said
