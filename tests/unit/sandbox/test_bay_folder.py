"""The files in which Magnum's driver keeps a bay's state."""

import os
import subprocess
import sys
import time

import pytest

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.servers import bay_folder


@pytest.fixture
def bays(tmp_path):
    return bay_folder.Bays(tmp_path)


def make(bays, uuid, index):
    bay = bays.bay(uuid)
    bay.folder.mkdir()
    bay_folder.write_json(bay.folder / "spec.json", {"index": index})
    return bay


INDEXES = range(60, 120)


def test_indexes_are_used_in_turn(bays):
    assert [bays.free_index(INDEXES) for _ in range(3)] == [60, 61, 62]


def test_an_index_in_use_is_skipped(bays):
    make(bays, "a", 61)
    assert [bays.free_index(INDEXES) for _ in range(2)] == [60, 62]


def test_indexes_wrap_around(bays):
    make(bays, "a", 60)
    bay_folder.write_json(bays.folder / ".last-index.json", {"index": 119})
    assert bays.free_index(INDEXES) == 61


def test_a_bay_beyond_the_maximum_is_refused(bays):
    for index in INDEXES:
        make(bays, f"bay-{index}", index)
    with pytest.raises(exceptions.SandboxError, match="60 bays"):
        bays.free_index(INDEXES)


def test_notes_add_up(bays):
    bay = make(bays, "a", 0)
    bay.note(created_s=1.0)
    bay.note(maker={"pid": 1, "start_ticks": 2})
    assert bay.notes()["created_s"] == 1.0
    assert bay_folder.Process.of(bay.notes()["maker"]).pid == 1


def test_missing_files_read_as_empty(bays):
    bay = bays.bay("none")
    assert (bay.spec(), bay.status(), bay.notes()) == ({}, {}, {})
    assert bay.log_tail() == ""
    assert bays.all() == []


def test_the_error_for_a_missing_binary_names_the_command(bays):
    with pytest.raises(exceptions.SandboxError, match="sandbox up"):
        bays.artifacts()


def test_a_process_is_identified_by_pid_and_start():
    own = bay_folder.Process.running(os.getpid())
    assert own.alive()
    assert not bay_folder.Process(own.pid, own.start_ticks - 1).alive()
    assert bay_folder.Process.of(own.record()) == own


def test_a_process_that_never_existed_is_not_alive():
    assert not bay_folder.Process.running(2**22 + 1).alive()


def test_a_killed_group_is_not_alive():
    script = "import time; time.sleep(60)"
    child = subprocess.Popen(
        [sys.executable, "-c", script], start_new_session=True
    )
    process = bay_folder.Process.running(child.pid)
    assert process.alive()
    process.kill_group()
    # A zombie, which its parent has not reaped yet, counts as dead.
    assert not process.alive()
    assert child.wait(5) < 0


def test_a_partial_write_is_never_read(tmp_path):
    path = tmp_path / "x.json"
    bay_folder.write_json(path, {"a": 1})
    assert [found.name for found in tmp_path.iterdir()] == ["x.json"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_mtime <= time.time() + 1


def finished(bay, number):
    bay_folder.write_json(bay.folder / "update.json", {"wish": number})


def wish_of(bay):
    return bay_folder.read_json(bay.folder / "wish.json")


def test_a_resize_has_no_result_until_it_has_finished(bays):
    bay = make(bays, "a", 0)
    bay.wish(5, 1, ["x"])
    assert bay.update() == {}
    finished(bay, 1)
    assert bay.update() == {"wish": 1}
    bay.wish(6, 1, [])
    assert bay.update() == {}
    assert wish_of(bay)["if_there"] == []


def test_a_new_resize_replaces_a_running_resize(bays):
    bay = make(bays, "a", 0)
    bay.wish(5, 1, ["x"])
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as child:
        bay.note(resizer=bay_folder.Process.running(child.pid).record())
        bay.wish(6, 1, ["y"])
        assert child.wait(5) < 0
    wish = wish_of(bay)
    assert (wish["number"], wish["node_count"]) == (2, 6)
    assert (wish["remove"], wish["if_there"]) == (["y"], ["x"])


def test_a_failed_resize_is_not_continued(bays):
    bay = make(bays, "a", 0)
    bay.wish(5, 1, ["x"])
    bay.note(resizer=bay_folder.Process.running(2**22 + 1).record())
    bay.wish(6, 1, [])
    assert wish_of(bay)["if_there"] == []


def test_a_refused_resize_keeps_the_size(bays):
    bay = bays.bay("a")
    bay.folder.mkdir()
    bay_folder.write_json(bay.folder / "spec.json", {"node_count": 3})
    bay.wish(5, 1, [])
    bay.refuse_wish("UPDATE_FAILED", "no host")
    assert bay.update() == {
        "wish": 1,
        "status": "UPDATE_FAILED",
        "reason": "no host",
        "node_count": 3,
    }
