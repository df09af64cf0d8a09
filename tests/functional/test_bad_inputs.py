"""Each wrong input gets one sentence, and nothing of it stays."""

from __future__ import annotations

import pytest

from tests.functional import conftest
from tests.functional.bad_inputs import cases
from tests.functional.bad_inputs import running


@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.name)
def test_a_wrong_input_gets_a_sentence(
    sandbox: conftest.Sandbox, case: cases.Case
) -> None:
    outcome = running.run(sandbox, case)
    assert outcome.status != 0, outcome.said
    assert outcome.sentence, outcome.said
    assert running.left_over(sandbox) == []
