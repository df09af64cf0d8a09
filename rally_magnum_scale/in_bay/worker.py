"""A Locust worker: its orders, its run, and the windows of the run.

Either our engine generates the load, driven by a single Locust user, or the
users of an ordinary Locust file do (``own_file``).

Locust hands a dead worker's users to the other workers after a minute.  A
second engine in the process would share its core and falsify the
measurements of both.  So a second user does nothing, and the worker reports
it.

Importing Locust patches the whole process for gevent.  So this module does
not import Locust; the Locust file passes the required objects.
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
from rally_magnum_scale.in_bay.messages import WorkerReport
from rally_magnum_scale.in_bay.stats import cpusets
from rally_magnum_scale.in_bay.stats.windows import Window

TIMER_SLACK = Path("/proc/self/timerslack_ns")
CONNECT_TIMEOUT_S = 2.0
CONNECT_EVERY_S = 0.2


Report = Callable[[Window], None]
Generate = Callable[[Any, dict[str, Any], Report], WorkerReport]


class Worker:
    """State of this worker: its orders, and windows not yet reported.

    :param generate: generates the load; called with Locust's environment,
        the master's order, and a function that receives each window
    """

    def __init__(self, generate: Generate) -> None:
        self._generate = generate
        self.order: AsyncResult = AsyncResult()
        self._unreported: list[Window] = []
        self._is_taken = False

    def install(self, environment: Any) -> None:
        """Register the listeners for the master's messages and reports."""
        runner = environment.runner
        runner.register_message(messages.CLOCK, self.answer_clock)
        runner.register_message(messages.START, self.take_order)
        environment.events.report_to_master.add_listener(self.add_windows)

    def answer_clock(self, environment: Any, msg: Any, **_: Any) -> None:
        """Answer the clock probe with the time and the available CPUs."""
        environment.runner.send_message(
            messages.CLOCK_ANSWER,
            {
                **msg.data,
                "worker_s": time.time(),
                "cpus": cpusets.write(os.sched_getaffinity(0)),
            },
        )

    def take_order(self, msg: Any, **_: Any) -> None:
        """Take the job and its first second, for the waiting user."""
        self.order.set(msg.data)

    def add_windows(self, data: dict[str, Any], **_: Any) -> None:
        """Add the windows since the last report to Locust's report."""
        data[messages.WINDOWS_KEY] = self.take_windows()
        data[messages.SENT_KEY] = time.time()

    def take_windows(self) -> list[dict[str, Any]]:
        """Return the windows not yet reported, and forget them."""
        found, self._unreported = self._unreported, []
        return [window.packed() for window in found]

    def drive(self, environment: Any) -> None:
        """Carry out the master's orders, only once in this process."""
        runner = environment.runner
        if self._is_taken:
            runner.send_message(messages.REFUSED, {})
        else:
            self._is_taken = True
            more = True
            while more:
                order = self.order.get()
                # After a step of a search, the master sends the next order.
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


def sleep_exactly(file: Path = TIMER_SLACK) -> None:
    """Set this process's timer slack, if the kernel allows it.

    By default the kernel may end a sleep up to 50 µs late, to wake processes
    together.  That is half of the lag of a request at a low rate.
    """
    with contextlib.suppress(OSError):
        file.write_text("1")


def run_engine(
    add_to_locust: Callable[[Any, str, Window], None],
) -> Generate:
    """Return the function that runs our engine as a worker's load.

    :param add_to_locust: receives Locust's statistics, the name of the
        request, and each window
    """

    def generate(
        environment: Any, order: dict[str, Any], report: Report
    ) -> WorkerReport:
        job = Job.from_json(order["job"])

        def report_twice(window: Window) -> None:
            report(window)
            add_to_locust(environment.stats, job.url, window)

        # All current objects live until the end, so the garbage collector
        # need not check them again in the middle of a second.
        gc.collect()
        gc.freeze()
        sleep_exactly()
        return engine_of(job)(
            job,
            start_second=order["start_second"],
            worker=order["worker"],
            workers=order["workers"],
            report=report_twice,
            # A sleep of 0 s is not enough: gevent checks its timers and
            # sockets only once in fifty such sleeps, and a heartbeat of 1 s
            # was sent after 2.5 s.
            run_other_greenlets=gevent.idle,
        ).run()

    return generate


def wait_for_master(
    host: str,
    port: int,
    *,
    deadline_s: float,
    sleep: Any = time.sleep,
) -> None:
    """Wait until a plain TCP connection to the master succeeds.

    If a worker connects to a Service's address before kube-proxy has
    written its rules, it hangs in ZeroMQ for two minutes, because the
    untranslated connection stays in the kernel's table.  Each attempt here
    has a new source port, so it is translated as soon as the rules exist.

    :raises TimeoutError: when the deadline passes
    """
    end_s = time.monotonic() + deadline_s
    while True:
        try:
            socket.create_connection((host, port), CONNECT_TIMEOUT_S).close()
        except OSError as error:
            if time.monotonic() >= end_s:
                raise TimeoutError(
                    f"No connection to the Locust master at {host}:{port} "
                    f"within {deadline_s:.0f} s: {error}. Check its pod."
                ) from error
            sleep(CONNECT_EVERY_S)
        else:
            return
