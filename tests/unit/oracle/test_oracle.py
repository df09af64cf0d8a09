"""Verdicts of the package beside those of a second judge.

``pytest tests/unit/oracle --hypothesis-profile long`` tries 10,000 tasks.
"""

import random

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.oracle import oracle
from tests.unit.oracle import tasks


@given(st.integers(0, 2**48))
def test_every_verdict_is_that_of_the_oracle(seed):
    chance = random.Random(seed)
    wanted = [tasks.workload(chance) for _ in range(chance.randint(1, 2))]
    found = [tasks.stored(chance, one) for one in wanted]
    for one, workload in zip(wanted, found, strict=True):
        told = {
            result["criterion"]: result["success"]
            for result in workload["sla_results"]["sla"]
        }
        assert told == one.criteria, workload["sla_results"]
    report = tasks.read(found)
    for one, workload in zip(wanted, report.workloads, strict=True):
        judged: dict[str, bool] = {}
        for verdict in workload.verdicts():
            before = judged.get(verdict.criterion, True)
            judged[verdict.criterion] = before and verdict.passed
        assert judged == one.criteria
        assert tasks.states.of_workload(workload) == one.state
    assert tasks.state(report) == oracle.state(wanted)
