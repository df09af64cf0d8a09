"""The load generators that are compared, each on the second core."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import target
from rally_magnum_scale.measurement import windows
from rally_magnum_scale.measurement.steps import STEADY
from rally_magnum_scale.measurement.steps import Plan
from rally_magnum_scale.measurement.windows import Window
from rally_magnum_scale.workload.in_bay.job import Job

CONNECTIONS = 64
DURATION_S = 5
DEADLINE_S = 90
LOCUST = str(Path(sys.executable).with_name("locust"))
PACKAGE = Path(windows.__file__).parents[1]
LOCUSTFILE = str(PACKAGE / "workload/in_bay/locustfile.py")

FAST_HTTP_USER = """
import json, sys, time
from locust import FastHttpUser, constant, events, task

class Peer(FastHttpUser):
    wait_time = constant(0)

    @task
    def ask(self):
        self.client.get("/")

@events.spawning_complete.add_listener
def begin(**_):
    global requests, seconds, cpu
    requests = STATS.total.num_requests
    seconds, cpu = time.monotonic(), time.process_time()

@events.init.add_listener
def keep(environment, **_):
    global STATS
    STATS = environment.stats

@events.test_stopping.add_listener
def end(**_):
    sys.stdout.write(json.dumps({
        "requests": STATS.total.num_requests - requests,
        "seconds": time.monotonic() - seconds,
        "cpu_s": time.process_time() - cpu,
    }))
"""


@dataclass(frozen=True)
class Measured:
    """What a generator did.

    :param requests: answered in the measured time
    :param seconds: how long that was
    :param cpu_s: CPU seconds of the generator in it
    """

    requests: int
    seconds: float
    cpu_s: float

    @property
    def rps(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def cpu_s_per_million(self) -> float:
        """CPU seconds for a million requests."""
        return self.cpu_s / self.requests * 1e6

    def figures(self, name: str) -> dict[str, float]:
        """Return the figures under the name of the generator."""
        return {
            f"{name}_rps": round(self.rps),
            f"{name}_cpu_s_per_million": round(self.cpu_s_per_million, 2),
        }


def wrk(url: str) -> Measured:
    """Run wrk with one thread."""
    program = target.install("wrk", "wrk")
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{DURATION_S}s"]
    before = os.times()
    done = subprocess.run(
        target.pinned(1, [program, *options, url]),
        check=True,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    after = os.times()
    found = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout)
    if not found:
        raise RuntimeError(f"wrk printed no sum but {done.stdout!r}.")
    cpu_s = (
        after.children_user
        - before.children_user
        + after.children_system
        - before.children_system
    )
    return Measured(int(found[1]), float(found[2]), cpu_s)


def fast_http_user(url: str) -> Measured:
    """Run Locust's own fast user, as many as there are connections."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "locustfile.py"
        file.write_text(FAST_HTTP_USER)
        done = subprocess.run(
            target.pinned(
                1,
                [
                    *(LOCUST, "-f", str(file), "--headless"),
                    *("--only-summary", "--host", url.rstrip("/")),
                    *("-u", str(CONNECTIONS), "-r", str(CONNECTIONS)),
                    *("-t", f"{DURATION_S + 1}s"),
                ],
            ),
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=DEADLINE_S,
        )
    return Measured(**json.loads(done.stdout))


def engine(url: str, plan: Plan) -> tuple[Measured, Window, dict[str, Any]]:
    """Run our engine as a bay does: a Locust master and one worker.

    :returns: the sums of the steady windows, those windows as one, and
        the last record
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    job = Job("bench", 1, "bench", plan, url, 1, CONNECTIONS).to_json()
    identity = [job.pop(key) for key in ("task", "iteration", "bay")]
    worker = subprocess.Popen(
        target.pinned(
            1,
            [
                *(LOCUST, "-f", LOCUSTFILE, "--worker"),
                *("--master-host=127.0.0.1", f"--master-port={port}"),
            ],
        ),
        env={
            **os.environ,
            "RMS_ROLE": "worker",
            "RMS_MASTER_HOST": "127.0.0.1",
            "RMS_MASTER_PORT": port,
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        done = subprocess.run(
            [
                *(LOCUST, "-f", LOCUSTFILE, "--master", "--headless"),
                *("--only-summary", "--expect-workers=1", "--users=1"),
                f"--master-bind-port={port}",
            ],
            env={
                **os.environ,
                "RMS_ROLE": "master",
                "RMS_TASK": identity[0],
                "RMS_ITERATION": str(identity[1]),
                "RMS_BAY": identity[2],
                "RMS_JOB": json.dumps(job),
            },
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=DEADLINE_S + plan.total_s,
        )
        worker.wait(10)
    finally:
        worker.kill()
        worker.wait()
    return _read(done.stdout.decode())


def _read(text: str) -> tuple[Measured, Window, dict[str, Any]]:
    records = [json.loads(line) for line in text.splitlines()]
    steady = [
        Window.from_json(one)
        for one in records
        if one["record"] == "window" and one["phase"] == STEADY
    ]
    requests = sum(one.requests for one in steady)
    cpu_s = sum(one.cpu_ratio_max for one in steady)
    # As if all had been in one second: histograms add up.
    whole = windows.merge(
        Window.from_json({**one.to_json(), "second": 0, "step": 0})
        for one in steady
    )
    return Measured(requests, len(steady), cpu_s), whole, records[-1]
