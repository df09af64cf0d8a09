"""Many Locust workers in one process, which speak to a real Locust master.

``python -m benchmarks.simulated_workers WORKERS PORT RPS`` connects them
over ZeroMQ, a socket each as real ones have, and plays their part of a
run: heartbeats each second, clocks, orders, reports every 3 s with our
windows in them, and the last word.  Nothing is asked of a target: the
latencies of the windows are drawn from log-normal distributions, another
one for each worker, and are encoded before the run begins, so that the
master and not this process is the limit.  What was sent is printed as one
JSON object.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import random
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import msgpack
import zmq

from rally_magnum_scale.in_bay import messages
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.steps import STOP
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.windows import Window

LOCUST_VERSION = importlib.metadata.version("locust")
HEARTBEAT_EVERY_S = 1.0
REPORT_EVERY_S = 3.0
# Locust's own names: its user, and what its statistics call the request.
USERS = {"LoadUser": 1}
NAME, METHOD = "http://10.0.0.1:8080/", "GET"
# So many different windows there are, which all workers take in turn.
SHAPES = 500
QUANTILES = 20_000
SPARE_SOCKETS = 64
LOOK_EVERY_S = 0.02
RUNS_AT_MOST_S = 110.0


@dataclass(frozen=True)
class Shape:
    """What a window holds, whatever its second.

    :param requests: how many
    :param encoded: keys and values, but for second, phase and step
    :param milliseconds: the latencies as Locust rounds them
    """

    requests: int
    encoded: bytes
    milliseconds: dict[int, int]


@dataclass
class Worker:
    """One simulated worker."""

    name: str
    socket: Any
    number: int = 0
    state: str = "ready"
    order: dict[str, Any] | None = None
    next_second: int = 0
    requests: int = 0
    is_done: bool = False
    is_gone: bool = False


@dataclass
class Sent:
    """What all workers together have done."""

    first_connect_s: float = 0.0
    last_order_s: float = 0.0
    report_bytes: int = 0
    reports: int = 0
    windows: int = 0
    requests: int = 0
    connected: int = 0
    ordered: int = 0
    gone: int = 0
    loop_max_s: float = field(default=0.0)


def shapes(rps: int, seed: int = 1) -> list[Shape]:
    """Draw windows of so many requests, each from its own distribution.

    Medians from 0.3 to 3 ms and spreads of 1.4 to 2 times either way, as
    busy web servers have them; service times are a little shorter, and
    the schedule lags by microseconds.
    """
    dice = random.Random(seed)  # noqa: S311
    normal = statistics.NormalDist()
    quantiles = [
        normal.inv_cdf((index + 0.5) / QUANTILES) for index in range(QUANTILES)
    ]
    return [_shape(dice, quantiles, rps) for _ in range(SHAPES)]


def _shape(dice: random.Random, quantiles: list[float], rps: int) -> Shape:
    middle = math.log(dice.uniform(300, 3000))
    spread = dice.uniform(0.33, 0.7)
    exp = math.exp
    drawn = dice.choices(quantiles, k=rps)
    latencies = Counter([int(exp(middle + spread * one)) for one in drawn])
    lags = Counter([int(exp(2.0 + 0.6 * one)) for one in drawn])
    service = {max(1, us - us // 32): n for us, n in latencies.items()}
    latency_us = Histogram.from_values_us(latencies)
    window = Window(
        0,
        STOP,
        1,
        1,
        rps,
        {},
        latency_us,
        Histogram.from_values_us(service),
        Histogram.from_values_us(lags),
        0.6,
    ).packed()
    milliseconds: dict[int, int] = {}
    for floor_us, count in latency_us.counts.items():
        key = round(floor_us / 1000)
        milliseconds[key] = milliseconds.get(key, 0) + count
    return Shape(rps, _pairs(_without_place(window)), milliseconds)


def _without_place(window: dict[str, Any]) -> dict[str, Any]:
    place = ("second", "phase", "step")
    return {key: value for key, value in window.items() if key not in place}


def _pairs(values: dict[str, Any]) -> bytes:
    return b"".join(
        msgpack.packb(key) + msgpack.packb(value)
        for key, value in values.items()
    )


PLACE_KEYS = 3
WINDOW_KEYS = len(Window(0, STOP, 1, 1, 0).packed())
EMPTY = _pairs(_without_place(Window(0, STOP, 1, 1, 0).packed()))


def _window(second: int, plan: Plan, start_second: int, rest: bytes) -> bytes:
    where = plan.position(second - start_second)
    place = {"second": second, "phase": where.phase, "step": where.step + 1}
    return msgpack.Packer().pack_map_header(WINDOW_KEYS) + (
        _pairs(place) + rest
    )


class Swarm:
    """All simulated workers, and the loop that drives them.

    :param count: how many
    :param port: of the Locust master on this machine
    :param drawn: the windows that they send
    """

    def __init__(self, count: int, port: int, drawn: list[Shape]) -> None:
        self._count = count
        self._drawn = drawn
        self._plan: Plan | None = None
        self._context = zmq.Context(io_threads=1)
        self._context.set(zmq.MAX_SOCKETS, count + SPARE_SOCKETS)
        self._poller = zmq.Poller()
        self._by_socket: dict[Any, Worker] = {}
        self.sent = Sent()
        self._workers = [self._make(number, port) for number in range(count)]

    def _make(self, number: int, port: int) -> Worker:
        socket = self._context.socket(zmq.DEALER)
        name = f"rms-simulated-worker-{number:05d}_{number:032x}"
        socket.setsockopt(zmq.IDENTITY, name.encode())
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"tcp://127.0.0.1:{port}")
        self._poller.register(socket, zmq.POLLIN)
        worker = self._by_socket[socket] = Worker(name, socket)
        return worker

    def run(self) -> Sent:
        """Connect, work and go, until the master has sent all away."""
        start_s = self.sent.first_connect_s = time.time()
        for worker in self._workers:
            self._say(worker, "client_ready", LOCUST_VERSION)
        beats = _turns(self._count, HEARTBEAT_EVERY_S, start_s)
        reports = _turns(self._count, REPORT_EVERY_S, start_s)
        while (
            self.sent.gone < self._count
            and time.time() < start_s + RUNS_AT_MOST_S
        ):
            began_s = time.time()
            for socket, _ in self._poller.poll(0):
                self._receive(self._by_socket[socket])
            for number in next(beats):
                self._beat(self._workers[number])
            for number in next(reports):
                self._report(self._workers[number])
            took_s = time.time() - began_s
            self.sent.loop_max_s = max(self.sent.loop_max_s, took_s)
            time.sleep(LOOK_EVERY_S)
        self._context.destroy(linger=0)
        return self.sent

    def _say(self, worker: Worker, kind: str, data: Any) -> None:
        worker.socket.send(msgpack.packb((kind, data, worker.name)))

    def _beat(self, worker: Worker) -> None:
        if worker.is_gone:
            return
        self._say(
            worker,
            "heartbeat",
            {
                "state": worker.state,
                "current_cpu_usage": 60.0,
                "current_memory_usage": 60_000_000,
            },
        )
        if worker.order and not worker.is_done:
            self._finish_if_over(worker)

    def _receive(self, worker: Worker) -> None:
        while True:
            try:
                data = worker.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            kind, body, _ = msgpack.unpackb(data, strict_map_key=False)
            if kind == "ack":
                self.sent.connected += 1
            elif kind == "spawn":
                self._spawn(worker)
            elif kind == messages.CLOCK:
                body["worker_s"] = time.time()
                self._say(worker, messages.CLOCK_ANSWER, body)
            elif kind == messages.START:
                self._take_order(worker, body)
            elif kind == "quit":
                self._leave(worker)

    def _spawn(self, worker: Worker) -> None:
        self._say(worker, "spawning", None)
        count = {"user_classes_count": USERS, "user_count": 1}
        self._say(worker, "spawning_complete", count)
        worker.state = "running"

    def _take_order(self, worker: Worker, order: dict[str, Any]) -> None:
        if self._plan is None:
            self._plan = Plan.from_json(order["job"]["plan"])
        worker.order, worker.number = order, order["worker"]
        worker.next_second = order["start_second"]
        self.sent.ordered += 1
        self.sent.last_order_s = time.time()

    def _leave(self, worker: Worker) -> None:
        worker.is_gone = True
        self.sent.gone += 1
        self._say(worker, "quit", None)

    def _report(self, worker: Worker) -> None:
        if worker.is_gone or worker.state != "running":
            return
        windows, milliseconds = self._measure(worker)
        entry = _locust_entry(milliseconds, self._drawn[0].requests)
        values = {
            "stats": [{**entry, "name": NAME, "method": METHOD}],
            "stats_total": {**entry, "name": "Aggregated", "method": ""},
            "errors": {},
            "user_classes_count": USERS,
            "user_count": 1,
            messages.SENT_KEY: time.time(),
        }
        packer = msgpack.Packer()
        data = b"".join(
            (
                packer.pack_array_header(3),
                packer.pack("stats"),
                packer.pack_map_header(len(values) + 1),
                _pairs(values),
                packer.pack(messages.WINDOWS_KEY),
                packer.pack_array_header(len(windows)),
                *windows,
                packer.pack(worker.name),
            )
        )
        self.sent.reports += 1
        self.sent.report_bytes += len(data)
        worker.socket.send(data)

    def _measure(self, worker: Worker) -> tuple[list[bytes], list[Shape]]:
        """Return the windows of the seconds that are over, encoded."""
        if worker.order is None or self._plan is None or worker.is_done:
            return [], []
        start = worker.order["start_second"]
        end = min(int(time.time()), start + self._plan.total_s)
        found, used = [], []
        for second in range(worker.next_second, end):
            shape = self._drawn[(worker.number + second) % SHAPES]
            used.append(shape)
            found.append(_window(second, self._plan, start, shape.encoded))
            worker.requests += shape.requests
            self.sent.requests += shape.requests
        worker.next_second = max(worker.next_second, end)
        self.sent.windows += len(found)
        return found, used

    def _finish_if_over(self, worker: Worker) -> None:
        if worker.order is None or self._plan is None:
            return
        start = worker.order["start_second"]
        over = start + self._plan.total_s
        if time.time() < over:
            return
        windows, _ = self._measure(worker)
        windows.append(_window(over, self._plan, start, EMPTY))
        outcome = {
            "requests": worker.requests,
            "failures": {},
            "due": [None] * len(self._plan.steps),
            "late_s": max(0.0, self.sent.last_order_s - start),
        }
        packer = msgpack.Packer()
        data = b"".join(
            (
                packer.pack_array_header(3),
                packer.pack(messages.DONE),
                packer.pack_map_header(2),
                packer.pack("windows"),
                packer.pack_array_header(len(windows)),
                *windows,
                _pairs({"outcome": outcome}),
                packer.pack(worker.name),
            )
        )
        worker.is_done = True
        worker.socket.send(data)


def _turns(
    count: int, every_s: float, start_s: float
) -> Iterator[Iterator[int]]:
    """Yield, at each call, whose turn has come: each once in every_s."""
    taken = 0
    while True:
        due = int((time.time() - start_s) / every_s * count)
        yield (number % count for number in range(taken, due))
        taken = due


def _locust_entry(drawn: list[Shape], rps: int) -> dict[str, Any]:
    """Return what a worker of ours adds to Locust's own statistics."""
    now = int(time.time())
    seconds = {now - back: rps for back in range(1, len(drawn) + 1)}
    times: dict[int, int] = {}
    for shape in drawn:
        for key, count in shape.milliseconds.items():
            times[key] = times.get(key, 0) + count
    asked = rps * len(drawn)
    return {
        "last_request_timestamp": float(now) if drawn else None,
        "start_time": float(now - 3),
        "num_requests": asked,
        "num_none_requests": 0,
        "num_failures": 0,
        "total_response_time": 1.5 * asked,
        "max_response_time": max(times, default=0),
        "min_response_time": min(times) if times else None,
        "total_content_length": 0,
        "response_times": times,
        "num_reqs_per_sec": seconds,
        "num_fail_per_sec": dict.fromkeys(seconds, 0),
    }


def main(arguments: list[str]) -> int:
    """Play the workers, print what they sent.

    :returns: the exit status: 1 when not all were sent away in the end
    """
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("workers", "port", "rps"):
        parser.add_argument(name, type=int)
    given = parser.parse_args(arguments)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sent = Swarm(given.workers, given.port, shapes(given.rps)).run()
    cpu = time.process_time()
    sys.stdout.write(json.dumps({**vars(sent), "cpu_s": cpu}) + "\n")
    return int(sent.gone < given.workers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
