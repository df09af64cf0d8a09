"""What `status` says of a bay."""

import os

import pytest

from rally_magnum_scale.sandbox import settings
from rally_magnum_scale.sandbox import status
from rally_magnum_scale.sandbox.servers import bay_folder


@pytest.fixture
def bay(tmp_path):
    found = bay_folder.Bay(tmp_path / "some-uuid")
    found.folder.mkdir()
    spec = {"name": "night", "uuid": "some-uuid", "node_count": 200}
    spec["real_nodes"] = 1
    bay_folder.write_json(found.folder / "spec.json", spec)
    return found


def own_process():
    return bay_folder.Process.running(os.getpid()).record()


def test_a_bay_that_is_being_made(bay):
    bay.note(created_s=100.0, maker=own_process())
    assert status.bay_line(bay, 112.0) == (
        "bay night some-uuid CREATE_IN_PROGRESS 200 nodes (1 real), 12 s old"
    )


def test_a_bay_that_is_there(bay):
    bay.note(maker={"pid": 1, "start_ticks": -5})
    bay_folder.write_json(
        bay.folder / "status.json", {"status": "CREATE_COMPLETE"}
    )
    assert status.bay_state(bay) == "CREATE_COMPLETE"


def test_a_bay_whose_maker_died(bay):
    bay.note(maker={"pid": 1, "start_ticks": -5})
    assert status.bay_state(bay) == "CREATE_FAILED"


def test_a_bay_that_is_being_removed(bay):
    bay.note(deleter=own_process())
    assert status.bay_state(bay) == "DELETE_IN_PROGRESS"


def test_no_sandbox(tmp_path):
    none = settings.Settings(tmp_path / "none", tmp_path)
    assert status.lines(none) == [f"there is no sandbox in {tmp_path}/none"]
