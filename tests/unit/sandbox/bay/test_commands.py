"""The commands on a bay's folder, as far as they need no root."""

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
    # There is no spec.json: a look at it would fail.
    if status:
        files.write_json(tmp_path / "status.json", {"status": status})
    repair.repair(tmp_path, no_line)


def test_a_bay_that_is_worked_on_is_not_repaired(tmp_path: Path) -> None:
    status = {"status": "CREATE_COMPLETE"}
    files.write_json(tmp_path / "status.json", status)
    with (tmp_path / ".work.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        repair.repair(tmp_path, no_line)
    with pytest.raises(exceptions.SandboxError, match=r"spec\.json"):
        repair.repair(tmp_path, no_line)


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"number": 2, "node_count": "few", "real_nodes": 1, "remove": []},
        {"number": 2, "node_count": 3, "real_nodes": 1},
    ],
)
def test_a_wish_that_can_not_be_read_fails_in_words(
    tmp_path: Path, wish: dict[str, object]
) -> None:
    if wish:
        files.write_json(tmp_path / "wish.json", wish)
    update = resizing.resize(tmp_path)
    assert update["status"] == "UPDATE_FAILED"
    assert "wish.json" in update["reason"]
    assert json.loads((tmp_path / "update.json").read_text()) == update


def test_a_wish_is_read(tmp_path: Path) -> None:
    content = {
        "number": 2,
        "node_count": 3,
        "real_nodes": 1,
        "remove": ["a"],
        "if_there": ["b"],
    }
    files.write_json(tmp_path / "wish.json", content)
    wish = resizing.read_wish(tmp_path)
    assert (wish.number, wish.remove, wish.if_there) == (2, ("a",), ("b",))
