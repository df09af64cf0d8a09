"""A killed run whose database is gone, and the command that removes it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rally_magnum_scale import waiting
from rally_magnum_scale.task.recovery import run_markers
from tests.functional import conftest
from tests.functional import test_leftovers
from tests.functional import test_tasks

# The installed script does the same.
REAP = (
    "import sys; from rally_magnum_scale.reap import cli; sys.exit(cli.main())"
)
TWO = {"nodes": 2, "times": 2, "concurrency": 2}
NOW = ("--delete", "--yes", "--older-than", "0")


def reap(
    sandbox: conftest.Sandbox, *arguments: str
) -> tuple[int, list[dict[str, Any]]]:
    """Run the command; return its exit status and the rows of its JSON."""
    done = sandbox.run(sys.executable, "-c", REAP, "--json", *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["rows"]


def killed(
    sandbox: conftest.Sandbox, database: Path, log: Path
) -> test_leftovers.Killed:
    """Kill a task with two bays, and remove the database that knew it.

    :param log: of the task
    """
    cloud = test_leftovers.Cloud(sandbox, database.parent)
    variables = {
        "HOME": str(database.parent),
        "OS_DATABASE__CONNECTION": f"sqlite:///{database}",
    }
    create = ("env", "create", "--no-use", "--from-sysenv", "--name")
    for command in (("db", "create"), (*create, "sandbox")):
        done = sandbox.rally(*command, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
    command = ["rally", *test_tasks.command(test_leftovers.SAMPLE, TWO)]
    env = sandbox.env | variables

    def shown() -> set[str] | None:
        names = test_leftovers.asked_for(log.read_text())
        return names if len(names) == 2 and names <= cloud.bays() else None

    with (
        log.open("w") as out,
        subprocess.Popen(
            command, stdout=out, stderr=out, cwd=conftest.CHECKOUT, env=env
        ) as process,
    ):
        try:
            names = waiting.wait_for(
                shown,
                what="two bays in Magnum",
                deadline_s=180,
                interval_s=conftest.LOOK_EVERY_S,
                progress=lambda: log.read_text()[-2000:],
                sleep=time.sleep,
            )
        finally:
            test_tasks.kill(process)
    database.unlink()
    owner = min(names).split("-")[1]
    return test_leftovers.Killed(
        test_tasks.task_of(log.read_text()), owner, names
    )


@pytest.fixture
def dead(
    sandbox: conftest.Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[test_leftovers.Killed]:
    """A run that was killed, with its marker in a folder of its own."""
    monkeypatch.setenv(run_markers.FOLDER_VARIABLE, str(tmp_path))
    run = killed(sandbox, tmp_path / "rally.db", tmp_path / "log")
    yield run
    # What a test that failed has left.
    reap(sandbox, "--run", run.owner, *NOW)


def test_what_a_run_left_is_removed_without_its_database_and_marker(
    sandbox: conftest.Sandbox, dead: test_leftovers.Killed, tmp_path: Path
) -> None:
    mine = ("--run", dead.owner)
    status, rows = reap(sandbox, *mine)
    assert status == 1
    assert dead.bays == {r["name"] for r in rows if r["kind"] == "bay"}
    assert {"bay", "user", "project"} <= {row["kind"] for row in rows}
    assert {row["task"] for row in rows} == {dead.task}
    assert {row["state"] for row in rows} == {"dead"}
    assert {row["action"] for row in rows} == {"delete"}

    # As if another machine had started it.
    for marker in (tmp_path / "runs").glob("*.json"):
        marker.unlink()
    status, rows = reap(sandbox, *mine, "--delete", "--yes")
    assert status == 0
    assert {row["state"] for row in rows} == {"unknown"}
    assert {row["action"] for row in rows} == {"keep"}

    status, rows = reap(sandbox, *mine, *NOW)
    assert status == 0
    assert {row["outcome"] for row in rows} == {"removed"}
    cloud = test_leftovers.Cloud(sandbox, tmp_path)
    assert not dead.bays & cloud.bays()
    assert cloud.tenants(dead.owner) == []
    assert reap(sandbox, *mine) == (0, [])
