"""Each wrong input gets one sentence, and nothing of it stays."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent import futures
from typing import Any

import pytest

from tests.functional import conftest
from tests.functional.bad_inputs import cases
from tests.functional.bad_inputs import running

SIDE_BY_SIDE = 3
# They change the cloud, or what runs in its bays, for all who use it.
ALONE = [case for case in cases.CASES if case.changes_the_cloud]
OTHERS = [case for case in cases.CASES if not case.changes_the_cloud]


def parameter(case: cases.Case) -> Any:
    marks = [pytest.mark.long] if case.long else []
    return pytest.param(case, id=case.name, marks=marks)


@pytest.fixture(scope="module")
def outcomes(
    sandbox: conftest.Sandbox, request: pytest.FixtureRequest
) -> Mapping[str, running.Outcome]:
    """What each of the others got, of those that are to be tested."""
    asked = {item.name for item in request.session.items}
    wanted = [case for case in OTHERS if any(case.name in x for x in asked)]
    with futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        found = pool.map(lambda case: running.run(sandbox, case), wanted)
        names = [case.name for case in wanted]
        return dict(zip(names, found, strict=True))


@pytest.mark.parametrize("case", [*map(parameter, OTHERS)])
def test_a_wrong_input_gets_a_sentence(
    sandbox: conftest.Sandbox,
    outcomes: Mapping[str, running.Outcome],
    case: cases.Case,
) -> None:
    outcome = outcomes[case.name]
    assert outcome.status != 0, outcome.said
    assert outcome.sentence, outcome.said
    # Of any of them.
    assert running.left_over(sandbox) == []


@pytest.mark.parametrize("case", [*map(parameter, ALONE)])
def test_a_wrong_input_in_a_changed_cloud_gets_a_sentence(
    sandbox: conftest.Sandbox, case: cases.Case
) -> None:
    outcome = running.run(sandbox, case)
    assert outcome.status != 0, outcome.said
    assert outcome.sentence, outcome.said
    assert running.left_over(sandbox) == []
