"""Nights during which the cloud has one fault a minute.

``FAULTY_NIGHT_S`` sets another duration than an hour, in seconds, and
``FAULT_INTERVAL_S`` another interval between two faults.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rally_magnum_scale.history import storage
from rally_magnum_scale.nightly import folders
from tests.functional import conftest
from tests.functional import test_nightly
from tests.functional import test_tasks
from tests.functional.test_magnum_faults import inject

NIGHT_S = float(os.environ.get("FAULTY_NIGHT_S", "3600"))
INTERVAL_S = float(os.environ.get("FAULT_INTERVAL_S", "60"))
# A bay of one hollow node, from its create to its end.
ITERATION_S = 15.0
# Keystone's are left to the fault table: at one 503 of Keystone, Magnum fails
# a bay.
PASSING = (
    ("magnum", "503", "--for", "5"),
    ("magnum", "429", "--retry-after", "2", "--for", "5"),
    ("magnum", "502", "--html", "--for", "5"),
    ("magnum", "truncated", "--for", "5"),
    ("magnum", "reset", "--for", "5"),
    ("magnum", "late", "--seconds", "5", "--for", "10"),
    ("magnum", "reset", "--methods", "POST", "--applied", "--times", "1"),
    ("keystone", "late", "--seconds", "3", "--for", "10"),
)
FAILING = (("bay", "--create-failed", "No valid host was found."),)


@pytest.fixture
def nights(
    sandbox: conftest.Sandbox, tmp_path: Path
) -> Iterator[test_nightly.Nights]:
    """Nights after which no fault and no bay is left."""
    path = test_nightly.write_settings(tmp_path, "create-and-delete.json")
    yield test_nightly.Nights(path, {"nodes": 1})
    inject(sandbox, "clear")
    assert test_tasks.bays(sandbox) == []


@pytest.mark.long
@pytest.mark.quiet
@pytest.mark.parametrize(
    ("faults", "share", "max_api_errors", "statuses", "state"),
    [
        # 2 if an iteration lacks a metric that has no bound: the API server
        # of so small a bay may get no mutating request.
        pytest.param(
            PASSING, 1.0, 10_000, {0, 2}, storage.HOLDS, id="passing"
        ),
        pytest.param(PASSING, 0.1, 0, {1, 2}, storage.FAILS, id="bounded"),
        pytest.param(FAILING, 0.1, 10_000, {3}, storage.BROKEN, id="failing"),
    ],
)
def test_a_night_with_a_fault_a_minute_ends_with_the_right_verdict(
    sandbox: conftest.Sandbox,
    nights: test_nightly.Nights,
    faults: tuple[tuple[str, ...], ...],
    share: float,
    max_api_errors: int,
    statuses: set[int],
    state: str,
) -> None:
    duration_s = max(NIGHT_S * share, 2 * INTERVAL_S)
    times = round(duration_s / ITERATION_S)
    injected = 0
    with nights.begin(times=times, max_api_errors=max_api_errors) as process:
        end = time.monotonic() + 3 * duration_s + 600
        try:
            for fault in itertools.cycle(faults):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(INTERVAL_S)
                if process.poll() is not None or time.monotonic() > end:
                    break
                inject(sandbox, *fault)
                injected += 1
        finally:
            process.terminate()
            said, _ = process.communicate(timeout=test_nightly.DEADLINE_S)
    assert process.returncode in statuses, said
    (run,) = storage.read(nights.folder / folders.HISTORY)
    assert run.state == state, said
    assert injected > 1
