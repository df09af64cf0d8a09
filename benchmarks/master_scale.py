"""How many workers one Locust master carries.

Simulated workers connect to a real Locust master with our half of the run
in it, as it runs in a bay.  What it is compared with is the one core that
a Python process can use.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import psutil

from benchmarks import generators
from benchmarks import target
from benchmarks.result import Result
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.runs import memory

SIZES = (100, 500, 1_000, 2_000)
# Of each worker: together, 1,000 make 10 million requests a second.
WORKER_RPS = 10_000
PLAN_S = 10
LOOK_EVERY_S = 0.1
DEADLINE_S = 120.0


@dataclass
class Seen:
    """What was seen of a master from outside.

    :param cpu: pairs of epoch seconds and CPU seconds used until then
    :param lines: pairs of epoch seconds and a line of its output
    :param memory_bytes: its peak resident memory
    """

    cpu: list[tuple[float, float]] = field(default_factory=list)
    lines: list[tuple[float, bytes]] = field(default_factory=list)
    memory_bytes: int = 0

    def cpu_s_at(self, at_s: float) -> float:
        """Return the CPU seconds used until a moment, or just after it."""
        return next(
            (used for when, used in self.cpu if when >= at_s),
            self.cpu[-1][1],
        )


def compare() -> Iterator[Result]:
    """Run a plan of ten seconds with each number of workers."""
    for workers in SIZES:
        yield measure(workers)


def measure(workers: int, plan_s: int = PLAN_S) -> Result:
    """Run one master with so many workers.

    :raises RuntimeError: when the master or the workers break off
    """
    load_before = os.getloadavg()[0]
    seen, sent = _run(workers, plan_s)
    records = [(when, json.loads(line)) for when, line in seen.lines]
    windows = [one for one in records if one[1]["record"] == "window"]
    _, end = records[-1]
    if end["record"] != "end" or not windows:
        raise RuntimeError(
            f"The Locust master with {workers} workers wrote no windows: "
            f"{end}."
        )
    first = windows[0][1]["second"]
    cores = (seen.cpu_s_at(first + plan_s) - seen.cpu_s_at(first)) / plan_s
    behind = [when - one["second"] - 1 for when, one in windows]
    sizes = [len(line) for _, line in seen.lines if b'"window"' in line[:20]]
    return Result(
        bench="master_scale",
        subject=f"Locust master with {workers:,} workers, cores used",
        peer="the one core that it can use",
        ratio=1 / cores,
        figures={
            "workers": workers,
            "cores": round(cores, 3),
            "memory_peak_bytes": seen.memory_bytes,
            "connect_to_order_s": round(
                sent["last_order_s"] - sent["first_connect_s"], 2
            ),
            "report_bytes_per_s": round(sent["report_bytes"] / plan_s),
            "window_record_bytes": round(sum(sizes) / len(sizes)),
            "windows_behind_s": {
                "least": round(min(behind), 2),
                "most": round(max(behind), 2),
            },
            "requests_counted": end["requests"],
            "requests_made": sent["requests"],
            "reasons": end["reasons"],
            "simulation_cpu_s": round(sent["cpu_s"], 1),
            "simulation_loop_max_s": round(sent["loop_max_s"], 2),
            "machine_load_before": round(load_before, 2),
        },
    )


def _run(workers: int, plan_s: int) -> tuple[Seen, dict[str, Any]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        master = _start_master(workers, plan_s, port, log)
        swarm = None
        try:
            _wait_for_port(port, master)
            swarm = _start_swarm(workers, port)
            seen = _watch(master)
            out, _ = swarm.communicate(timeout=DEADLINE_S)
        finally:
            for process in (master, swarm):
                if process and process.poll() is None:
                    process.kill()
                    process.wait()
        if not seen.lines:
            log.seek(0)
            raise RuntimeError(
                f"The Locust master with {workers} workers wrote no records, "
                f"but {log.read()[-400:]!r}."
            )
    return seen, json.loads(out)


def _start_master(
    workers: int, plan_s: int, port: int, log: Any
) -> subprocess.Popen[bytes]:
    plan = Plan((Step(WORKER_RPS * workers, plan_s),))
    variables = generators.environment(
        plan, "http://10.0.0.1/", workers=workers
    )
    return subprocess.Popen(
        target.pinned(
            0,
            [
                *(generators.LOCUST, "-f", generators.LOCUSTFILE, "--master"),
                *("--headless", "--only-summary"),
                *(f"--expect-workers={workers}", f"--users={workers}"),
                f"--spawn-rate={workers}",
                f"--master-bind-port={port}",
            ],
        ),
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=log,
        bufsize=0,
    )


def _start_swarm(workers: int, port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        target.pinned(
            1,
            [
                *(sys.executable, "-m", "benchmarks.simulated_workers"),
                *(str(workers), str(port), str(WORKER_RPS)),
            ],
        ),
        stdout=subprocess.PIPE,
    )


def _wait_for_port(port: int, master: subprocess.Popen[bytes]) -> None:
    end_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < end_s and master.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(LOOK_EVERY_S)
        else:
            return
    raise RuntimeError(f"The Locust master never listened at port {port}.")


def _watch(master: subprocess.Popen[bytes]) -> Seen:
    """Follow a master until it closes its output."""
    seen, process = Seen(), psutil.Process(master.pid)
    end_s = time.monotonic() + DEADLINE_S
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(master.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        while time.monotonic() < end_s:
            ready = selector.select(LOOK_EVERY_S)
            used = process.cpu_times()
            seen.cpu.append((time.time(), used.user + used.system))
            seen.memory_bytes = (
                memory.peak_bytes(master.pid) or seen.memory_bytes
            )
            if not ready:
                continue
            data = os.read(master.stdout.fileno(), 1 << 20)  # type: ignore[union-attr]
            if not data:
                break
            *whole, pending = (pending + data).split(b"\n")
            seen.lines += [(time.time(), line) for line in whole]
        else:
            raise RuntimeError(
                f"The Locust master did not end within {DEADLINE_S:.0f} s."
            )
    master.wait(DEADLINE_S)
    return seen
