"""The requests of an ordinary Locust file, counted in our windows.

The file's users ask as they like: a closed loop, in which an answer's time
runs from its own request, so latency and service time are one.  What the
file fires as Locust's ``events.request`` is what is counted, and what its
clients ask without one counts as a failure: no request of the plan is
without an end.

A user whose answer lies in the socket while another greenlet computes
measures that greenlet.  So a greenlet of ours tells for each second how
late Locust's event loop came back to it.
"""

from __future__ import annotations

import dataclasses
import numbers
import re
import time
from collections.abc import Callable
from typing import Any
from typing import Protocol

import gevent

from rally_magnum_scale.in_bay.in_flight import Call
from rally_magnum_scale.in_bay.in_flight import InFlight
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.meter import NS_PER_S
from rally_magnum_scale.in_bay.meter import Counters
from rally_magnum_scale.in_bay.meter import Meter
from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.in_bay.users import Users
from rally_magnum_scale.in_bay.worker_report import Sums
from rally_magnum_scale.in_bay.worker_report import WorkerReport

TICK_S = 0.01
NS_PER_US = 1_000
NS_PER_MS = 1_000_000
# Of a request whose failure has no class of its own.
FAILED = "failed"
# Of a request that did not say how long it took, or said what can't be: it
# can't be judged.
NO_RESPONSE_TIME = "no_response_time"
BAD_RESPONSE_TIME = "bad_response_time"
# Of an event that could not be read at all.
BAD_EVENT = "bad_event"
# Of a request whose answer came, but not the file's word on it.
UNREPORTED = "unreported"
TIMEOUT = "timeout"

_WORD_BEGINS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class StoppableUsers(Protocol):
    """Who asks; see :class:`users.Users`."""

    @property
    def are_all_there(self) -> bool:
        """Whether as many run as were ordered."""

    def stop_idle(self, end_ns: int) -> int:
        """Stop those that wait for nothing; count those that may."""


class Watch:
    """What the users of this process ask, counted by second.

    A request is in the window of the second in which it ended, and belongs
    to the step in which it began; one whose begin is not known, to that in
    which it ended.  It counts with all of its time, also when it began before
    the plan.  What ended before the plan began, or began after the plan had
    ended, is not counted.

    :param job: the run
    :param start_second: the epoch second at which its plan begins
    :param report: gets a window of each second
    :param in_flight: what Locust's own clients have asked
    :param since_ns: when this process began, on the monotonic clock: no
        request can be older
    :param sleep: lets other greenlets run for some seconds
    :param clock_ns: monotonic nanoseconds
    :param wall_ns: epoch nanoseconds
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
        self._plan = job.plan
        self._timeout_ns = int(job.timeout_s * NS_PER_S)
        self._start_ns = start_second * NS_PER_S - wall_ns() + clock_ns()
        self._end_ns = self._start_ns + job.plan.total_s * NS_PER_S
        self._late_ns = max(0, clock_ns() - self._start_ns)
        self._window_end_ns = self._start_ns
        self._meter = Meter(job.plan, start_second, clock_ns=clock_ns)
        self._sums = Sums()
        self._reasons: dict[str, str] = {}
        self._is_over = False
        in_flight.take_unreported = self.take_unreported

    def take(
        self, response_time: object = None, exception: object = None, **_: Any
    ) -> None:
        """Count a request that has ended: a listener of Locust's event.

        It never raises, as Locust would only log that.

        :param response_time: milliseconds
        :param exception: why it failed, if it did
        """
        try:
            self._take(response_time, exception)
        except Exception:
            self._count_failure(BAD_EVENT)

    def take_unreported(self, call: Call, error: object) -> None:
        """Count a request that ended without an event.

        :param error: what ended it, None if nothing did
        """
        if call.began_ns < self._end_ns:
            self._count_failure(
                UNREPORTED if error is None else kind_of(error), call.began_ns
            )

    def run(self, users: StoppableUsers) -> WorkerReport:
        """Watch the users to the end of the plan, and their last requests.

        :returns: the sums of all windows that were reported
        """
        while self._tick() < self._end_ns:
            pass
        if not users.are_all_there:
            self._reasons["users_ended"] = (
                "users of the Locust file never began, or ended before the "
                "plan did"
            )
        self._drain(users)
        self._end_window()
        self._is_over = True
        return self._outcome()

    def _take(self, response_time: object, exception: object) -> None:
        call = self._in_flight.note_event()
        now_ns = self._clock_ns()
        took_us = _microseconds(response_time)
        began_ns = None if took_us is None else now_ns - took_us * NS_PER_US
        if began_ns is not None and began_ns < self._since_ns:
            took_us = began_ns = None
        if call:
            began_ns = call.began_ns
        # When it began may be unknown: then it may have been in the plan.
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

    def _counters(self, began_ns: int | None, now_ns: int) -> Counters:
        at_ns = now_ns if began_ns is None else began_ns
        last_ns = self._end_ns - 1
        at_ns = min(max(at_ns, self._start_ns), last_ns)
        return self._meter.of((at_ns - self._start_ns) // NS_PER_S)

    def _is_counted(self, now_ns: int) -> bool:
        """Begin the second that is due; tell whether it is of the plan."""
        if self._is_over:
            return False
        self._roll(now_ns)
        return now_ns >= self._start_ns

    def _drain(self, users: StoppableUsers) -> None:
        """Wait for requests that began in the plan, and for nothing else.

        A target that stalls at the end of the plan would be forgiven all
        that it kept waiting, were the users killed.
        """
        limit_ns = self._end_ns + self._timeout_ns
        while self._is_pending(users) and self._tick() < limit_ns:
            pass
        for call in self._in_flight.outstanding(self._end_ns):
            kind = UNREPORTED if call.answered else TIMEOUT
            self._count_failure(kind, call.began_ns)
        if unclear := users.stop_idle(self._end_ns):
            self._reasons["tasks_unfinished"] = (
                f"tasks of {unclear} users of the Locust file still ran "
                f"{self._timeout_ns / NS_PER_S:g} s (timeout_s) after the "
                "plan had ended, and may have waited for a request that only "
                "their own client knows of"
            )

    def _is_pending(self, users: StoppableUsers) -> bool:
        unclear = users.stop_idle(self._end_ns)
        return bool(unclear or self._in_flight.outstanding(self._end_ns))

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

    def _outcome(self) -> WorkerReport:
        if not self._sums.requests and not self._sums.failures:
            self._reasons["no_request"] = (
                "a worker's users of the Locust file ended no request in "
                "the plan"
            )
        return WorkerReport(
            self._sums.requests,
            self._sums.failures,
            late_s=self._late_ns / NS_PER_S,
            due=[None] * len(self._plan.steps),
            reasons=self._reasons,
        )


class OwnFile:
    """The users of one worker, from before its run to the end.

    :param in_flight: what Locust's own clients have asked
    """

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._since_ns = time.perf_counter_ns()
        self._raised: set[str] = set()
        self._watch: Watch | None = None

    def install(self, environment: Any) -> None:
        """Listen to what the users do, also before the plan begins."""
        environment.events.user_error.add_listener(self.take_error)
        # First of all: a listener of the file's may end the user, and then
        # Locust calls none of those after it.
        environment.events.request._handlers.insert(0, self.take)

    def take(self, **event: Any) -> None:
        """Take a request that has ended: a listener of Locust's event."""
        if self._watch:
            self._watch.take(**event)
        else:
            self._in_flight.note_event()

    def take_error(self, exception: object = None, **_: Any) -> None:
        """Keep what a user raised: a listener of Locust's event."""
        self._raised.add(type(exception).__name__)

    def run(
        self,
        environment: Any,
        order: dict[str, Any],
        report: Callable[[Window], None],
    ) -> WorkerReport:
        """Count what the users ask in the run.

        Their runner is not stopped here, but by the master when it has all
        windows: a hook of ``test_stop`` may end this process.

        :param environment: Locust's
        :param order: the master's, with the job and its first second
        :param report: gets a window of each second
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
        said = "users of the Locust file raised " + ", ".join(
            sorted(self._raised)
        )
        return dataclasses.replace(outcome, notes={"user_error": said})


def kind_of(exception: object) -> str:
    """Return the kind of a failure: its class in snake_case."""
    if not isinstance(exception, BaseException):
        return FAILED
    return _WORD_BEGINS.sub("_", type(exception).__name__).lower()


def _microseconds(response_time: object) -> int | None:
    """Return a time in ms as one in µs, None if it is none."""
    if isinstance(response_time, bool) or not isinstance(
        response_time, numbers.Real
    ):
        return None
    try:
        time_us = int(float(response_time) * NS_PER_US)
    except (OverflowError, ValueError):
        return None
    return None if float(response_time) < 0 else time_us
