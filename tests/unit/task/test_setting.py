"""A run records which runner and contexts its task file gives."""

import uuid
from types import MappingProxyType

import pytest
from rally.common import db
from rally.common import objects

from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.task.contexts import setting
from rally_magnum_scale.task.exporters import result_files
from rally_magnum_scale.task.scenarios import base

pytestmark = pytest.mark.filterwarnings(
    # Rally's database leaves it to the interpreter to close a connection.
    "ignore:unclosed:ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)

RUNNER = {"times": 2, "concurrency": 2}
CONTEXTS = {"bays@openstack": {"nodes": 2}}


@pytest.fixture
def stored(database):
    """Return the uuid of a workload as Rally's engine stores it."""
    env = db.env_create(uuid.uuid4().hex, "s", "", {}, {}, {}, [])
    subtask = objects.Task(env_uuid=env["uuid"]).add_subtask("s")
    workload = subtask.add_workload(
        "Nothing.done",
        description="",
        position=0,
        runner=RUNNER,
        runner_type="constant",
        contexts=CONTEXTS,
        hooks=[],
        sla={},
        args={},
    )
    return workload["uuid"]


class NothingDone(base.Scenario):
    given = MappingProxyType({})

    def get_name(self):
        return "Nothing.done"

    def _write_output(self):
        pass


def test_a_run_records_the_runner_and_contexts_of_its_task_file(stored):
    made = {"task": {"uuid": "t"}, "owner_id": stored, "iteration": 1}
    setting.Setting(made).setup()
    scenario = NothingDone({**made, "bays": "what they made does not count"})
    with scenario.recorded():
        (record,) = scenario._records
    assert record["runner"] == "constant (concurrency 2, times 2)"
    assert record["iterations"] == 2
    assert record["contexts"] == conditions.digest_contexts(CONTEXTS)
    # What is read from Rally's results, when nothing was recorded.
    results = {
        "name": "Nothing.done",
        "args": {},
        "sla": {},
        "sla_results": {},
        "data": [],
        "contexts_results": [],
        "runner_type": "constant",
        "runner": RUNNER,
        "contexts": CONTEXTS,
    }
    (run,) = result_files.runs_of([{"subtasks": [{"workloads": [results]}]}])
    assert run.conditions.runner == record["runner"]
    assert run.conditions.contexts == record["contexts"]


def test_a_workload_that_rally_has_not_stored_is_of_no_known_setting(database):
    made = {"task": {"uuid": "t"}, "owner_id": "nobody's", "iteration": 1}
    setting.Setting(made).setup()
    scenario = NothingDone(made)
    with scenario.recorded():
        (record,) = scenario._records
    assert (record["runner"], record["contexts"]) == ("", "")
    assert record["iterations"] is None
