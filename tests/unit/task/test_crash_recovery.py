"""A start after a kill: what was left goes, and nothing else does."""

import dataclasses
import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import uuid

import pytest
from rally.common import db
from rally.common import objects
from rally_openstack.common import credential
from rally_openstack.task.contexts.keystone import users

import rally_magnum_scale.task.recovery.dead_runs
from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.bays import leftovers
from rally_magnum_scale.bays import listing
from rally_magnum_scale.bays import machines
from rally_magnum_scale.task.contexts import crash_recovery
from rally_magnum_scale.task.recovery import lost_machines
from rally_magnum_scale.task.recovery import run_markers
from rally_magnum_scale.task.scenarios import base
from tests.unit.task import fake_tenants

OWN = "aaaaaaaa-0000-0000-0000-000000000001"
OWN_TASK = "aaaaaaaa-0000-0000-0000-000000000002"
DEAD = "0a1b2c3d-0000-0000-0000-000000000003"
STRANGE = "ffffffff-0000-0000-0000-000000000004"

pytestmark = pytest.mark.filterwarnings(
    # Rally's database leaves it to the interpreter to close a connection,
    # and so does keystoneauth, which its clients keep.
    "ignore:unclosed:ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


@pytest.fixture
def cloud(tmp_path, monkeypatch, caplog, database):
    caplog.set_level(logging.INFO)
    monkeypatch.setenv(run_markers.FOLDER_VARIABLE, str(tmp_path))
    with fake_tenants.serve() as served:
        yield served


@pytest.fixture
def dead_task(database):
    """A task of which nobody told the database that it has ended."""
    name = uuid.uuid4().hex
    env = db.env_create(name, "s", "", {}, {}, {}, [])
    task = objects.Task(env_uuid=env["uuid"])
    task.update_status("running")
    task.add_subtask("s")
    return task["uuid"]


def make(cloud, owner):
    """Let a run have a bay, a template, a user and a project."""
    scenario = base.BayScenario()
    scenario.get_owner_id = lambda: owner
    generator = users.UserGenerator.__new__(users.UserGenerator)
    generator.context = {"owner_id": owner}
    made = {
        "clusters": scenario.generate_random_name(),
        "clustertemplates": scenario.generate_random_name(),
        "users": generator.generate_random_name(),
        "projects": generator.generate_random_name(),
    }
    for kind, name in made.items():
        cloud.add(kind, name, project_id=made["projects"])
    return made


def start(cloud, config=None):
    """Set the context up as Rally does at the start of a task."""
    context = fake_tenants.context(cloud, OWN_TASK, OWN)
    context["env"]["platforms"]["openstack"] |= config or {}
    if config and not config["admin"]:
        del context["admin"]
    begun = crash_recovery.CrashRecovery(context)
    begun.setup()
    return begun


def die(cloud, task="dead-task", workload=DEAD, address="", **changes):
    """Leave the mark of a run that was killed."""
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        check=True,
        text=True,
    )
    here = run_markers.this_process()
    process = dataclasses.replace(here, pid=int(ended.stdout), start_ticks=1)
    mark = run_markers.RunMarker(
        task,
        workload,
        process,
        run_markers.database(),
        address or f"{cloud.url}/v3 (R)",
        1.0,
    )
    mark = dataclasses.replace(mark, **changes)
    kept = run_markers.write(run_markers.folder(), mark)
    kept.leave()
    return kept.path


def test_the_leftovers_of_a_dead_run_are_removed(cloud, caplog):
    make(cloud, DEAD)
    other = make(cloud, STRANGE)
    cloud.add("clusters", "production")
    path = die(cloud)
    begun = start(cloud)
    assert cloud.names() == {*other.values(), "production"}
    assert not path.exists()
    assert "dead-task was killed" in caplog.text
    assert "Nothing is left of task dead-task" in caplog.text
    begun.cleanup()
    caplog.clear()
    start(cloud).cleanup()
    assert "dead-task" not in caplog.text


def test_bays_go_before_the_tenants_that_they_are_in(cloud):
    made = make(cloud, DEAD)
    die(cloud)
    start(cloud).cleanup()
    kinds = {name: kind for kind, name in made.items()}
    assert [kinds[name] for name in cloud.deleted] == [
        "clusters",
        "clustertemplates",
        "users",
        "projects",
    ]


def test_users_of_the_validation_are_the_tasks_and_go_too(cloud):
    make(cloud, DEAD)
    die(cloud, task=DEAD, workload=STRANGE)
    start(cloud).cleanup()
    assert cloud.names() == set()


def test_the_task_of_a_dead_run_is_set_to_crashed(cloud, dead_task):
    die(cloud, task=dead_task)
    start(cloud).cleanup()
    task = objects.Task.get(dead_task, detailed=True)
    assert task["status"] == "crashed"
    assert [each["status"] for each in task["subtasks"]] == ["crashed"]


def test_a_task_that_had_ended_keeps_its_status(cloud, dead_task):
    objects.Task.get(dead_task).update_status("aborted")
    die(cloud, task=dead_task)
    start(cloud).cleanup()
    assert objects.Task.get_status(dead_task) == "aborted"


@pytest.mark.parametrize("kind", ["clusters", "clustertemplates", "projects"])
def test_a_failed_removal_is_reported_and_repeated(cloud, caplog, kind):
    made = make(cloud, DEAD)
    cloud.stuck = {made[kind]}
    path = die(cloud)
    start(cloud).cleanup()
    assert path.exists()
    assert made[kind] in cloud.names()
    assert made[kind] in caplog.text
    assert "the next start tries again" in caplog.text
    if kind != "projects":
        assert {made["users"], made["projects"]} <= cloud.names()
    cloud.stuck = set()
    start(cloud).cleanup()
    assert not path.exists()
    assert cloud.names() == set()


def test_a_project_with_a_bay_of_somebody_else_stays(cloud, caplog):
    made = make(cloud, DEAD)
    cloud.add("clusters", "kept", project_id=made["projects"])
    path = die(cloud)
    start(cloud).cleanup()
    assert {"kept", made["projects"], made["users"]} == cloud.names()
    assert "still has the bay kept" in caplog.text
    assert path.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"database": "another"}, "another Rally database"),
        ({"address": "http://elsewhere"}, "another cloud, http://elsewhere"),
        (
            {
                "process": dataclasses.replace(
                    run_markers.this_process(), host="elsewhere"
                )
            },
            "on the host elsewhere",
        ),
    ],
)
def test_of_a_run_that_is_not_proven_dead_it_only_tells(
    cloud, caplog, changes, words
):
    made = make(cloud, DEAD)
    path = die(cloud, **changes)
    start(cloud).cleanup()
    assert cloud.names() == set(made.values())
    assert words in caplog.text
    assert f"delete {path}" in caplog.text


def test_a_running_run_keeps_its_bays(cloud, caplog):
    made = make(cloud, DEAD)
    path = die(cloud, process=run_markers.this_process())
    start(cloud).cleanup()
    assert cloud.names() == set(made.values())
    assert path.exists()
    assert "is active" in caplog.text


def test_bays_of_unknown_runs_are_logged_with_a_command(cloud, caplog):
    made = make(cloud, STRANGE)
    mine = make(cloud, OWN)
    cloud.add("clusters", "production")
    start(cloud)._kept.remove()
    (line,) = [
        r.getMessage() for r in caplog.records if "unknown run" in r.msg
    ]
    assert made["clusters"] in line
    assert f"project {made['projects']}" in line
    assert "hours old" in line
    assert f"openstack coe cluster delete {made['clusters']}" in line
    assert cloud.deleted == []
    assert mine["clusters"] not in caplog.text


def test_many_bays_of_nobody_known_are_counted(cloud, caplog):
    for _ in range(crash_recovery._MOST_LOGGED + 3):
        make(cloud, STRANGE)
    start(cloud).cleanup()
    assert "There are 3 more such bays" in caplog.text


def test_a_broken_mark_does_not_stop_a_task(cloud, caplog):
    run_markers.folder().mkdir()
    (run_markers.folder() / "broken.json").write_text("{")
    make(cloud, DEAD)
    die(cloud)
    start(cloud).cleanup()
    assert "broken.json can't be read" in caplog.text
    assert cloud.names() == set()


def test_a_cloud_that_forbids_it_does_not_stop_a_task(cloud, caplog):
    made = make(cloud, DEAD)
    path = die(cloud)
    cloud.forbidden = True
    begun = start(cloud)
    begun.cleanup()
    assert cloud.names() == set(made.values())
    assert "cluster:delete_all_projects" in caplog.text
    assert list(run_markers.folder().glob("*.json")) == [path]


def test_a_cloud_that_does_not_answer_does_not_stop_a_task(
    cloud, caplog, monkeypatch
):
    monkeypatch.setattr(listing, "ATTEMPTS", 1)
    path = die(cloud)
    cloud.down = True
    start(cloud).cleanup()
    assert "the next start tries again" in caplog.text
    assert "Can't check whether this run left a bay" in caplog.text
    assert path.exists()
    # Whether this run left something is not known either.
    assert len(list(run_markers.folder().glob("*.json"))) == 2


def test_a_folder_that_can_not_be_written_does_not_stop_a_task(
    cloud, caplog, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv(run_markers.FOLDER_VARIABLE, str(tmp_path / "file"))
    start(cloud).cleanup()
    assert "Could not write the run marker" in caplog.text
    assert run_markers.FOLDER_VARIABLE in caplog.text


def test_a_second_start_leaves_the_removal_to_the_first(cloud, caplog):
    made = make(cloud, DEAD)
    path = die(cloud)
    with run_markers.alone(run_markers.folder()) as alone:
        assert alone
        begun = start(cloud)
    begun.cleanup()
    assert "Another task is already removing" in caplog.text
    assert cloud.names() == set(made.values())
    assert path.exists()


def test_an_interruption_ends_the_start_and_keeps_the_mark(cloud):
    make(cloud, DEAD)
    path = die(cloud)
    handlers = interruption.install()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(exceptions.Interrupted):
            start(cloud)
        # Rally cleans up whatever was begun.
    finally:
        interruption.install()
        interruption.restore(handlers)
    assert path.exists()


def test_a_run_that_leaves_a_bay_leaves_its_mark(cloud, caplog):
    begun = start(cloud)
    made = make(cloud, OWN)
    begun.cleanup()
    (path,) = run_markers.folder().glob("*.json")
    assert json.loads(path.read_text())["workload"] == OWN
    assert f"could not remove {made['clusters']}" in caplog.text


def test_a_run_with_an_unrecovered_server_leaves_its_marker(cloud, caplog):
    begun = start(cloud)
    mark = pathlib.Path(begun.context[lost_machines.KEY])
    loss = machines.Loss("server-1", machines.STOP)
    lost_machines.Notes(mark).enter(loss)
    begun.cleanup()
    assert mark.exists()
    assert "server-1 (not recovered)" in caplog.text


def test_a_machine_that_can_not_be_mended_is_named_and_tried_again(
    cloud, caplog
):
    path = die(cloud)
    loss = machines.Loss("server-1", machines.STOP)
    lost_machines.Notes(path).enter(loss)
    # This cloud has no Nova at all.
    start(cloud).cleanup()
    assert path.exists()
    assert lost_machines.Notes(path).paths()
    assert "the server server-1" in caplog.text
    assert "the next start tries again" in caplog.text


def test_the_mark_holds_no_secret(cloud):
    begun = start(cloud)
    (path,) = run_markers.folder().glob("*.json")
    text = path.read_text()
    begun.cleanup()
    assert "secret" not in text
    assert "sqlite" not in text


def test_without_an_administrator_the_own_projects_are_looked_at(cloud):
    made = make(cloud, DEAD)
    die(cloud)
    logins = [fake_tenants.credentials(cloud, project) for project in "abb"]
    start(cloud, {"admin": None, "users": logins}).cleanup()
    assert cloud.names() == {made["users"], made["projects"]}


def test_a_task_without_a_cloud_needs_no_mark(cloud):
    begun = crash_recovery.CrashRecovery(
        {
            "task": {"uuid": OWN_TASK},
            "owner_id": OWN,
            "env": {"platforms": {}},
        }
    )
    begun.setup()
    assert not run_markers.folder().exists()
    begun.cleanup()


def test_every_name_of_a_scenario_is_found():
    scenario = base.BayScenario()
    scenario.get_owner_id = lambda: DEAD
    for _ in range(20):
        match = leftovers._NAME.fullmatch(scenario.generate_random_name())
        assert match[1] == leftovers.owner_part(DEAD)


def test_the_address_of_a_cloud_is_the_same_however_it_is_written(cloud):
    login = fake_tenants.credentials(cloud)
    slash = login | {"auth_url": f"{login['auth_url']}/"}
    assert credential.OpenStackCredential(**slash)
    addresses = {
        rally_magnum_scale.task.recovery.dead_runs.Cloud(
            {"env": {"platforms": {"openstack": {"admin": each}}}}
        ).address
        for each in (login, slash)
    }
    assert len(addresses) == 1
