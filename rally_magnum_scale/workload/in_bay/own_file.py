"""The requests of an ordinary Locust file, counted in our windows.

The file's users ask as they like: a closed loop, in which an answer's time
runs from its own request, so latency and service time are one.  What the
file fires as Locust's ``events.request`` is what is counted.

A user whose answer lies in the socket while another greenlet computes
measures that greenlet.  So a greenlet of ours tells for each second how
late Locust's event loop came back to it.
"""

from __future__ import annotations

import dataclasses
import math
import re
import time
from collections.abc import Callable
from typing import Any

import gevent

from rally_magnum_scale.measurement.windows import Window
from rally_magnum_scale.workload.in_bay.job import Job
from rally_magnum_scale.workload.in_bay.meter import NS_PER_S
from rally_magnum_scale.workload.in_bay.meter import Meter
from rally_magnum_scale.workload.in_bay.outcome import Outcome
from rally_magnum_scale.workload.in_bay.outcome import Sums

TICK_S = 0.01
US_PER_MS = 1000.0
NS_PER_MS = 1_000_000
# Of a request whose failure has no class of its own.
FAILED = "failed"
# Of a request that did not say how long it took: it can't be judged.
NO_RESPONSE_TIME = "no_response_time"

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Watch:
    """What the users of this process ask, counted by second.

    A request belongs to the second in which it ended.  What ended before
    the plan began, or began after the plan had ended, is not counted.

    :param job: the run
    :param start_second: the epoch second at which its plan begins
    :param report: gets a window of each second
    :param sleep: lets other greenlets run for some seconds
    :param clock_ns: monotonic nanoseconds
    :param wall_ns: epoch nanoseconds
    """

    def __init__(
        self,
        job: Job,
        start_second: int,
        report: Callable[[Window], None],
        *,
        sleep: Callable[[float], None] = gevent.sleep,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._report = report
        self._sleep = sleep
        self._clock_ns = clock_ns
        self._plan = job.plan
        self._timeout_ns = int(job.timeout_s * NS_PER_S)
        self._start_ns = start_second * NS_PER_S - wall_ns() + clock_ns()
        self._end_ns = self._start_ns + job.plan.total_s * NS_PER_S
        self._late_ns = max(0, clock_ns() - self._start_ns)
        self._window_end_ns = self._start_ns
        self._meter = Meter(job.plan, start_second, clock_ns=clock_ns)
        self._sums = Sums()
        self._reasons: dict[str, str] = {}

    def take(
        self,
        response_time: float | None = None,
        exception: object = None,
        **_: Any,
    ) -> None:
        """Count a request that has ended: a listener of Locust's event.

        :param response_time: milliseconds
        :param exception: why it failed, if it did
        """
        now_ns = self._clock_ns()
        self._roll(now_ns)
        took_ms = _usable_ms(response_time)
        began_ns = now_ns - int((took_ms or 0.0) * NS_PER_MS)
        if now_ns < self._start_ns or began_ns >= self._end_ns:
            return
        if exception is not None:
            self._meter.failures[kind_of(exception)] += 1
        elif took_ms is None:
            self._meter.failures[NO_RESPONSE_TIME] += 1
        else:
            self._meter.service_us[int(took_ms * US_PER_MS)] += 1

    def run(self, runner: Any) -> Outcome:
        """Watch the users to the end of the plan, and their last requests.

        :param runner: Locust's, of this worker
        :returns: the sums of all windows that were reported
        """
        wanted = runner.target_user_count
        while self._tick() < self._end_ns:
            pass
        if runner.user_count < wanted:
            self._reasons["users_ended"] = (
                "users of the Locust file never began, or ended before the "
                "plan did"
            )
        self._drain(runner)
        self._end_window()
        return self._outcome()

    def _drain(self, runner: Any) -> None:
        """Let tasks end that are running, for as long as a request may.

        A target that stalls at the end of the plan would be forgiven all
        that it kept waiting, were the users killed.
        """
        limit_ns = self._end_ns + self._timeout_ns
        # Locust itself must not kill them before that.
        runner.environment.stop_timeout = 2 * self._timeout_ns / NS_PER_S
        gevent.spawn(runner.stop)
        while runner.user_count and self._tick() < limit_ns:
            pass
        if runner.user_count:
            self._reasons["tasks_unfinished"] = (
                "tasks of the Locust file still ran "
                f"{self._timeout_ns / NS_PER_S:g} s (timeout_s) after the "
                "plan had ended, so what they asked last is not judged"
            )
        runner.environment.stop_timeout = 0.0

    def _tick(self) -> int:
        """Let the users run; return the time."""
        due_ns = self._clock_ns() + int(TICK_S * NS_PER_S)
        self._sleep(TICK_S)
        now_ns = self._clock_ns()
        self._meter.note_loop_delay(now_ns - due_ns)
        self._roll(now_ns)
        return now_ns

    def _roll(self, now_ns: int) -> None:
        """End the seconds that are over, also those that were slept away."""
        while now_ns >= self._window_end_ns:
            if self._window_end_ns == self._start_ns:
                self._meter.clear()
            else:
                self._end_window()
            self._window_end_ns += NS_PER_S

    def _end_window(self) -> None:
        window = self._meter.roll(closed=True)
        self._sums.add(window)
        self._report(window)

    def _outcome(self) -> Outcome:
        if not self._sums.requests and not self._sums.failures:
            self._reasons["no_request"] = (
                "a worker's users of the Locust file ended no request in "
                "the plan"
            )
        return Outcome(
            self._sums.requests,
            self._sums.failures,
            late_s=self._late_ns / NS_PER_S,
            due=[None] * len(self._plan.steps),
            reasons=self._reasons,
        )


class OwnFile:
    """The users of one worker, from before its run to the end."""

    def __init__(self) -> None:
        self._raised: set[str] = set()

    def install(self, environment: Any) -> None:
        """Listen to what the users raise, also before the plan begins."""
        environment.events.user_error.add_listener(self.take_error)

    def take_error(self, exception: object = None, **_: Any) -> None:
        """Keep what a user raised: a listener of Locust's event."""
        self._raised.add(type(exception).__name__)

    def run(
        self,
        environment: Any,
        order: dict[str, Any],
        report: Callable[[Window], None],
    ) -> Outcome:
        """Count what the users ask in the run.

        :param environment: Locust's
        :param order: the master's, with the job and its first second
        :param report: gets a window of each second
        """
        job = Job.from_json(order["job"])
        watch = Watch(job, order["start_second"], report)
        environment.events.request.add_listener(watch.take)
        outcome = watch.run(environment.runner)
        if not self._raised:
            return outcome
        said = "users of the Locust file raised " + ", ".join(
            sorted(self._raised)
        )
        return dataclasses.replace(outcome, notes={"user_error": said})


def kind_of(exception: object) -> str:
    """Return the kind of a failure: its class in snake_case."""
    if not isinstance(exception, BaseException):
        return FAILED
    return _WORD_BEGINS.sub("_", type(exception).__name__).lower()


def _usable_ms(response_time: float | None) -> float | None:
    good = (
        response_time is not None
        and math.isfinite(response_time)
        and response_time >= 0
    )
    return response_time if good else None
