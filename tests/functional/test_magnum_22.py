"""The sandbox with Magnum 22, which clouds still run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functional.conftest import Sandbox

ARGUMENTS = {"nodes": 3, "sizes": [5, 2], "api_bounds": False}


@pytest.mark.long
def test_a_bay_is_created_resized_and_deleted(sandbox: Sandbox) -> None:
    refused = sandbox.command("up", "--magnum", "22")
    assert refused.returncode == 1
    assert "has Magnum 23" in refused.stderr
    sandbox.down()
    try:
        done = sandbox.command("up", "--magnum", "22", deadline_s=2400)
        assert done.returncode == 0, done.stdout + done.stderr
        # It holds until `down`.
        sandbox.up()
        assert status(sandbox)["magnum_version"].startswith("22.")
        task = "samples/tasks/resize-bay.json"
        ran = sandbox.rally(
            *("task", "start", task, "--task-args", json.dumps(ARGUMENTS))
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert status(sandbox)["bays"] == []
    finally:
        sandbox.down()
        sandbox.up()


def status(sandbox: Sandbox) -> dict[str, Any]:
    """Read what ``status --json`` says."""
    done = sandbox.command("status", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
