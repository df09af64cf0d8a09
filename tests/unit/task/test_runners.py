"""Ctrl-C and SIGTERM under Rally's own runners, in a real Rally."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
from rally.env import env_mgr

from tests.unit.task import conftest

PLUGINS = pathlib.Path(__file__).parent / "plugins"
RALLY = pathlib.Path(sys.executable).parent / "rally"
RUNNERS = {
    "serial": ({"times": 3}, 1),
    "constant": ({"times": 4, "concurrency": 2}, 2),
}


def variables(folder):
    """Return what lets Rally keep to a folder."""
    return {
        "OS_DATABASE__CONNECTION": f"sqlite:///{folder}/rally.sqlite",
        "HOME": str(folder),
        "RALLY_ENV": "test",
        "RALLY_PLUGIN_PATHS": str(PLUGINS),
    }


@pytest.fixture(scope="module")
def made_rally(tmp_path_factory):
    """Make the database and an environment of a Rally in a folder."""
    folder = tmp_path_factory.mktemp("rally")
    # Here, because a start of Rally takes seconds.
    with conftest.database_in(folder):
        env_mgr.EnvManager.create("test", {})
    return folder


@pytest.fixture
def rally(made_rally, tmp_path, monkeypatch):
    shutil.copytree(made_rally, tmp_path, dirs_exist_ok=True)
    for name, value in variables(tmp_path).items():
        monkeypatch.setenv(name, value)
    return tmp_path


def start(folder, runner, arguments):
    task = folder / "task.json"
    scenario = {"WaitingTest.wait": {"folder": str(folder)}}
    workload = {"title": "w", "scenario": scenario}
    workload["runner"] = {runner: arguments}
    task.write_text(
        json.dumps({"version": 2, "title": "t", "subtasks": [workload]})
    )
    with (folder / "out").open("w") as out:
        return subprocess.Popen(
            [RALLY, "task", "start", str(task)],
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_for_files(folder, pattern, count):
    end = time.monotonic() + 60
    while len(list(folder.glob(pattern))) < count:
        assert time.monotonic() < end, (folder / "out").read_text()
        time.sleep(0.05)


@pytest.mark.parametrize("runner", RUNNERS)
@pytest.mark.parametrize(
    ("number", "to_group"),
    [(signal.SIGINT, True), (signal.SIGTERM, False)],
    ids=["ctrl-c", "sigterm"],
)
def test_an_interrupted_task_cleans_up_and_starts_nothing(
    rally, runner, number, to_group
):
    arguments, running = RUNNERS[runner]
    process = start(rally, runner, arguments)
    try:
        wait_for_files(rally, "started-*", running)
        (os.killpg if to_group else os.kill)(process.pid, number)
        status = process.wait(60)
    finally:
        process.kill()
    said = (rally / "out").read_text()
    assert len(list(rally.glob("started-*"))) == running, said
    assert len(list(rally.glob("removed-*"))) == running, said
    assert f"Interrupted: The run was interrupted by {number.name}" in said
    assert status != 0, said
