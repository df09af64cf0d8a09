"""The command, as a user runs it."""

import datetime
import io
import json
import os
import subprocess
import sys

import pytest

from rally_magnum_scale import cloud_commands
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.reap import cli
from rally_magnum_scale.task.recovery import run_markers
from tests.unit.task import fake_tenants

RUN, OTHER = "0a1b2c3d", "ffffffff"

pytestmark = pytest.mark.filterwarnings(
    # keystoneauth leaves it to the interpreter to close a connection.
    "ignore:unclosed:ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def run(cloud, monkeypatch, capsys, database):
    """Run the command as the administrator; return status and outputs."""
    platform = {"admin": fake_tenants.credentials(cloud)}
    monkeypatch.setattr(cloud_commands, "start_rally", lambda: None)
    monkeypatch.setattr(cloud_commands, "openstack_of", lambda _: platform)

    def run(*arguments, answer=None):
        typed = io.StringIO() if answer is None else Terminal(answer)
        monkeypatch.setattr(sys, "stdin", typed)
        status = cli.main([*arguments])
        out, err = capsys.readouterr()
        return status, out, err

    run.platform = platform
    return run


def test_nothing_is_there(run):
    assert run() == (0, "Nothing was found.\n", "")


def test_what_is_there_is_shown_and_stays(cloud, run):
    left = cloud.leave(RUN)
    status, out, err = run()
    assert (status, err) == (cli.EXIT_LEFT, "")
    heading, *lines = out.splitlines()
    assert heading.split()[:4] == ["kind", "name", "id", "project"]
    assert [
        name in line for name, line in zip(left.values(), lines, strict=True)
    ]
    bay, *_, project = (" ".join(line.split()) for line in lines)
    assert f"named rms-RUN-… {RUN} unknown delete" in bay
    assert f"? named c_rally_RUN_… {RUN} unknown delete" in project
    assert cloud.deleted == []


def test_with_yes_all_of_it_is_removed_in_order(cloud, run):
    left = cloud.leave(RUN)
    cloud.add("clusters", "production")
    status, out, err = run("--delete", "--yes")
    assert status == 0, err
    assert cloud.deleted == [*left.values()]
    assert cloud.names() == {"production"}
    assert out.splitlines()[-1] == "5 removed, 0 left."
    assert f"removing the bay {left['bay']}" in err
    assert run("--delete", "--yes")[0] == 0


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_a_terminal_is_asked(cloud, run, answer):
    cloud.leave(RUN)
    status, out, _ = run("--delete", answer=answer)
    assert status == 0
    assert "Delete 5 of them? [y/N]" in out
    assert cloud.names() == set()


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yes, but\n"])
def test_without_a_yes_nothing_is_removed(cloud, run, answer):
    cloud.leave(RUN)
    assert run("--delete", answer=answer)[0] == cli.EXIT_LEFT
    assert cloud.deleted == []


def test_ctrl_c_at_the_question_removes_nothing(cloud, run, monkeypatch):
    def interrupted(_self):
        raise KeyboardInterrupt

    cloud.leave(RUN)
    monkeypatch.setattr(Terminal, "readline", interrupted)
    assert run("--delete", answer="y\n")[0] == cli.EXIT_LEFT
    assert cloud.deleted == []


@pytest.mark.parametrize(
    "arguments", [["--delete"], ["--delete", "--json"], ["--yes"]]
)
def test_who_can_not_be_asked_must_say_yes(cloud, run, arguments):
    cloud.leave(RUN)
    status, out, err = run(*arguments)
    assert (status, out) == (cloud_commands.EXIT_INVALID, "")
    assert "--yes" in err
    assert cloud.deleted == []


def test_a_failed_removal_is_told_with_its_reason(cloud, run, monkeypatch):
    monkeypatch.setattr(lifecycle, "POLL_INTERVAL_S", 0.0)
    bay = cloud.leave(RUN)["bay"]
    cloud.leave(OTHER)
    cloud.stuck.add(bay)
    status, out, _ = run("--delete", "--yes")
    assert status == cli.EXIT_LEFT
    assert f"left: bay {bay}: The bay {bay} went to DELETE_FAILED: port" in out
    assert out.splitlines()[-1] == "7 removed, 3 left."


def test_what_a_live_run_has_is_never_removed(cloud, run):
    cloud.leave(RUN)
    kept = run_markers.write(
        run_markers.folder(),
        run_markers.RunMarker(
            "task",
            f"{RUN}-0000",
            run_markers.this_process(),
            "another",
            "another",
            1.0,
        ),
    )
    try:
        arguments = ("--delete", "--yes", "--older-than", "0", "--run", RUN)
        status, out, _ = run(*arguments)
    finally:
        kept.remove()
    assert (status, cloud.deleted) == (0, [])
    assert out.count(f"{RUN} alive") == out.count("keep: ") == 5


def test_what_is_young_stays(cloud, run):
    now = datetime.datetime.now(datetime.UTC).isoformat()
    cloud.leave(RUN, created_at=now)
    status, out, _ = run("--delete", "--yes")
    assert (status, cloud.deleted) == (0, [])
    assert out.count("keep: its run may be alive") == 5
    assert run("--older-than", "0", "--delete", "--yes")[0] == 0
    assert cloud.names() == set()


def test_only_the_chosen_run_is_removed(cloud, run):
    cloud.leave(RUN)
    other = cloud.leave(OTHER)
    workload = f"{RUN}-0000-0000-0000-000000000003"
    assert run("--run", workload, "--delete", "--yes")[0] == 0
    assert cloud.names() == set(other.values())


def test_an_unknown_task_can_not_be_chosen(cloud, run):
    status, _, err = run("--task", "aaaa")
    assert status == cloud_commands.EXIT_INVALID
    assert "--run" in err


def test_json(cloud, run):
    cloud.leave(RUN)
    cloud.add("clusters", f"kept-{OTHER}-aaaaaaaa")
    status, out, _ = run("--json")
    shown = json.loads(out)
    assert (status, shown["problems"]) == (cli.EXIT_LEFT, [])
    actions = [row["action"] for row in shown["rows"]]
    assert actions == ["choose", *["delete"] * 5]
    status, out, _ = run("--json", "--delete", "--yes")
    outcomes = [row["outcome"] for row in json.loads(out)["rows"]]
    assert outcomes == ["", *["removed"] * 5]
    assert status == cli.EXIT_LEFT


def test_what_can_not_be_listed_is_told_and_may_be_left(cloud, run):
    cloud.refuse.add("/clusters")
    status, out, err = run()
    assert (status, out) == (cli.EXIT_LEFT, "Nothing was found.\n")
    assert "Could not list the bays" in err
    cloud.leave(RUN)
    status, out, _ = run("--delete", "--yes")
    assert (status, cloud.deleted) == (cli.EXIT_LEFT, [])
    assert out.count("choose: the age of its run is unknown") == 4


def test_without_an_administrator_this_is_told(cloud, run):
    run.platform["users"] = [run.platform.pop("admin")]
    status, _, err = run()
    assert status == 0
    assert "no administrator" in err


@pytest.mark.parametrize(
    "arguments",
    [["--older-than", "1y"], ["--older-than", "-1h"], ["--run", "frontend"]],
)
def test_wrong_arguments(run, arguments):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == cloud_commands.EXIT_INVALID


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90m", 5400), ("12h", 43200), ("7d", 604800)],
)
def test_ages(text, seconds):
    assert cli._seconds(text) == seconds


# All runs in one process, because loading Rally takes seconds.  Its set-up of
# the log would disturb other tests.
PROGRAM = """
import json, sys
from rally import api
from rally.common import db
from rally.env import env_mgr
from rally_magnum_scale.reap import cli
given = json.load(sys.stdin)
statuses = [cli.main([])]
db.schema.schema_create()
for name, url in given["clouds"].items():
    spec = {"auth_url": f"{url}/v3", "admin": given["admin"]}
    env_mgr.EnvManager.create(name, {"existing@openstack": spec})
env_mgr.EnvManager.create("empty", {})
for name in [*given["clouds"], "empty", "none"]:
    statuses.append(cli.main(["--env", name]))
print(statuses)
"""


def test_the_command_with_a_real_rally(cloud, tmp_path):
    left = cloud.leave(RUN)
    admin = {
        "username": "admin",
        "password": "secret",
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    clouds = {"gone": "http://127.0.0.1:1", "fake": cloud.url}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={
            **os.environ,
            "OS_DATABASE__CONNECTION": f"sqlite:///{tmp_path}/rally.sqlite",
            "HOME": str(tmp_path),
        },
        input=json.dumps({"clouds": clouds, "admin": admin}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *lines, statuses = done.stdout.splitlines()
    # No database, a cloud that is gone, one with leftovers, an environment
    # without a cloud, and no such environment.
    assert json.loads(statuses) == [2, 3, 1, 2, 2], done.stderr
    assert all(name in done.stdout for name in left.values())
    assert "Traceback" not in done.stderr


def test_a_bug_is_not_a_leftover(run, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "_search", broken)
    status, out, err = run()
    assert (status, out) == (cloud_commands.EXIT_NO_CLOUD, "")
    assert "report it" in err
