"""Bays that come, serve and go for an hour, while nothing may grow.

``SOAK_S`` sets another duration in seconds.  The samples and their plot go to
``reports/soak.json`` and ``reports/soak.svg``.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from rally_magnum_sandbox import memory
from rally_magnum_sandbox import processes
from rally_magnum_sandbox.bay import cgroups
from tests.functional import conftest
from tests.functional import test_tasks

SOAK_S = float(os.environ.get("SOAK_S", "3600"))
# On two processors, two at once.
ITERATION_S = 30.0
SAMPLE_S = 5.0
SERVERS = ("keystone", "magnum", "stub", "postgres")
LOAD = {
    **test_tasks.SMALL,
    "nodes": 2,
    "steps": [{"rate_rps": 200, "duration_s": 5, "ramp_s": 1}],
    "min_rps": 1,
    "min_rps_per_core": 0.1,
    "p99_ms": 60000,
    "times": max(4, 2 * round(SOAK_S / ITERATION_S)),
    "concurrency": 2,
}
# Of the median of the second quarter, in which caches are full.
GROWTH = 0.1
# oslo.messaging's pool fills up to 64 threads, one by one.
FILLED = {"magnum: threads": 90}
ALLOWED = {"memory MB": 10.0, "descriptors": 8, "threads": 4, "files": 4}

Sample = dict[str, float]


def measure(sandbox: conftest.Sandbox, rally: psutil.Process) -> Sample:
    """Measure the servers, Rally's main process and the temporary folder."""
    found: Sample = collections.Counter()
    programs = {"rally": [rally.pid]} | {
        name: cgroups.processes(processes.cgroup(sandbox.settings, name))
        for name in SERVERS
    }
    for name, pids in programs.items():
        memory_bytes = memory.of_processes(pids).size_bytes
        found[f"{name}: memory MB"] = memory_bytes / 1e6
        for pid in pids:
            # A server of PostgreSQL may end at any time.
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                found[f"{name}: descriptors"] += process.num_fds()
                found[f"{name}: threads"] += process.num_threads()
    folder = Path(tempfile.gettempdir())
    found["temporary: files"] = len([*folder.glob("rally-magnum-scale-*")])
    return dict(found)


def growth(samples: list[Sample]) -> dict[str, tuple[float, float]]:
    """Return what has grown from the second to the last quarter."""
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    found = {}
    for name in early[0]:
        before, after = (
            statistics.median(one[name] for one in part if name in one)
            for part in (early, late)
        )
        allowed = ALLOWED[name.partition(": ")[2]]
        most = max(before * (1 + GROWTH) + allowed, FILLED.get(name, 0))
        if after > most:
            found[name] = (before, after)
    return found


def draw(samples: list[Sample], path: Path) -> None:
    """Draw each measure over time, relative to its largest value."""
    from matplotlib import figure

    drawn = figure.Figure(figsize=(10, 12), layout="constrained")
    kinds = sorted({name.partition(": ")[2] for name in samples[0]})
    for axes, kind in zip(drawn.subplots(len(kinds)), kinds, strict=True):
        for name in samples[0]:
            if name.endswith(f": {kind}"):
                label = name.partition(":")[0]
                axes.plot([one.get(name) for one in samples], label=label)
        axes.set_ylabel(kind)
        axes.legend(loc="upper left")
        axes.set_ylim(bottom=0)
    axes.set_xlabel(f"samples, one in {SAMPLE_S:g} s")
    drawn.savefig(path)


@pytest.mark.long
@pytest.mark.quiet
def test_nothing_grows_while_bays_come_and_go(
    sandbox: conftest.Sandbox, tmp_path: Path
) -> None:
    command = ["rally", *test_tasks.command("2m-rps.json", LOAD)]
    samples: list[Sample] = []
    log = tmp_path / "log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            cwd=conftest.CHECKOUT,
            env=sandbox.env,
        ) as task,
    ):
        rally = psutil.Process(task.pid)
        end = time.monotonic() + 3 * SOAK_S + 600
        try:
            while task.poll() is None and time.monotonic() < end:
                with contextlib.suppress(psutil.NoSuchProcess):
                    samples.append(measure(sandbox, rally))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    task.wait(SAMPLE_S)
        finally:
            if task.poll() is None:
                test_tasks.kill(task)
    reports = conftest.CHECKOUT / "reports"
    reports.mkdir(exist_ok=True)
    (reports / "soak.json").write_text(json.dumps(samples))
    draw(samples, reports / "soak.svg")
    uuid = test_tasks.task_of(log.read_text())
    ran = test_tasks.result_of(sandbox, uuid)
    assert ran.errors == []
    assert len(ran.workload["data"]) == LOAD["times"]
    assert growth(samples) == {}
    assert test_tasks.bays(sandbox) == []
