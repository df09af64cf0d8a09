"""The command `status`."""

import dataclasses
import json
import os
import socket

import pytest

from rally_magnum_sandbox import folders
from rally_magnum_sandbox import memory
from rally_magnum_sandbox import processes
from rally_magnum_sandbox import settings
from rally_magnum_sandbox import status
from rally_magnum_sandbox import status_text
from rally_magnum_sandbox.bay import roster
from rally_magnum_sandbox.servers import bay_folder

ENDED = {"pid": 1, "start_ticks": -5}


@pytest.fixture
def bay(tmp_path):
    # No control group has this name, so the bay has no processes.
    found = bay_folder.Bay(tmp_path / "state" / "bays" / "feedfeed")
    found.folder.mkdir(parents=True)
    spec = {
        "name": "night",
        "uuid": "feedfeed-uuid",
        "index": 7,
        "node_count": 200,
        "real_nodes": 1,
        "kubernetes_binary": "/binary",
        "image_store": "/image",
        "cgroup": "rally-magnum-sandbox/bays/feedfeed",
    }
    bay_folder.write_json(found.folder / "spec.json", spec)
    return found


@pytest.fixture
def sandbox(tmp_path):
    found = settings.Settings(tmp_path / "state", tmp_path / "cache", 64000)
    (found.state_dir / "run").mkdir(parents=True, exist_ok=True)
    found.bays_dir.mkdir(exist_ok=True)
    return found


def own_process():
    return bay_folder.Process.running(os.getpid()).record()


def test_the_state_of_a_bay_that_is_being_created(bay):
    bay.note(created_s=100.0, maker=own_process())
    assert status.bay_state(bay) == "CREATE_IN_PROGRESS"


def test_the_fields_of_a_complete_bay(bay, sandbox):
    bay.note(created_s=100.0, maker=ENDED)
    bay_folder.write_json(
        bay.folder / "status.json", {"status": "CREATE_COMPLETE"}
    )
    (found,) = status.read(sandbox, now_s=3760.0).bays
    assert found == status.Bay(
        name="night",
        uuid="feedfeed-uuid",
        status="CREATE_COMPLETE",
        nodes=200,
        real_nodes=1,
        api_address="198.18.7.1",
        api_port=6443,
        processes=0,
        memory_bytes=0,
        age_s=3660.0,
        failed={},
    )


def test_a_bay_has_a_row_and_counts_in_the_totals(bay, sandbox):
    bay.note(created_s=100.0, maker=own_process())
    lines = status_text.lines(status.read(sandbox, now_s=3760.0))
    (row,) = [line.split() for line in lines if line.startswith("night")]
    assert row[:6] == [
        "night",
        "feedfeed-uuid",
        "CREATE_IN_PROGRESS",
        "200",
        "1",
        "198.18.7.1:6443",
    ]
    assert row[-4:] == ["1", "h", "1", "min"]
    assert any("1 bay(s), 200 nodes (1 real)" in line for line in lines)


def test_machines_that_were_made_to_fail_are_listed(bay, sandbox):
    bay_folder.write_json(
        bay.folder / "status.json", {"status": "CREATE_COMPLETE"}
    )
    members = (
        roster.Member(0, 0, whole=True, stopped=True),
        roster.Member(1, 1, whole=True),
    )
    roster.write(bay.folder, roster.Roster(members))
    found = status.read(sandbox)
    assert found.bays[0].status == "CREATE_COMPLETE"
    assert found.bays[0].failed == {"night-node-0": "stopped"}
    lines = status_text.lines(found)
    assert "night: night-node-0 is stopped, as requested" in lines


def test_the_version_of_magnum_is_shown(tmp_path):
    known = settings.Settings(
        tmp_path / "state", tmp_path / "cache", magnum="22"
    )
    folders.claim(known)
    known.bays_dir.mkdir()
    found = status.read(dataclasses.replace(known, magnum=None))
    assert found.magnum_version == "22.0.0"
    assert "Magnum 22.0.0" in status_text.lines(found)


def test_a_bay_whose_create_died_has_failed(bay):
    bay.note(maker=ENDED)
    assert status.bay_state(bay) == "CREATE_FAILED"


def test_the_states_of_a_delete(bay):
    bay.note(maker=ENDED, resizer=ENDED, deleter=own_process())
    assert status.bay_state(bay) == "DELETE_IN_PROGRESS"
    bay.note(deleter=ENDED)
    assert status.bay_state(bay) == "DELETE_FAILED"


def test_the_states_of_a_resize(bay):
    bay.note(maker=ENDED, resizer=own_process())
    assert status.bay_state(bay) == "UPDATE_IN_PROGRESS"
    bay.note(resizer=ENDED)
    bay_folder.write_json(bay.folder / "wish.json", {"number": 2})
    assert status.bay_state(bay) == "UPDATE_FAILED"
    bay_folder.write_json(
        bay.folder / "update.json", {"wish": 2, "status": "UPDATE_COMPLETE"}
    )
    assert status.bay_state(bay) == "UPDATE_COMPLETE"


@pytest.mark.parametrize("state", ["CREATE", "DELETE"])
def test_a_hanging_bay_stays_in_progress(bay, state):
    bay.note(hangs=f"{state}_IN_PROGRESS", maker=ENDED)
    assert status.bay_state(bay) == f"{state}_IN_PROGRESS"


def test_a_delete_that_is_made_to_fail_has_failed(bay):
    bay.note(delete_reason="volume is in use", maker=ENDED)
    assert status.bay_state(bay) == "DELETE_FAILED"


def test_a_bay_with_an_empty_spec_is_not_an_error(sandbox):
    (sandbox.bays_dir / "half").mkdir()
    (sandbox.bays_dir / "half" / "spec.json").write_text("{}")
    (found,) = status.read(sandbox).bays
    assert (found.nodes, found.api_address) == (None, None)
    assert status_text.lines(status.read(sandbox))


def test_a_server_is_up_if_it_is_alive_and_listens(sandbox):
    bay_folder.write_json(
        processes.record_file(sandbox.state_dir, "stub"), own_process()
    )
    by_name = {x.name: x for x in status.read(sandbox).servers}
    assert by_name["stub"].pid == os.getpid()
    assert not by_name["stub"].up
    assert by_name["magnum"].pid is None
    with socket.create_server(("127.0.0.1", sandbox.stub_port)):
        found = status.read(sandbox)
        by_name = {x.name: x for x in found.servers}
        assert by_name["stub"].up
        assert by_name["stub"].age_s > 0
        assert not found.up
    text = "\n".join(status_text.lines(found))
    assert "rally-magnum-sandbox up" in text
    assert "1 of 4 servers up" in text


def test_no_sandbox(tmp_path):
    none = settings.Settings(tmp_path / "none", tmp_path)
    (line,) = status_text.lines(status.read(none))
    assert line.startswith(f"there is no sandbox in {tmp_path}/none")


def test_json_has_the_documented_keys(bay, sandbox):
    found = json.loads(status_text.as_json(status.read(sandbox)))
    assert found["exists"] is True
    assert found["bays"][0]["uuid"] == "feedfeed-uuid"
    assert found["servers"][0]["address"] == "127.0.0.1:64003"
    assert {"memory_kind", "state_bytes", "disk_free_bytes"} <= set(found)


def test_columns_are_aligned():
    drawn = status_text.table(["A", ">N"], [["long name", "7"], ["x", "1000"]])
    assert drawn == ["A             N", "long name     7", "x          1000"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.4, "0 s"),
        (61, "1 min 1 s"),
        (7260, "2 h 1 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_ages_have_two_units(seconds, text):
    assert status_text.age(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "-"), (0, "0 MB"), (12_400_000, "12 MB"), (10**9, "1.00 GB")],
)
def test_sizes_are_powers_of_ten(number, text):
    assert status_text.size(number) == text


def test_the_memory_of_a_process_is_counted():
    own = memory.of_processes([os.getpid()])
    assert own.kind == "pss"
    assert 10**6 < own.size_bytes < 10**10
    assert memory.of_processes([]).size_bytes == 0
    assert memory.of_processes([2**22 + 1]).size_bytes == 0


def test_memory_is_rss_if_the_kernel_hides_the_pss(tmp_path):
    # Root can read every PSS, so the test fakes the kernel's files.
    for pid, pages in (("7", 100), ("8", 10)):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "statm").write_text(f"5000 {pages} 3 1 0 9 0\n")
    (tmp_path / "7" / "smaps_rollup").mkdir()
    (tmp_path / "8" / "smaps_rollup").write_text("Rss: 9 kB\nPss:   4 kB\n")
    page = os.sysconf("SC_PAGE_SIZE")
    assert memory.of_processes([7, 8], str(tmp_path)) == memory.Memory(
        100 * page + 4096, "rss"
    )
    assert memory.of_processes([8], str(tmp_path)).kind == "pss"
