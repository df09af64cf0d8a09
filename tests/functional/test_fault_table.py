"""Two rows of the table of faults, for real."""

from pathlib import Path

from tests.fault_table import cases
from tests.fault_table import running
from tests.fault_table import table
from tests.functional import conftest

KNOWN = {case.name: case for case in cases.CASES}


def test_rows_are_what_came_of_their_faults(
    sandbox: conftest.Sandbox, tmp_path: Path
) -> None:
    runner = running.Runner(sandbox, tmp_path)
    failed = runner.run(KNOWN["create-failed-host"])
    assert failed.outcome.did == table.FAILED_ITERATION
    assert "No valid host was found" in failed.outcome.sentence
    assert failed.outcome.failures == ("capacity",)
    assert table.objections(failed) == []

    passed = runner.run(KNOWN["keystone-at-the-start"])
    assert passed.outcome.did == table.TOLERATED
    assert passed.outcome.create_s is not None
    assert table.objections(passed) == []
