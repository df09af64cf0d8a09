"""One task of the night, and what a killed night left running."""

import os
import pathlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from rally_magnum_scale import commands
from rally_magnum_scale import interruption
from rally_magnum_scale.nightly import processes
from rally_magnum_scale.nightly import rally_tasks
from rally_magnum_scale.nightly import settings
from tests.unit.nightly import stand_in_rally

PROGRAM = pathlib.Path(stand_in_rally.__file__)
TASK = settings.TaskSettings("some", pathlib.Path("some.json"))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "RALLY", str(PROGRAM))

    def run_it(way, limit_s=30.0, grace_s=30.0):
        return rally_tasks.run(
            TASK,
            {**os.environ, "STAND_IN_WAY": way},
            tmp_path / "some.log",
            limit_s=limit_s,
            grace_s=grace_s,
            log=lambda line: None,
        )

    return run_it


def begun(log):
    """Wait until the task has begun, and so takes signals."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if log.exists() and "started" in log.read_text():
            return
        time.sleep(0.05)
    pytest.fail("it did not begin")


def test_a_task_runs_to_its_end(run):
    ended = run("end")
    assert ended.uuid == stand_in_rally.UUID
    assert (ended.status, ended.cut_short) == (2, "")
    assert ended.last_line.endswith("started")


def test_a_task_that_never_began_has_no_uuid(run):
    ended = run("not-begin")
    assert (ended.uuid, ended.status) == ("", 1)
    assert ended.last_line == "No cloud answers."


def test_the_uuid_and_the_output_are_read_from_the_log(run, tmp_path):
    ended = run("refuse")
    assert (ended.uuid, ended.status) == (stand_in_rally.UUID, 114)
    assert ended.output.startswith("Input task is invalid!")
    assert ended.output.endswith("{'type': 'object'}")
    assert run("end").output == ""


def test_a_deadline_interrupts_as_ctrl_c_does(run):
    ended = run("hang", limit_s=3.0)
    assert ended.cut_short == "it was interrupted at its deadline of 3 s"
    assert (ended.status, ended.last_line) == (130, "Removed what was made.")


def test_who_does_not_listen_is_killed(run, monkeypatch):
    monkeypatch.setattr(processes, "_LAST_GRACE_S", 0.5)
    ended = run("deaf", limit_s=3.0, grace_s=0.5)
    assert ended.status == -9
    assert "deadline" in ended.cut_short


def test_an_interrupted_night_interrupts_its_task_once(run, tmp_path):
    def interrupt():
        begun(tmp_path / "some.log")
        interruption._note(2, None)

    handlers = interruption.install()
    try:
        with ThreadPoolExecutor() as threads:
            interrupted = threads.submit(interrupt)
            ended = run("hang")
            interrupted.result()
    finally:
        interruption.restore(interruption.install())
        interruption.restore(handlers)
    assert ended.cut_short == (
        "it was interrupted because the night was interrupted"
    )
    assert ended.status == 130


def test_processes_of_a_killed_night_are_found_by_its_folder(tmp_path):
    def child(folder):
        log = tmp_path / f"{folder}.log"
        variables = {
            processes.NIGHT_VARIABLE: str(tmp_path / folder),
            "STAND_IN_WAY": "hang",
        }
        with log.open("wb") as stream:
            started = subprocess.Popen(
                [sys.executable, PROGRAM, "task", "start"],
                env={**os.environ, **variables},
                stdout=stream,
            )
        begun(log)
        return started

    ours, others = child("ours"), child("others")
    try:
        lines = []
        assert processes.end_killed(tmp_path / "ours", 30.0, lines.append) == 1
        assert "ending the 1 processes" in lines[0]
        assert ours.wait(timeout=30) == 130
        assert others.poll() is None
        assert processes.is_alive(psutil.Process(others.pid))
        assert processes.end_killed(tmp_path / "ours", 30.0, lines.append) == 0
    finally:
        for one in (ours, others):
            one.kill()
            one.wait()
