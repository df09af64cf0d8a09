"""Marks of runs, with real processes that live and die."""

import dataclasses
import json
import os
import subprocess
import sys
import time

import pytest

from rally_magnum_scale.task.recovery import run_markers

DATABASE = "0" * 64
CLOUD = "http://keystone/v3 (RegionOne)"

# Writes a mark, says so, and lives until it is killed or its input ends;
# "fork" leaves a child that lives on, as a runner's worker does.
RUN = """
import os, pathlib, sys
from rally_magnum_scale.task.recovery import run_markers
mark = run_markers.RunMarker(
    "dead-task", "dead-workload", run_markers.this_process(),
    sys.argv[2], sys.argv[3], 1.0,
)
kept = run_markers.write(pathlib.Path(sys.argv[1]), mark)
if sys.argv[4:] == ["fork"] and os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print("written", flush=True)
sys.stdin.read()
"""


def mark(task="own-task", **changes):
    process = run_markers.this_process()
    own = run_markers.RunMarker(
        task, "own-workload", process, DATABASE, CLOUD, 1.0
    )
    return dataclasses.replace(own, **changes)


class Run:
    """A run in a process of its own."""

    def __init__(self, folder, *arguments, database=DATABASE, cloud=CLOUD):
        command = [sys.executable, "-c", RUN, str(folder), database, cloud]
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout.readline() == b"written\n"

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        if not self.process.stdin.closed:
            self.process.communicate()


@pytest.fixture
def runs(tmp_path):
    """Start runs that end with the test."""
    begun = []

    def start(*arguments, **options):
        begun.append(Run(tmp_path, *arguments, **options))
        return begun[-1]

    yield start
    for run in begun:
        run.end()


def read(folder):
    lines = []
    return run_markers.read_all(folder, lines.append), lines


def judged(found):
    own = mark()
    return run_markers.judge(
        found,
        own.process,
        own.cloud,
        same_database=found.mark.database == own.database,
    )


def judge(folder):
    ((found,), lines) = read(folder)
    assert lines == []
    return judged(found)


@pytest.mark.usefixtures("no_umask")
def test_a_mark_is_read_as_it_was_written_and_only_by_its_user(tmp_path):
    folder = tmp_path / "deep" / "runs"
    kept = run_markers.write(folder, mark())
    ((found,), lines) = read(folder)
    assert found.mark == mark()
    assert found.held
    assert lines == []
    assert kept.path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    kept.remove()
    assert list(folder.iterdir()) == []


def test_a_run_that_goes_on_is_alive(tmp_path, runs):
    runs()
    verdict, why = judge(tmp_path)
    assert verdict is run_markers.RunState.ALIVE
    assert "is alive" in why


def test_a_run_that_was_killed_is_dead(tmp_path, runs):
    runs().kill()
    verdict, why = judge(tmp_path)
    assert verdict is run_markers.RunState.DEAD
    assert "is gone" in why


def test_a_run_whose_worker_lives_is_alive(tmp_path, runs):
    run = runs("fork")
    run.kill()
    assert judge(tmp_path)[0] is run_markers.RunState.ALIVE
    run.end()
    deadline = time.monotonic() + 20
    while judge(tmp_path)[0] is run_markers.RunState.ALIVE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert judge(tmp_path)[0] is run_markers.RunState.DEAD


def test_the_zombie_of_a_killed_run_is_dead(tmp_path, runs):
    run = runs()
    run.process.kill()
    os.waitid(os.P_PID, run.process.pid, os.WEXITED | os.WNOWAIT)
    assert judge(tmp_path)[0] is run_markers.RunState.DEAD


def rewrite(folder, **changes):
    """Change the process of the only mark."""
    (path,) = folder.glob("*.json")
    content = json.loads(path.read_text())
    content["process"] |= changes
    path.write_text(json.dumps(content))


def test_a_process_number_that_came_again_is_another_process(tmp_path, runs):
    runs().kill()
    rewrite(tmp_path, pid=os.getpid(), start_ticks=1)
    assert judge(tmp_path)[0] is run_markers.RunState.DEAD
    own = run_markers.start_ticks(os.getpid())
    rewrite(tmp_path, start_ticks=own)
    assert judge(tmp_path)[0] is run_markers.RunState.ALIVE


@pytest.mark.parametrize("key", ["boot", "namespace"])
def test_a_restart_ends_every_process(tmp_path, runs, key):
    runs().kill()
    own = run_markers.this_process()
    alive = {"pid": own.pid, "start_ticks": own.start_ticks}
    rewrite(tmp_path, **alive, **{key: "earlier"})
    assert judge(tmp_path)[0] is run_markers.RunState.DEAD


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"host": "elsewhere"}, "on the host elsewhere"),
        ({"machine": "another"}, "only a start on that host"),
    ],
)
def test_a_run_on_another_host_is_not_judged(tmp_path, runs, changes, words):
    runs().kill()
    rewrite(tmp_path, **changes)
    verdict, why = judge(tmp_path)
    assert verdict is run_markers.RunState.UNKNOWN
    assert words in why


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"database": "1" * 64}, "another Rally database"),
        ({"cloud": "http://other/v3 (R)"}, "another cloud, http://other"),
    ],
)
def test_a_run_elsewhere_is_never_proven_dead(tmp_path, runs, changes, words):
    runs(**changes).kill()
    verdict, why = judge(tmp_path)
    assert verdict is run_markers.RunState.UNKNOWN
    assert words in why


def test_without_locks_a_run_is_not_proven_dead(tmp_path, runs):
    runs().kill()
    ((found,), _) = read(tmp_path)
    unknown = dataclasses.replace(found, held=None)
    verdict, why = judged(unknown)
    assert verdict is run_markers.RunState.UNKNOWN
    assert "does not support locks" in why


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"version": "1"}',
        b'{"version": 1}',
        json.dumps(mark(task="").to_json()).encode(),
        json.dumps(mark(task=5).to_json()).encode(),
        json.dumps(mark().to_json() | {"process": {"pid": 1}}).encode(),
        json.dumps(mark().to_json() | {"process": None}).encode(),
        json.dumps(mark().to_json() | {"started_at": "soon"}).encode(),
    ],
)
def test_a_broken_marker_is_reported_and_moved_aside(tmp_path, content):
    (tmp_path / "broken.json").write_bytes(content)
    kept = run_markers.write(tmp_path, mark())
    (found, lines) = read(tmp_path)
    assert [each.path for each in found] == [kept.path]
    assert len(lines) == 1
    assert "can't be read" in lines[0]
    assert (tmp_path / "broken.unreadable").read_bytes() == content
    assert read(tmp_path)[1] == []
    kept.remove()


def test_a_marker_of_a_newer_release_is_left_alone(tmp_path):
    path = tmp_path / "newer.json"
    path.write_text('{"version": 2, "what": "ever"}')
    (found, lines) = read(tmp_path)
    assert found == []
    assert "newer release" in lines[0]
    assert path.exists()


def test_a_marker_that_is_left_is_found_by_the_next_start(tmp_path):
    kept = run_markers.write(tmp_path, mark())
    kept.leave()
    ((found,), _) = read(tmp_path)
    assert found.held is False


def test_one_start_at_a_time_removes(tmp_path):
    with (
        run_markers.alone(tmp_path) as first,
        run_markers.alone(tmp_path, deadline_s=0.1) as second,
    ):
        assert (first, second) == (True, False)
    with run_markers.alone(tmp_path, deadline_s=0.1) as third:
        assert third


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"RALLY_MAGNUM_SCALE_STATE": "/s", "HOME": "/h"}, "/s/runs"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/rally-magnum-scale/runs"),
        ({"HOME": "/h"}, "/h/.local/state/rally-magnum-scale/runs"),
    ],
)
def test_the_folder_follows_the_environment(environ, folder):
    assert str(run_markers.folder(environ)) == folder


def test_the_command_of_a_process_may_hold_anything(tmp_path):
    program = tmp_path / "a ) Z 1 2 (b"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([program, "60"])
    try:
        assert run_markers.start_ticks(process.pid) > 0
    finally:
        process.kill()
        process.wait()
    assert run_markers.start_ticks(process.pid) is None
