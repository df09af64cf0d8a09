"""The load engine: one process, many keep-alive connections, one epoll.

The engine sends requests by a schedule of intended send times (open loop)
or as fast as responses arrive (closed loop).  In the open loop, a request
that is due while all connections are busy waits for a connection.  Its
latency is measured from the time at which it was due, so that a stalled
target can't hide its stall (coordinated omission; Gil Tene, "How NOT to
Measure Latency").  Therefore, requests that were due in the plan are still
sent after its last second, and each request is counted in the step and the
phase in which it was due.

The two ``_take`` loops run once per request and determine the rate that a
core can reach.  So they are optimized for the interpreter: they use local
names, and call only system functions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from rally_magnum_scale.in_bay import http_responses
from rally_magnum_scale.in_bay import request_failures
from rally_magnum_scale.in_bay.connections import EPOLLIN
from rally_magnum_scale.in_bay.connections import EVENTS
from rally_magnum_scale.in_bay.connections import NEVER_NS
from rally_magnum_scale.in_bay.connections import READ
from rally_magnum_scale.in_bay.connections import Connections
from rally_magnum_scale.in_bay.connections import Events
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.messages import WorkerReport
from rally_magnum_scale.in_bay.meter import NS_PER_S
from rally_magnum_scale.in_bay.meter import Meter
from rally_magnum_scale.in_bay.meter import RequestCounters
from rally_magnum_scale.in_bay.request_failures import kind_of
from rally_magnum_scale.in_bay.stats import arrivals
from rally_magnum_scale.in_bay.stats.windows import UNSENT
from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.in_bay.usual_responses import ResponseFingerprint
from rally_magnum_scale.in_bay.usual_responses import Versions

BATCH_NS = 50_000_000
# If a request is this late although a connection is idle, the engine stood
# still.  Smaller delays come from the work on a batch of responses.
STANDSTILL_NS = 5_000_000
RECEIVE_BYTES = 65536


class Engine:
    """One worker's share of a run.

    :param job: the run
    :param start_second: the epoch second at which all workers begin
    :param worker: index of this worker, from 0
    :param workers: number of workers
    :param report: receives the window of each second
    :param run_other_greenlets: lets other greenlets run; called every 50 ms
    :param clock_ns: clock that returns monotonic nanoseconds
    :param wall_ns: clock that returns epoch nanoseconds
    """

    CONNECTIONS: type[Connections] = Connections

    def __init__(
        self,
        job: Job,
        *,
        start_second: int,
        worker: int = 0,
        workers: int = 1,
        report: Callable[[Window], None],
        run_other_greenlets: Callable[[], None] = lambda: None,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        traffic = job.traffic
        self._plan = traffic.plan
        self._expected = traffic.request
        self._keep_alive = traffic.keep_alive
        self._request = job.request_bytes
        self._timeout_ns = int(traffic.timeout_s * NS_PER_S)
        self._report = report
        self._run_other_greenlets = run_other_greenlets
        self._clock_ns = clock_ns
        # The epoch clock is read only once, together with the monotonic
        # clock, so that setting the time can't move the schedule.
        self._start_ns = start_second * NS_PER_S - wall_ns() + clock_ns()
        self._late_ns = max(0, clock_ns() - self._start_ns)
        self._meter = Meter(traffic.plan, start_second, clock_ns=clock_ns)
        self._connections = self.CONNECTIONS(job, clock_ns)
        self._schedule = arrivals.Schedule(
            traffic.arrivals,
            traffic.plan,
            worker,
            workers,
            seed=f"{job.source.task}/{job.source.iteration}",
            start_ns=self._start_ns,
        )
        self._dues = iter(self._schedule)
        self._due_ns = next(self._dues, NEVER_NS)
        # Start of the current phase, and whether it is a closed loop.
        self._phase_ns = self._start_ns
        self._closed = False
        self._versions = Versions(job.version_header)
        self._usual = ResponseFingerprint()
        # Requests that were due before this time waited because the engine
        # stood still, so their lag counts from the time they were due.
        self._stood_until_ns = 0
        # Times without any connection are not counted in that lag, because
        # the target caused them.
        self._lost_ns = 0
        self._without_ns = 0
        # Kinds of failed attempts to connect while there was no connection
        # at all.  A due request can't wait for another connection then.
        self._failed_connects: list[str] = []

    def run(self) -> WorkerReport:
        """Wait for the first second, carry out the plan, and drain.

        :returns: the sums of all windows that were reported
        """
        try:
            # The connections are opened before the first request is due.
            self._run_batches(self._start_ns, self._batch_open)
            self._meter.clear()
            self._failed_connects.clear()
            self._connections.idle_ns = 0
            for second in range(self._plan.total_s):
                self._run_second(second)
            self._drain()
        finally:
            self._connections.close_all()
        return WorkerReport(
            self._meter.sum_requests,
            self._meter.sum_failures,
            self._late_ns / NS_PER_S,
            due=self._schedule.due,
            reasons=request_failures.generator_faults(
                {
                    **self._meter.sum_failures,
                    **self._meter.sum_connect_failures,
                }
            ),
        )

    def _run_second(self, second: int) -> None:
        start_ns = self._start_ns + second * NS_PER_S
        end_ns = start_ns + NS_PER_S
        where = self._plan.position(second)
        if not second or where != self._plan.position(second - 1):
            self._phase_ns = start_ns
        self._closed = self._plan.steps[where.step].rate_rps is None
        if self._closed:
            # A closed loop does not send requests that an open loop left.
            self._skip_due(end_ns)
            self._run_batches(end_ns, self._batch_closed)
            # The next step may be an open loop, which uses intended_ns.
            self._connections.intended_ns.update(self._connections.sent_ns)
        else:
            self._run_batches(end_ns, self._batch_open)
        self._end_window(closed=self._closed)

    def _drain(self) -> None:
        """Send the due requests and wait for the responses, up to a timeout.

        If these requests were dropped, a stall of the target at the end of
        the plan would not be measured.
        """
        limit_ns = self._clock_ns() + self._timeout_ns
        end_ns = self._start_ns + self._plan.total_s * NS_PER_S
        self._phase_ns, self._closed = end_ns, False
        while self._is_pending() and self._clock_ns() < limit_ns:
            end_ns += NS_PER_S
            self._run_batches(
                min(end_ns, limit_ns),
                self._batch_open,
                while_=self._is_pending,
            )
            if self._clock_ns() >= end_ns:
                self._end_window()
        for fd in self._connections.outstanding:
            self._count_failure("timeout", self._was_due_ns(fd))
        self._skip_due(NEVER_NS)
        self._end_window()

    def _is_pending(self) -> bool:
        """Return whether a request of the plan is unsent or outstanding."""
        return self._due_ns < NEVER_NS or bool(self._connections.outstanding)

    def _end_window(self, *, closed: bool = False) -> None:
        window = self._meter.roll(
            closed=closed, idle_ns=self._connections.idle_ns
        )
        self._connections.idle_ns = 0
        versions = self._versions.take(window.requests)
        if self._versions.follow(versions):
            self._usual.forget()
        self._report(replace(window, versions=versions))

    def _run_batches(
        self,
        until_ns: int,
        batch: Callable[[int], None],
        while_: Callable[[], bool] = lambda: True,
    ) -> None:
        """Run the loop in slices of 50 ms, so that heartbeats are sent."""
        while (now_ns := self._clock_ns()) < until_ns and while_():
            for fd in self._connections.overdue(now_ns - self._timeout_ns):
                self._fail(fd, "timeout")
            self._reopen_due(now_ns)
            end_ns = min(
                until_ns,
                now_ns + BATCH_NS,
                max(now_ns, self._connections.next_open_ns),
            )
            batch(end_ns)
            self._run_other_greenlets()
            self._meter.note_loop_delay(self._clock_ns() - end_ns)

    def _reopen_due(self, now_ns: int) -> None:
        for error in self._connections.reopen_due(now_ns):
            self._count_attempt(kind_of(error), now_ns)

    def _batch_closed(self, until_ns: int) -> None:
        while self._clock_ns() < until_ns:
            if self._connections.idle:
                self._close_ended()
                now_ns = self._clock_ns()
                while self._connections.idle:
                    fd, _ = self._connections.idle.popleft()
                    self._send(fd, now_ns, now_ns)
            events, _ = self._connections.wait(until_ns, self._due_ns)
            self._take_closed(events)

    def _batch_open(self, until_ns: int) -> None:
        has_polled = False
        while (now_ns := self._clock_ns()) < until_ns:
            if self._failed_connects:
                self._fail_waiting(now_ns)
            if self._due_ns <= now_ns and self._connections.idle:
                self._note_standstill(now_ns)
                if not has_polled:
                    self._close_ended()
                self._send_due(self._clock_ns())
            events, got_ns = self._connections.wait(until_ns, self._due_ns)
            has_polled = not events
            if events:
                self._take_open(events, got_ns)

    def _close_ended(self) -> None:
        """Close the idle connections that their targets have closed.

        A request on such a connection would fail, although the target only
        closed a connection without a request.
        """
        connections = self._connections
        most = max(EVENTS, len(connections.slots))
        for fd, _ in connections.epoll.poll(0, most):
            if connections.sent_ns.get(fd) != 0:
                connections.rearm(fd)
                continue
            try:
                data = connections.slots[fd][0](RECEIVE_BYTES)
                self._take_unusual(fd, data, self._clock_ns())
            except OSError as error:
                self._take_error(fd, error)

    def _note_standstill(self, now_ns: int) -> None:
        _, since_ns = self._connections.idle[0]
        if self._lost_ns:
            self._without_ns += since_ns - self._lost_ns
            self._lost_ns = 0
        if since_ns <= self._due_ns < now_ns - STANDSTILL_NS:
            self._stood_until_ns = now_ns
            self._without_ns = 0

    def _note_loss(self, now_ns: int) -> None:
        """Note the time at which the last connection was lost."""
        connections = self._connections
        if not (self._lost_ns or connections.sent_ns or connections.idle):
            self._lost_ns = now_ns

    def _send_due(self, now_ns: int) -> None:
        idle, lag_us = self._connections.idle, self._meter.lag_us
        while idle and self._due_ns <= now_ns:
            fd, since_ns = idle.popleft()
            due_ns = self._due_ns
            if due_ns >= self._stood_until_ns:
                lag_us[(now_ns - max(due_ns, since_ns)) // 1000] += 1
            else:
                late_ns = now_ns - due_ns - self._without_ns
                lag_us[late_ns // 1000] += 1
            self._due_ns = next(self._dues, NEVER_NS)
            self._send(fd, due_ns, now_ns)
            now_ns = self._clock_ns()

    def _send(self, fd: int, intended_ns: int, now_ns: int) -> None:
        self._connections.intended_ns[fd] = intended_ns
        self._connections.sent_ns[fd] = now_ns
        try:
            self._connections.slots[fd][1](self._request)
        except OSError as error:
            self._fail(fd, kind_of(error))

    def _take_closed(self, events: Events) -> None:
        connections, clock_ns = self._connections, self._clock_ns
        slots, sent_ns = connections.slots, connections.sent_ns
        service_us, request = self._meter.service_us, self._request
        want, heads = self._usual.want, self._usual.heads
        phase_ns = self._phase_ns
        for fd, seen in events:
            try:
                receive, send = slots[fd]
                data = receive(RECEIVE_BYTES)
                now_ns = clock_ns()
                if (
                    len(data) == want
                    and data.startswith(heads)
                    and seen == EPOLLIN
                    and sent_ns[fd] >= phase_ns
                ):
                    service_us[(now_ns - sent_ns[fd]) // 1000] += 1
                    sent_ns[fd] = now_ns
                    # A connection has one request at a time, so its buffer
                    # is empty and takes the whole request.
                    send(request)
                else:
                    self._take_unusual(fd, data, now_ns)
            except OSError as error:
                self._take_error(fd, error)

    def _take_open(self, events: Events, got_ns: int) -> None:
        connections, clock_ns, meter = (
            self._connections,
            self._clock_ns,
            self._meter,
        )
        slots, sent_ns = connections.slots, connections.sent_ns
        intended_ns, idle = connections.intended_ns, connections.idle
        latency_us, service_us = meter.latency_us, meter.service_us
        lag_us, request, dues = meter.lag_us, self._request, self._dues
        want, heads = self._usual.want, self._usual.heads
        due_ns, stood_until_ns = self._due_ns, self._stood_until_ns
        without_ns, phase_ns = self._without_ns, self._phase_ns
        for fd, seen in events:
            try:
                receive, send = slots[fd]
                data = receive(RECEIVE_BYTES)
                now_ns = clock_ns()
                if (
                    len(data) != want
                    or not data.startswith(heads)
                    or seen != EPOLLIN
                    or intended_ns[fd] < phase_ns
                ):
                    self._take_unusual(fd, data, now_ns)
                    continue
                latency_us[(now_ns - intended_ns[fd]) // 1000] += 1
                service_us[(now_ns - sent_ns[fd]) // 1000] += 1
                if due_ns > now_ns:
                    sent_ns[fd] = 0
                    idle.append((fd, got_ns))
                    continue
                if due_ns >= stood_until_ns:
                    lag_us[(now_ns - max(got_ns, due_ns)) // 1000] += 1
                else:
                    lag_us[(now_ns - due_ns - without_ns) // 1000] += 1
                intended_ns[fd] = due_ns
                sent_ns[fd] = now_ns
                due_ns = next(dues, NEVER_NS)
                send(request)
            except OSError as error:
                self._take_error(fd, error)
        self._due_ns = due_ns

    def _take_unusual(self, fd: int, data: bytes, now_ns: int) -> None:
        """Handle data that is not a usual response.

        :raises OSError: when the data is not a response
        """
        self._connections.rearm(fd)
        if not self._connections.sent_ns.get(fd):
            # The target closed an idle connection.
            self._fail(fd, "reset")
            return
        answer = self._connections.read(fd, data)
        if not answer or not answer.head:
            return
        if kind := self._expected.failure_kind(
            answer.head.status, answer.body_bytes
        ):
            self._count_failure(kind, self._was_due_ns(fd))
        else:
            self._count_answer(fd, now_ns)
            is_usual = self._versions.note(answer.head)
            ends = self._keep_alive and answer.head.close
            if is_usual and answer.fixed and data != READ and not ends:
                self._usual.learn(data, answer.body_bytes)
        self._end_answer(fd, answer.head, now_ns)

    def _end_answer(
        self, fd: int, head: http_responses.Head, now_ns: int
    ) -> None:
        self._connections.mark_idle(fd, now_ns)
        if head.close:
            self._fail(fd, "reset")

    def _count_answer(self, fd: int, now_ns: int) -> None:
        sent_ns = self._connections.sent_ns[fd]
        due_ns = self._was_due_ns(fd)
        counters = self._counters(due_ns)
        counters.service_us[(now_ns - sent_ns) // 1000] += 1
        counters.latency_us[(now_ns - due_ns) // 1000] += 1

    def _take_error(self, fd: int, error: OSError) -> None:
        if not isinstance(error, BlockingIOError):
            self._fail(fd, kind_of(error))
            return
        try:
            self._connections.resume(fd)
        except OSError as reason:
            self._fail(fd, kind_of(reason))

    def _fail(self, fd: int, kind: str) -> None:
        """Close a connection, count the failure, and reopen it later."""
        now_ns = self._clock_ns()
        has_request = bool(self._connections.sent_ns.get(fd))
        was_due_ns = self._was_due_ns(fd) if has_request else 0
        was_opening = self._connections.close(fd, now_ns)
        if has_request:
            self._count_failure(kind, was_due_ns)
        elif was_opening:
            self._count_attempt(kind, now_ns)
        self._note_loss(now_ns)
        # Immediately, so that due requests do not wait for the engine.
        self._reopen_due(now_ns)

    def _was_due_ns(self, fd: int) -> int:
        """Return when the request of a connection was due.

        In a closed loop this is the time at which it was sent.
        """
        sent_ns = self._connections.sent_ns[fd]
        if self._closed and sent_ns >= self._phase_ns:
            return sent_ns
        return self._connections.intended_ns[fd]

    def _counters(self, due_ns: int) -> RequestCounters:
        return self._meter.of((due_ns - self._start_ns) // NS_PER_S)

    def _count_failure(self, kind: str, due_ns: int) -> None:
        self._counters(due_ns).failures[kind] += 1

    def _count_attempt(self, kind: str, now_ns: int) -> None:
        """Count a failed attempt to open a connection.

        In an open loop, a due request waits for another connection, if there
        is one.  In a closed loop each connection is a user, so the attempt
        counts as a failed request.
        """
        if self._closed:
            self._count_failure(kind, now_ns)
            return
        self._meter.connect_failures[kind] += 1
        if not self._connections.sent_ns:
            self._failed_connects.append(kind)

    def _fail_waiting(self, now_ns: int) -> None:
        """For each failed attempt to connect, fail one waiting request."""
        kinds, self._failed_connects = self._failed_connects, []
        for kind in kinds:
            if self._due_ns <= now_ns:
                self._count_failure(kind, self._due_ns)
                self._due_ns = next(self._dues, NEVER_NS)

    def _skip_due(self, before_ns: int) -> None:
        """Count requests that were due before a time as unsent."""
        while self._due_ns < before_ns:
            self._count_failure(UNSENT, self._due_ns)
            self._due_ns = next(self._dues, NEVER_NS)
