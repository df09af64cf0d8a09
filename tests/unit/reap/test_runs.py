"""Run markers show whether a run is alive, and which task it belongs to."""

import pytest
from rally.common import db
from rally.common import objects

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import leftovers
from rally_magnum_scale.reap import runs
from rally_magnum_scale.task.recovery import run_markers

CLOUD = "http://keystone (R)"
TASK = "aaaaaaaa-0000-0000-0000-000000000001"
WORKLOAD = "bbbbbbbb-0000-0000-0000-000000000002"
RunState = run_markers.RunState


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """Write the marker of a run of this process; return it."""
    monkeypatch.setenv(run_markers.FOLDER_VARIABLE, str(tmp_path))
    written = []

    def write(**changes):
        values = {
            "task": TASK,
            "workload": WORKLOAD,
            "process": run_markers.this_process(),
            "database": "gone",
            "cloud": CLOUD,
            "started_at": 1.0,
        }
        marker = run_markers.RunMarker(**(values | changes))
        written.append(run_markers.write(run_markers.folder(), marker))
        return written[-1]

    yield write
    for each in written:
        each.leave()


def read():
    return runs.read(CLOUD, pytest.fail)


def test_a_run_whose_lock_is_held_is_alive(mark, dead_process):
    mark(process=dead_process)
    for run in ("aaaaaaaa", "bbbbbbbb"):
        state, why = read().state(run)
        assert state is RunState.ALIVE
        assert str(dead_process.pid) in why


def test_a_run_has_ended_whatever_database_it_used(mark, dead_process):
    mark(process=dead_process).leave()
    assert read().state("bbbbbbbb")[0] is RunState.DEAD


def test_a_task_is_alive_while_one_of_its_runs_is(mark, dead_process):
    mark(process=dead_process, workload="cc").leave()
    mark()
    assert read().state("aaaaaaaa")[0] is RunState.ALIVE


@pytest.mark.parametrize(
    ("marker", "process"),
    [({"cloud": "http://other (R)"}, {}), ({}, {"host": "elsewhere"})],
)
def test_what_is_not_proven_is_unknown(mark, dead_process, marker, process):
    for name, value in process.items():
        object.__setattr__(dead_process, name, value)
    mark(process=dead_process, **marker).leave()
    assert read().state("bbbbbbbb")[0] is RunState.UNKNOWN


def test_a_run_without_a_marker_is_unknown(mark):
    mark()
    state, why = read().state("ffffffff")
    assert state is RunState.UNKNOWN
    assert "no marker" in why


def test_a_marker_knows_the_task_of_a_run(mark, database):
    mark()
    assert read().task("bbbbbbbb") == TASK
    assert read().task("ffffffff") == ""
    assert read().of_task(TASK) == {"aaaaaaaa", "bbbbbbbb"}


def test_the_database_knows_the_runs_of_a_task(mark, database):
    env = db.env_create("e", "s", "", {}, {}, {}, [])
    task = objects.Task(env_uuid=env["uuid"])
    workload = task.add_subtask("s").add_workload(
        name="w",
        description="",
        position=0,
        runner={},
        runner_type="serial",
        hooks=[],
        contexts={},
        sla={},
        args={},
    )
    owners = map(leftovers.owner_part, (task["uuid"], workload["uuid"]))
    assert read().of_task(task["uuid"]) == set(owners)


def test_a_task_that_nobody_knows(mark, database):
    with pytest.raises(exceptions.InvalidInput, match="--run"):
        read().of_task(TASK)


def test_a_marker_that_can_not_be_read_is_told(mark):
    folder = mark().path.parent
    (folder / "broken.json").write_text("{")
    told = []
    runs.read(CLOUD, told.append)
    assert "broken.json" in told[0]


def test_without_a_folder_of_markers_nothing_is_judged(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(run_markers, "folder", homeless)
    with pytest.raises(exceptions.InvalidInput, match="home directory"):
        runs.read(CLOUD, pytest.fail)
