"""A Locust worker: its orders, one run, and the windows of that.

The run is our engine's, driven by a single Locust user, or what the users
of an ordinary Locust file ask (``own_file``).

Locust hands a dead worker's users to the survivors after a minute.  A
second engine in one process would share its core and spoil what both
measure, so a second user refuses, and says so.

Importing Locust patches the whole process for gevent, so this module does
not: the Locust file hands in what it needs of it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent
from gevent.event import AsyncResult

from rally_magnum_scale.in_bay import messages
from rally_magnum_scale.in_bay.fresh import engine_of
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.stats import cpusets
from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.in_bay.worker_report import WorkerReport

MASTER_WAIT_S = 300.0
TIMER_SLACK = Path("/proc/self/timerslack_ns")
CONNECT_TIMEOUT_S = 2.0
CONNECT_EVERY_S = 0.2


Report = Callable[[Window], None]
Generate = Callable[[Any, dict[str, Any], Report], WorkerReport]


class Worker:
    """What this process knows: its orders, and windows not yet reported.

    :param generate: makes the load: gets Locust's environment, the
        master's order, and whom to report each window to
    """

    def __init__(self, generate: Generate) -> None:
        self._generate = generate
        self.order: AsyncResult = AsyncResult()
        self._unreported: list[Window] = []
        self._is_taken = False

    def install(self, environment: Any) -> None:
        """Listen to the master, and add windows to Locust's reports."""
        runner = environment.runner
        runner.register_message(messages.CLOCK, self.answer_clock)
        runner.register_message(messages.START, self.take_order)
        environment.events.report_to_master.add_listener(self.add_windows)

    def answer_clock(self, environment: Any, msg: Any, **_: Any) -> None:
        """Tell the master what the time is here, and which CPUs there are."""
        environment.runner.send_message(
            messages.CLOCK_ANSWER,
            {
                **msg.data,
                "worker_s": time.time(),
                "cpus": cpusets.write(os.sched_getaffinity(0)),
            },
        )

    def take_order(self, environment: Any, msg: Any, **_: Any) -> None:
        """Take the job and the first second, for the user that waits."""
        del environment
        self.order.set(msg.data)

    def add_windows(self, client_id: str, data: dict[str, Any]) -> None:
        """Put what was measured since the last report into this one."""
        del client_id
        data[messages.WINDOWS_KEY] = self.take_windows()
        data[messages.SENT_KEY] = time.time()

    def take_windows(self) -> list[dict[str, Any]]:
        """Return the windows not yet reported, once."""
        found, self._unreported = self._unreported, []
        return [window.packed() for window in found]

    def drive(self, environment: Any) -> None:
        """Carry out the order, once in this process."""
        runner = environment.runner
        if self._is_taken:
            runner.send_message(messages.REFUSED, {})
        else:
            self._is_taken = True
            more = True
            while more:
                order = self.order.get()
                # The next step of a search is ordered when this one is done.
                self.order = AsyncResult()
                self._run(environment, order)
                more = order.get("more", False)

    def _run(self, environment: Any, order: dict[str, Any]) -> None:
        try:
            outcome = self._generate(
                environment, order, lambda one: self._unreported.append(one)
            )
        except Exception as error:
            environment.runner.send_message(
                messages.BROKEN, {"error": repr(error)}
            )
            raise
        environment.runner.send_message(
            messages.DONE,
            {"windows": self.take_windows(), "outcome": asdict(outcome)},
        )


def _give_way() -> None:
    """Let Locust's greenlets run that are due, and wait for nothing.

    A sleep of 0 s would not do: gevent looks at its timers and sockets once
    in fifty of them, and a heartbeat of one second came after 2.5 s.
    """
    gevent.idle()


def sleep_exactly(file: Path = TIMER_SLACK) -> None:
    """Let this process's sleeps end on time, if the kernel has it so.

    It may end a sleep up to 50 µs late, to wake processes together: half
    of what a request at a low rate is sent late by.
    """
    with contextlib.suppress(OSError):
        file.write_text("1")


def run_engine(
    add_to_locust: Callable[[Any, str, Window], None],
) -> Generate:
    """Return what runs our engine as a worker's load.

    :param add_to_locust: gets Locust's statistics, what was asked, and
        each window
    """

    def generate(
        environment: Any, order: dict[str, Any], report: Report
    ) -> WorkerReport:
        job = Job.from_json(order["job"])

        def report_twice(window: Window) -> None:
            report(window)
            add_to_locust(environment.stats, job.url, window)

        # What exists now lives until the end: the collector need not look
        # at it again in the middle of a second.
        gc.collect()
        gc.freeze()
        sleep_exactly()
        return engine_of(job)(
            job,
            start_second=order["start_second"],
            worker=order["worker"],
            workers=order["workers"],
            report=report_twice,
            give_way=_give_way,
        ).run()

    return generate


def wait_for_master(
    host: str,
    port: int,
    *,
    deadline_s: float = MASTER_WAIT_S,
    sleep: Any = time.sleep,
) -> None:
    """Wait until a plain TCP connection to the master succeeds.

    A worker that connects to a Service's address before kube-proxy has
    written its rules hangs in ZeroMQ for two minutes: the connection that
    was not translated stays in the kernel's table.  Each attempt here has
    a source port of its own, so it is translated as soon as the rules are
    there.

    :raises TimeoutError: when the deadline is reached
    """
    end_s = time.monotonic() + deadline_s
    while True:
        try:
            socket.create_connection((host, port), CONNECT_TIMEOUT_S).close()
        except OSError as error:
            if time.monotonic() >= end_s:
                raise TimeoutError(
                    f"No connection to the Locust master at {host}:{port} "
                    f"within {deadline_s:.0f} s: {error}; look at its pod."
                ) from error
            sleep(CONNECT_EVERY_S)
        else:
            return
