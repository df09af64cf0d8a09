"""The commands on a bay's folder that work without root."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay import repair
from rally_magnum_sandbox.bay import resizing


def no_line(line: str) -> None:
    raise AssertionError(line)


@pytest.mark.parametrize("status", [None, "CREATE_FAILED"])
def test_a_bay_that_is_not_complete_is_not_repaired(
    tmp_path: Path, status: str | None
) -> None:
    # There is no spec.json, so a repair would fail to read it.
    if status:
        files.write_json(tmp_path / "status.json", {"status": status})
    repair.repair(tmp_path, no_line)


def test_a_locked_bay_is_not_repaired(tmp_path: Path) -> None:
    status = {"status": "CREATE_COMPLETE"}
    files.write_json(tmp_path / "status.json", status)
    with (tmp_path / ".work.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        repair.repair(tmp_path, no_line)
    with pytest.raises(exceptions.SandboxError, match=r"spec\.json"):
        repair.repair(tmp_path, no_line)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"number": 2, "node_count": "few", "real_nodes": 1, "remove": []},
        {"number": 2, "node_count": 3, "real_nodes": 1},
    ],
)
def test_an_invalid_desired_size_fails_with_a_reason(
    tmp_path: Path, content: dict[str, object]
) -> None:
    if content:
        files.write_json(tmp_path / "wish.json", content)
    update = resizing.resize(tmp_path)
    assert update["status"] == "UPDATE_FAILED"
    assert "wish.json" in update["reason"]
    assert json.loads((tmp_path / "update.json").read_text()) == update


def test_a_desired_size_is_read(tmp_path: Path) -> None:
    content = {
        "number": 2,
        "node_count": 3,
        "real_nodes": 1,
        "remove": ["a"],
        "if_there": ["b"],
    }
    files.write_json(tmp_path / "wish.json", content)
    found = resizing.read_wish(tmp_path)
    assert (found.number, found.remove, found.if_there) == (2, ("a",), ("b",))
