"""The ladder: bays of growing size, one after the other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rally_magnum_scale.in_bay.stats import bay_records
from tests.functional import conftest
from tests.functional import test_tasks

ARGUMENTS = json.loads(
    (test_tasks.SAMPLES / "args/sandbox-ladder.json").read_text()
)
MEMORY_BYTES = 250e6


def climb(
    sandbox: conftest.Sandbox, ladder: list[int], **more: Any
) -> tuple[test_tasks.Ran, list[bay_records.Bay]]:
    """Run the ladder; return the task and the bays of its iterations."""
    ran = test_tasks.start(
        sandbox, "bay-ladder.json", {**ARGUMENTS, "ladder": ladder, **more}
    )
    workloads = [
        workload
        for subtask in ran.result["subtasks"]
        for workload in subtask["workloads"]
    ]
    runs = [
        test_tasks.output.read_run(each)
        for workload in workloads
        for each in workload["data"]
    ]
    return ran, [bay for run in runs for bay in run.bays]


def assert_came_and_went(bay: bay_records.Bay) -> None:
    """Compare what the record of a bay tells with itself."""
    assert bay.status == "GONE"
    assert bay.failure == ""
    assert bay.create_s is not None
    assert bay.nodes_ready_s is not None
    assert bay.delete_s is not None
    assert bay.nodes_ready_s >= bay.create_s
    assert bay.node_ready_s is not None
    percentiles = [bay.node_ready_s[k] for k in ("p50", "p90", "p99", "max")]
    assert percentiles == sorted(percentiles)
    assert 0 < percentiles[0] <= percentiles[-1] <= bay.nodes_ready_s
    assert bay.client_memory_peak_bytes is not None
    assert 50e6 < bay.client_memory_peak_bytes < MEMORY_BYTES


def test_a_small_ladder_is_climbed(sandbox: conftest.Sandbox) -> None:
    loose = {
        "max_create_s": 300,
        "max_create_s_per_node": 100,
        "max_nodes_ready_s": 300,
        "max_nodes_ready_s_per_node": 100,
        "max_delete_s_per_node": 50,
    }
    ran, bays = climb(sandbox, [2, 4], **loose)
    assert ran.status == 0, ran.said
    assert [bay.nodes for bay in bays] == [2, 4]
    for bay in bays:
        assert_came_and_went(bay)


@pytest.mark.long
def test_a_bound_for_each_node_can_fail(sandbox: conftest.Sandbox) -> None:
    ran, _ = climb(
        sandbox,
        [2],
        max_create_s_per_node=0.001,
        max_nodes_ready_s_per_node=0.001,
        max_delete_s_per_node=0.001,
    )
    assert ran.status != 0
    assert ran.errors == []
    failed = {name for name, each in ran.sla.items() if not each["success"]}
    assert failed == {"bay_create_time", "node_ready_time", "bay_delete_time"}


@pytest.mark.long
def test_a_thousand_nodes_come_and_go(sandbox: conftest.Sandbox) -> None:
    ran, (bay,) = climb(sandbox, [1000])
    assert ran.status == 0, ran.said
    assert bay.nodes_hollow == 999
    assert_came_and_went(bay)
