"""Count the requests of an ordinary Locust file in our windows.

The file's users form a closed loop, in which the response time is measured
from the request itself, so latency equals service time.  The requests that
the file reports by Locust's ``events.request`` are counted.  A request of
Locust's clients that ends without this event counts as a failure, so every
request of the plan has a result.

If a response waits in the socket while another greenlet computes, the
response time includes that computation.  Therefore a greenlet of ours
measures, for each second, how late Locust's event loop returned to it.
"""

from __future__ import annotations

import dataclasses
import numbers
import re
import time
from collections.abc import Callable
from typing import Any

import gevent

from rally_magnum_scale.in_bay.in_flight import Call
from rally_magnum_scale.in_bay.in_flight import InFlight
from rally_magnum_scale.in_bay.in_flight import Users
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.messages import WorkerReport
from rally_magnum_scale.in_bay.meter import NS_PER_S
from rally_magnum_scale.in_bay.meter import Meter
from rally_magnum_scale.in_bay.meter import RequestCounters
from rally_magnum_scale.in_bay.stats.windows import Window

TICK_S = 0.01
NS_PER_US = 1_000
# Kind of a failure without a class of its own.
FAILED = "failed"
# Kinds of requests without a response time, or with an invalid one; they
# can't be judged.
NO_RESPONSE_TIME = "no_response_time"
BAD_RESPONSE_TIME = "bad_response_time"
# Kind of an event that could not be read at all.
BAD_EVENT = "bad_event"
# Kind of a request with a response, but without an event of the file.
UNREPORTED = "unreported"
TIMEOUT = "timeout"

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Watch:
    """Counts the requests of this process's users by second.

    A request is in the window of the second in which it ended.  It belongs to
    the step in which it began, or, if its start is unknown, to the step in
    which it ended.  It counts with its full time, even if it began before the
    plan.  Requests that ended before the plan, or began after it, are not
    counted.

    :param job: the run
    :param start_second: the epoch second at which its plan begins
    :param report: receives the window of each second
    :param in_flight: outstanding requests of Locust's own clients
    :param since_ns: start time of this process on the monotonic clock; no
        request can be older
    :param sleep: lets other greenlets run for a number of seconds
    :param clock_ns: clock that returns monotonic nanoseconds
    :param wall_ns: clock that returns epoch nanoseconds
    """

    def __init__(
        self,
        job: Job,
        start_second: int,
        report: Callable[[Window], None],
        in_flight: InFlight,
        *,
        since_ns: int = 0,
        sleep: Callable[[float], None] = gevent.sleep,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._report = report
        self._in_flight = in_flight
        self._since_ns = since_ns
        self._sleep = sleep
        self._clock_ns = clock_ns
        self._plan = job.traffic.plan
        self._timeout_ns = int(job.traffic.timeout_s * NS_PER_S)
        self._start_ns = start_second * NS_PER_S - wall_ns() + clock_ns()
        self._end_ns = self._start_ns + self._plan.total_s * NS_PER_S
        self._late_ns = max(0, clock_ns() - self._start_ns)
        self._window_end_ns = self._start_ns
        self._meter = Meter(self._plan, start_second, clock_ns=clock_ns)
        self._reasons: dict[str, str] = {}
        self._is_over = False
        in_flight.take_unreported = self.take_unreported

    def take(
        self, response_time: object = None, exception: object = None, **_: Any
    ) -> None:
        """Count a request that has ended; a listener of Locust's event.

        This method never raises, because Locust would only log the error.

        :param response_time: milliseconds
        :param exception: why the request failed, or None
        """
        try:
            self._take(response_time, exception)
        except Exception:
            self._count_failure(BAD_EVENT)

    def take_unreported(self, call: Call, error: object) -> None:
        """Count a request that ended without an event.

        :param error: the error that ended it, or None
        """
        if call.began_ns < self._end_ns:
            self._count_failure(
                UNREPORTED if error is None else kind_of(error), call.began_ns
            )

    def run(self, users: Users) -> WorkerReport:
        """Watch the users to the end of the plan, and their last requests.

        :returns: the sums of all windows that were reported
        """
        while self._tick() < self._end_ns:
            pass
        if not users.all_running:
            self._reasons["users_ended"] = (
                "users of the locustfile did not start, or ended before the "
                "end of the plan"
            )
        self._drain(users)
        self._end_window()
        self._is_over = True
        if not self._meter.sum_requests and not self._meter.sum_failures:
            self._reasons["no_request"] = (
                "the users of the locustfile in a worker ended no request "
                "during the plan"
            )
        return WorkerReport(
            self._meter.sum_requests,
            self._meter.sum_failures,
            late_s=self._late_ns / NS_PER_S,
            due=[None] * len(self._plan.steps),
            reasons=self._reasons,
        )

    def _take(self, response_time: object, exception: object) -> None:
        call = self._in_flight.note_event()
        now_ns = self._clock_ns()
        took_us = _microseconds(response_time)
        began_ns = None if took_us is None else now_ns - took_us * NS_PER_US
        if began_ns is not None and began_ns < self._since_ns:
            took_us = began_ns = None
        if call:
            began_ns = call.began_ns
        # A request with an unknown start may have begun in the plan.
        if began_ns is not None and began_ns >= self._end_ns:
            return
        if exception is not None:
            self._count_failure(kind_of(exception), began_ns)
        elif response_time is None:
            self._count_failure(NO_RESPONSE_TIME, began_ns)
        elif took_us is None:
            self._count_failure(BAD_RESPONSE_TIME, began_ns)
        elif self._is_counted(now_ns):
            counters = self._counters(began_ns, now_ns)
            counters.service_us[took_us] += 1
            counters.latency_us[took_us] += 1

    def _count_failure(self, kind: str, began_ns: int | None = None) -> None:
        now_ns = self._clock_ns()
        if self._is_counted(now_ns):
            self._counters(began_ns, now_ns).failures[kind] += 1

    def _counters(self, began_ns: int | None, now_ns: int) -> RequestCounters:
        at_ns = now_ns if began_ns is None else began_ns
        last_ns = self._end_ns - 1
        at_ns = min(max(at_ns, self._start_ns), last_ns)
        return self._meter.of((at_ns - self._start_ns) // NS_PER_S)

    def _is_counted(self, now_ns: int) -> bool:
        """Begin the current second; return whether the plan has begun."""
        if self._is_over:
            return False
        self._roll(now_ns)
        return now_ns >= self._start_ns

    def _drain(self, users: Users) -> None:
        """Wait for the requests that began in the plan.

        If the users were killed, a stall of the target at the end of the
        plan would not be measured.
        """
        limit_ns = self._end_ns + self._timeout_ns
        while self._is_pending(users) and self._tick() < limit_ns:
            pass
        for call in self._in_flight.outstanding(self._end_ns):
            kind = UNREPORTED if call.answered else TIMEOUT
            self._count_failure(kind, call.began_ns)
        if unclear := users.stop_idle(self._end_ns):
            self._reasons["tasks_unfinished"] = (
                f"tasks of {unclear} users of the locustfile still ran "
                f"{self._timeout_ns / NS_PER_S:g} s (timeout_s) after the "
                "end of the plan, and may be waiting for a response to a "
                "client that is not Locust's"
            )

    def _is_pending(self, users: Users) -> bool:
        unclear = users.stop_idle(self._end_ns)
        return bool(unclear or self._in_flight.outstanding(self._end_ns))

    def _tick(self) -> int:
        """Let the users run for a moment; return the time."""
        due_ns = self._clock_ns() + int(TICK_S * NS_PER_S)
        self._sleep(TICK_S)
        now_ns = self._clock_ns()
        self._meter.note_loop_delay(now_ns - due_ns)
        self._roll(now_ns)
        return now_ns

    def _roll(self, now_ns: int) -> None:
        """End all seconds that have passed, including missed ones."""
        while now_ns >= self._window_end_ns:
            if self._window_end_ns == self._start_ns:
                self._meter.clear()
            else:
                self._end_window()
            self._window_end_ns += NS_PER_S

    def _end_window(self) -> None:
        self._report(self._meter.roll(closed=True))


class OwnFile:
    """The users of one worker, from before its run to the end.

    :param in_flight: outstanding requests of Locust's own clients
    """

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._since_ns = time.perf_counter_ns()
        self._raised: set[str] = set()
        self._watch: Watch | None = None

    def install(self, environment: Any) -> None:
        """Register the listeners, before the plan begins."""
        environment.events.user_error.add_listener(self.take_error)
        # Our listener must be the first: a listener of the file may end the
        # user, and then Locust does not call later listeners.
        environment.events.request._handlers.insert(0, self.take)

    def take(self, **event: Any) -> None:
        """Count a request that has ended; a listener of Locust's event."""
        if self._watch:
            self._watch.take(**event)
        else:
            self._in_flight.note_event()

    def take_error(self, exception: object = None, **_: Any) -> None:
        """Keep an exception of a user; a listener of Locust's event."""
        self._raised.add(type(exception).__name__)

    def run(
        self,
        environment: Any,
        order: dict[str, Any],
        report: Callable[[Window], None],
    ) -> WorkerReport:
        """Count the requests of the users in the run.

        The master stops the runner after it has all windows.  This method
        does not, because a hook of ``test_stop`` may end this process.

        :param environment: Locust's environment
        :param order: the master's order, with the job and its first second
        :param report: receives the window of each second
        """
        self._watch = Watch(
            Job.from_json(order["job"]),
            order["start_second"],
            report,
            self._in_flight,
            since_ns=self._since_ns,
        )
        users = Users(environment.runner, self._in_flight)
        outcome = self._watch.run(users)
        if not self._raised:
            return outcome
        detail = "users of the locustfile raised " + ", ".join(
            sorted(self._raised)
        )
        return dataclasses.replace(outcome, notes={"user_error": detail})


def kind_of(exception: object) -> str:
    """Return the kind of a failure: the name of its class in snake_case."""
    if not isinstance(exception, BaseException):
        return FAILED
    return _WORD_BEGINS.sub("_", type(exception).__name__).lower()


def _microseconds(response_time: object) -> int | None:
    """Convert a time in ms to µs; return None if it is not a time."""
    if isinstance(response_time, bool) or not isinstance(
        response_time, numbers.Real
    ):
        return None
    try:
        time_us = int(float(response_time) * NS_PER_US)
    except (OverflowError, ValueError):
        return None
    return None if float(response_time) < 0 else time_us
