"""The demo: from nothing to pages and back, or broken off in the middle.

It takes the sandbox down at its end, so these tests do so first, and bring
it up again for the others.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from rally_magnum_scale import waiting
from tests.functional import conftest
from tests.functional import host_state

TASKS = conftest.CHECKOUT / "samples" / "tasks"
ARGUMENTS = json.loads(
    (conftest.CHECKOUT / "samples" / "args" / "sandbox.json").read_text()
)
STEP = {"rate_rps": 500, "duration_s": 300, "ramp_s": 1}
LOAD = {**ARGUMENTS, "nodes": 3, "steps": [STEP], "min_rps": 490}
SMALL = {"nodes": 2, "max_create_s": 120, "max_delete_s": 120}


@pytest.fixture(scope="module")
def away(sandbox: conftest.Sandbox) -> Iterator[conftest.Sandbox]:
    """A machine without a sandbox, until it is brought up for other files.

    Each demo takes its own sandbox down.
    """
    sandbox.down()
    try:
        yield sandbox
    finally:
        sandbox.up()


def command(folder: Path, task: str, arguments: dict[str, Any]) -> list[str]:
    args = folder / "args.json"
    args.write_text(json.dumps(arguments))
    given = {
        "--task": TASKS / task,
        "--args": args,
        "--reports": folder / "reports",
    }
    return [
        conftest.PROGRAM,
        "demo",
        *(str(word) for pair in given.items() for word in pair),
    ]


def run(
    folder: Path, task: str, arguments: dict[str, Any]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, task, arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@contextlib.contextmanager
def started(
    folder: Path, task: str, arguments: dict[str, Any]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a demo; what of it still runs at the end is killed."""
    with (folder / "said").open("w") as out:
        process = subprocess.Popen(
            command(folder, task, arguments),
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    family = psutil.Process(process.pid)
    try:
        yield process
    finally:
        if process.poll() is None:
            for one in [*family.children(recursive=True), family]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        process.wait(30)


def interrupt(
    folder: Path,
    task: str,
    arguments: dict[str, Any],
    when: str,
    number: signal.Signals,
) -> tuple[int, str]:
    """Send a signal to a demo that has come to some words.

    :returns: its exit status, and what it said
    """
    said = folder / "said"
    with started(folder, task, arguments) as process:
        waiting.wait_for(
            lambda: when in said.read_text() or None,
            what=f"{when!r} in what the demo says",
            deadline_s=300,
            interval_s=0.2,
            progress=lambda: said.read_text()[-2000:],
            sleep=time.sleep,
        )
        os.kill(process.pid, number)
        status = process.wait(300)
    return status, said.read_text()


def left_of(sandbox: conftest.Sandbox, said: str) -> set[str]:
    """Name the bays that a demo spoke of and that are still there."""
    found = json.loads(sandbox.command("status", "--json").stdout)["bays"]
    spoken = set(re.findall(r"rms-\w{8}-\w{8}", said))
    assert spoken, said
    return spoken & {each["name"] for each in found}


def test_a_demo_in_a_sandbox_that_is_up_leaves_it_up(
    sandbox: conftest.Sandbox, tmp_path: Path
) -> None:
    done = run(tmp_path, "create-and-delete.json", SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "was up before the demo, and stays up" in done.stdout
    assert sandbox.settings.ready_file.exists()


def test_an_interrupted_demo_removes_its_bays_from_a_sandbox_that_was_up(
    sandbox: conftest.Sandbox, tmp_path: Path
) -> None:
    status, said = interrupt(
        tmp_path,
        "create-and-delete.json",
        {**SMALL, "nodes": 50, "times": 3},
        "asking Magnum for the bay",
        signal.SIGINT,
    )
    assert status == 130, said
    assert left_of(sandbox, said) == set()
    assert sandbox.settings.ready_file.exists()


def test_arguments_that_rally_refuses_fail_the_demo(
    sandbox: conftest.Sandbox, tmp_path: Path
) -> None:
    done = run(tmp_path, "create-and-delete.json", {**SMALL, "nodes": -1})
    assert done.returncode not in (0, 130), done.stdout + done.stderr
    assert "nodes" in done.stdout + done.stderr
    assert "asking Magnum for the bay" not in done.stdout + done.stderr


def test_a_demo_leaves_pages_and_nothing_else(
    away: conftest.Sandbox, tmp_path: Path
) -> None:
    done = run(tmp_path, "create-and-delete.json", SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "bay_create_time" in done.stdout
    for name in ("rally.html", "sla.html"):
        assert (tmp_path / "reports" / name).stat().st_size > 1000
        assert f"page: {tmp_path}/reports/{name}" in done.stdout
    assert not away.settings.state_dir.exists()
    assert host_state.settle(away.before) == []


@pytest.mark.parametrize(
    ("task", "arguments", "when", "number"),
    [
        (
            "2m-rps.json",
            LOAD,
            "steady: 500 rps offered",
            signal.SIGTERM,
        ),
        pytest.param(
            "create-and-delete.json",
            {**SMALL, "nodes": 100, "times": 4, "concurrency": 2},
            "asking Magnum for the bay",
            signal.SIGINT,
            marks=pytest.mark.long,
        ),
        (
            "create-and-delete.json",
            SMALL,
            "PostgreSQL is up",
            signal.SIGINT,
        ),
    ],
    ids=["load", "create", "up"],
)
def test_an_interrupted_demo_takes_everything_away(
    away: conftest.Sandbox,
    tmp_path: Path,
    task: str,
    arguments: dict[str, Any],
    when: str,
    number: signal.Signals,
) -> None:
    status, said = interrupt(tmp_path, task, arguments, when, number)
    assert status == 130, said
    assert f"interrupted by {number.name}" in said
    assert not away.settings.state_dir.exists()
    assert host_state.settle(away.before) == []
