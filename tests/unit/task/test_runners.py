"""Ctrl-C and SIGTERM under Rally's own runners, in a real Rally."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

PLUGINS = pathlib.Path(__file__).parent / "plugins"
RALLY = pathlib.Path(sys.executable).parent / "rally"
RUNNERS = {
    "serial": ({"times": 3}, 1),
    "constant": ({"times": 4, "concurrency": 2}, 2),
}


@pytest.fixture
def rally(tmp_path, monkeypatch):
    monkeypatch.setenv(
        "OS_DATABASE__CONNECTION", f"sqlite:///{tmp_path}/rally.sqlite"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RALLY_PLUGIN_PATHS", str(PLUGINS))
    for command in (["db", "create"], ["env", "create", "--name", "test"]):
        subprocess.run([RALLY, *command], check=True, capture_output=True)
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
