"""Other requests than a plain GET, on real targets in a real bay."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional import conftest
from tests.functional import test_in_bay
from tests.functional import test_tasks

# One bay for all of them.
environment = test_in_bay.environment
kept = test_in_bay.kept

ANSWER_BYTES = len("rally-magnum-scale\n")
SHORT = {
    **test_in_bay.IN_BAY,
    "connections_per_worker": 8,
    "steps": [{"rate_rps": 100, "duration_s": 4, "ramp_s": 1}],
    "min_rps": 1,
    "min_rps_per_core": 0.1,
}


def ask(
    sandbox: conftest.Sandbox,
    kept: test_in_bay.Kept,
    changes: dict[str, Any],
) -> test_tasks.Ran:
    """Run a short load with some arguments of the scenario in the bay."""
    return test_tasks.start(
        sandbox,
        "throughput-in-bay.json",
        {**SHORT, "bay": kept.name, "extra_args": changes},
        environment=kept.environment,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {
            "tls": "bay_ca",
            "request": {
                "method": "POST",
                "path": "/orders?dry=1",
                "headers": {"Content-Type": "text/plain"},
                "body": "twelve",
                "expected_body_bytes": ANSWER_BYTES,
            },
        },
        {
            "keep_alive": False,
            "arrivals": "poisson",
            "tls": "bay_ca",
            "target_address": "pod",
        },
        pytest.param(
            {"keep_alive": False, "arrivals": "poisson"},
            marks=pytest.mark.long,
        ),
    ],
    ids=["post-by-tls", "fresh-poisson-by-tls-to-pods", "fresh-poisson"],
)
def test_the_targets_count_what_is_answered_as_expected(
    sandbox: conftest.Sandbox,
    kept: test_in_bay.Kept,
    changes: dict[str, Any],
) -> None:
    ran = ask(sandbox, kept, changes)
    assert ran.errors == [], ran.said
    (run,) = ran.runs()
    assert run.end is not None
    assert run.throughput is not None
    assert run.end.failures == {}
    assert run.end.requests > 100
    # In the sandbox the API server reaches the pods, so there is a count.
    assert run.throughput.requests_counted_by_targets == run.end.requests


def test_other_answers_than_the_expected_are_no_requests(
    sandbox: conftest.Sandbox, kept: test_in_bay.Kept
) -> None:
    asked = {"expected_body_bytes": ANSWER_BYTES + 1}
    ran = ask(sandbox, kept, {"request": asked})
    assert ran.status != 0
    (error,) = ran.errors
    assert "has no figures" in error
