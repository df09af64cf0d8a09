"""Counters of one worker for the current second."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable

from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Position
from rally_magnum_scale.in_bay.stats.windows import Part
from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.in_bay.stats.windows import add_counts

NS_PER_S = 1_000_000_000
NS_PER_US = 1_000
# For a shorter window, a share of the time is meaningless.  The last window
# may last only microseconds.
RATIO_OVER_NS = 100_000_000


class RequestCounters:
    """Counters of requests that were due in one phase of one step.

    The dicts map raw times in µs to counts.  The engine updates them
    directly, because a call per request would cost as much as the request.
    """

    def __init__(self) -> None:
        self.latency_us: dict[int, int] = defaultdict(int)
        self.service_us: dict[int, int] = defaultdict(int)
        self.failures: dict[str, int] = defaultdict(int)


class Meter(RequestCounters):
    """Counters of one second, which become a window at its end.

    The counters of the meter itself are those of requests that were due in
    the current phase.  Requests that were due in earlier phases have separate
    counters.

    :param plan: gives the phase and the step of a second
    :param start_second: epoch second at which the plan begins
    :param cpu_ns: CPU time of this process so far
    :param clock_ns: the engine's clock
    """

    def __init__(
        self,
        plan: Plan,
        start_second: int,
        *,
        cpu_ns: Callable[[], int] = time.process_time_ns,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._plan = plan
        self._start_second = start_second
        self._cpu_ns = cpu_ns
        self._clock_ns = clock_ns
        self.second = start_second
        #: Sums over all windows so far.
        self.sum_requests = 0
        self.sum_failures: dict[str, int] = {}
        self.sum_connect_failures: dict[str, int] = {}
        self.clear()

    def clear(self) -> None:
        """Reset all counters."""
        super().__init__()
        self.lag_us: dict[int, int] = defaultdict(int)
        self.connect_failures: dict[str, int] = defaultdict(int)
        self._carried: dict[Position, RequestCounters] = defaultdict(
            RequestCounters
        )
        self._loop_delay_max_us = 0
        self._since_ns = self._clock_ns()
        self._cpu_since_ns = self._cpu_ns()

    def of(self, second: int) -> RequestCounters:
        """Return the counters of requests that were due in a second.

        :param second: second of the plan, from 0
        """
        due = self._plan.position(second)
        now = self._plan.position(self.second - self._start_second)
        return self if due == now else self._carried[due]

    def note_loop_delay(self, late_ns: int) -> None:
        """Note how late the event loop returned to the connections.

        Responses that wait unread meanwhile look slow.  In a closed loop,
        only this delay shows that the target was not slow.
        """
        self._loop_delay_max_us = max(
            self._loop_delay_max_us, late_ns // NS_PER_US
        )

    def roll(self, *, closed: bool, idle_ns: int | None = None) -> Window:
        """End the second, and begin the next one.

        :param closed: whether it was a closed loop, in which latency equals
            service time, and only the service time was counted
        :param idle_ns: how long the engine was idle; None if unknown
        :returns: the window since the last call
        """
        cpu_ns = self._cpu_ns() - self._cpu_since_ns
        wall_ns = self._clock_ns() - self._since_ns
        where = self._plan.position(self.second - self._start_second)
        service_us = Histogram.from_values_us(self.service_us)
        latency_us = (
            service_us if closed else Histogram.from_values_us(self.latency_us)
        )
        carried = tuple(
            _part(at, counters) for at, counters in self._carried.items()
        )
        if carried:
            latency_us = latency_us.merge(*(one.latency_us for one in carried))
            service_us = service_us.merge(*(one.service_us for one in carried))
        window = Window(
            second=self.second,
            phase=where.phase,
            step=where.step + 1,
            workers=1,
            requests=service_us.total,
            failures=add_counts(
                [self.failures, *(one.failures for one in carried)]
            ),
            latency_us=latency_us,
            service_us=service_us,
            schedule_lag_us=Histogram.from_values_us(self.lag_us),
            cpu_ratio_max=_ratio(cpu_ns, wall_ns),
            busy_ratio_max=_ratio(
                cpu_ns if idle_ns is None else wall_ns - idle_ns, wall_ns
            ),
            loop_delay_max_us=self._loop_delay_max_us,
            cpu_s=cpu_ns / NS_PER_S,
            carried=carried,
            connect_failures=dict(self.connect_failures),
        )
        self.second += 1
        self.sum_requests += window.requests
        self.sum_failures = add_counts([self.sum_failures, window.failures])
        self.sum_connect_failures = add_counts(
            [self.sum_connect_failures, window.connect_failures]
        )
        self.clear()
        return window


def _part(due: Position, counted: RequestCounters) -> Part:
    service_us = Histogram.from_values_us(counted.service_us)
    return Part(
        step=due.step + 1,
        phase=due.phase,
        requests=service_us.total,
        failures=dict(counted.failures),
        latency_us=Histogram.from_values_us(counted.latency_us),
        service_us=service_us,
    )


def _ratio(part_ns: int, wall_ns: int) -> float:
    return 0.0 if wall_ns < RATIO_OVER_NS else part_ns / wall_ns
