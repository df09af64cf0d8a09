"""Other people's load generators, each with one core.

Every function asks a URL over 64 connections for some seconds, as fast as
they are answered or, where the program can, at a given rate, and tells
what the program itself reports.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measured
from benchmarks import peer_reports
from benchmarks import target
from benchmarks import tools
from benchmarks.measured import Measured
from rally_magnum_sandbox import exceptions

CONNECTIONS = 64
DURATION_S = 5
ONE_CORE = {"GOMAXPROCS": "1", "TOKIO_WORKER_THREADS": "1"}
LOCUST = str(Path(sys.executable).with_name("locust"))

WRK_REPORT = """
done = function(summary, latency, requests)
    io.write(string.format(
        "\\n{\\"requests\\": %d, \\"us\\": %d, " ..
        "\\"p50\\": %f, \\"p99\\": %f, \\"p99_9\\": %f}\\n",
        summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99), latency:percentile(99.9)))
end
"""

K6_SCRIPT = """
import http from 'k6/http';
export const options = {
    discardResponseBodies: true,
    summaryTrendStats: ['p(50)', 'p(99)', 'p(99.9)'],
    scenarios: { all: %s },
};
export default function () { http.get('%s'); }
"""

LOCUST_USER = """
import json, sys, time
from locust import %(user)s, constant, events, task

class Peer(%(user)s):
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
    of = STATS.total.get_response_time_percentile
    sys.stdout.write(json.dumps({
        "requests": STATS.total.num_requests - requests,
        "seconds": time.monotonic() - seconds,
        "cpu_s": time.process_time() - cpu,
        "latency_us": {
            "p50": of(0.5) * 1000, "p99": of(0.99) * 1000,
            "p99_9": of(0.999) * 1000,
        },
    }))
"""


def on_second_core(command: Sequence[str]) -> list[str]:
    """Leave the first core to the target."""
    return target.pinned(1, list(command))


@dataclass(frozen=True)
class Ask:
    """What a peer is to do.

    :param url: what is asked
    :param rate_rps: requests a second, or None for as many as it can
    :param duration_s: for how long
    :param connections: how many at most
    :param wrap: says where the generator runs
    """

    url: str
    rate_rps: int | None = None
    duration_s: int = DURATION_S
    connections: int = CONNECTIONS
    wrap: measured.Wrap = on_second_core


Peer = Callable[[Ask], Measured]


def wrk(ask: Ask) -> Measured:
    """Run wrk (C, epoll) with one thread."""
    program = tools.program("wrk")
    with _file("report.lua", WRK_REPORT) as script:
        text, cpu_s = _run(
            ask,
            *(program, "-t1", f"-c{ask.connections}"),
            *(f"-d{ask.duration_s}s", "--latency", "-s", script, ask.url),
        )
    return peer_reports.wrk(text, cpu_s)


def wrk2(ask: Ask) -> Measured:
    """Run wrk2 (C, epoll), which is wrk with a constant rate."""
    program = tools.program("wrk2")
    with _file("report.lua", WRK_REPORT) as script:
        text, cpu_s = _run(
            ask,
            *(program, "-t1", f"-c{ask.connections}", f"-R{ask.rate_rps}"),
            *(f"-d{ask.duration_s}s", "--latency", "-s", script, ask.url),
        )
    return peer_reports.wrk(text, cpu_s)


def oha(ask: Ask) -> Measured:
    """Run oha (Rust, tokio)."""
    program = tools.program("oha")
    pace = ("-q", str(ask.rate_rps), "--latency-correction")
    text, cpu_s = _run(
        ask,
        *(program, "--no-tui", "--output-format", "json"),
        *("-c", str(ask.connections), "-z", f"{ask.duration_s}s"),
        *(pace if ask.rate_rps else ()),
        ask.url,
    )
    return peer_reports.oha(json.loads(text), cpu_s)


def hey(ask: Ask) -> Measured:
    """Run hey (Go)."""
    program = tools.program("hey")
    text, cpu_s = _run(
        ask,
        *(program, "-cpus", "1", "-c", str(ask.connections)),
        *("-z", f"{ask.duration_s}s", ask.url),
    )
    return peer_reports.hey(text, cpu_s)


def vegeta(ask: Ask) -> Measured:
    """Run vegeta (Go), and read every single request of it."""
    program = tools.program("vegeta")
    workers = f"-workers={ask.connections}"
    most = () if ask.rate_rps else (f"-max-workers={ask.connections}",)
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/results.bin"
        _, cpu_s = _run(
            ask,
            *(program, "attack", f"-rate={ask.rate_rps or 0}", workers),
            *(*most, f"-duration={ask.duration_s}s", "-max-body=0"),
            *("-keepalive", f"-connections={ask.connections}"),
            f"-output={out}",
            stdin=f"GET {ask.url}\n",
        )
        text, _ = measured.run([program, "encode", "-to=csv", out])
    return peer_reports.vegeta(text, cpu_s)


def k6(ask: Ask) -> Measured:
    """Run k6 (Go and JavaScript)."""
    program = tools.program("k6")
    with (
        _file("script.js", k6_script(ask)) as script,
        tempfile.TemporaryDirectory() as folder,
    ):
        summary = Path(folder) / "summary.json"
        _, cpu_s = _run(
            ask,
            *(program, "run", "--quiet", "--no-usage-report"),
            *("--address=", f"--summary-export={summary}", script),
        )
        data = json.loads(summary.read_text())
    return peer_reports.k6(data, cpu_s)


def k6_script(ask: Ask) -> str:
    """Write what k6 runs: constant users, or a constant arrival rate."""
    duration = f"{ask.duration_s}s"
    scenario: dict[str, object] = {
        "executor": "constant-vus",
        "vus": ask.connections,
        "duration": duration,
    }
    if ask.rate_rps:
        scenario = {
            "executor": "constant-arrival-rate",
            "rate": ask.rate_rps,
            "timeUnit": "1s",
            "duration": duration,
            "preAllocatedVUs": ask.connections,
            "maxVUs": 4 * ask.connections,
        }
    return K6_SCRIPT % (json.dumps(scenario), ask.url)


def fast_http_user(ask: Ask) -> Measured:
    """Run Locust's own fast user, as many as there are connections."""
    return _locust("FastHttpUser", ask)


def http_user(ask: Ask) -> Measured:
    """Run Locust's user on requests, as many as there are connections."""
    return _locust("HttpUser", ask)


def _locust(user: str, ask: Ask) -> Measured:
    users = str(ask.connections)
    with _file("locustfile.py", LOCUST_USER % {"user": user}) as file:
        text, _ = _run(
            ask,
            *(LOCUST, "-f", file, "--headless", "--only-summary"),
            *("--host", ask.url.rstrip("/"), "-u", users, "-r", users),
            *("-t", f"{ask.duration_s + 1}s"),
        )
    # Its own CPU time, without the second that Locust takes to start.
    return Measured(**json.loads(text))


def _run(
    ask: Ask, *command: str, stdin: str | None = None
) -> tuple[str, float]:
    return measured.run(ask.wrap(command), env=ONE_CORE, stdin=stdin)


@contextlib.contextmanager
def _file(name: str, text: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text)
        yield str(path)


CLOSED_LOOP: dict[str, Peer] = {
    "wrk": wrk,
    "oha": oha,
    "hey": hey,
    "vegeta": vegeta,
    "k6": k6,
    "FastHttpUser": fast_http_user,
    "HttpUser": http_user,
}
OPEN_LOOP: dict[str, Peer] = {
    "wrk2": wrk2,
    "vegeta": vegeta,
    "k6": k6,
    "oha": oha,
}
OF_LOCUST = ("FastHttpUser", "HttpUser")


def available(
    wanted: Mapping[str, Peer],
) -> tuple[dict[str, Peer], list[tuple[str, str]]]:
    """Install what can be had.

    :returns: the peers that are there, and the names of the others with
        the reasons
    """
    there, left_out = {}, []
    for name, peer in wanted.items():
        try:
            if name not in OF_LOCUST:
                tools.program(name)
        except exceptions.ScaleError as error:
            left_out.append((name, str(error)))
        else:
            there[name] = peer
    return there, left_out
