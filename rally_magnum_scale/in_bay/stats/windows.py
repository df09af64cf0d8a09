"""The counts and latencies of one second, of one worker or of all."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.histogram import PackedSum

HISTOGRAMS = ("latency_us", "service_us", "schedule_lag_us")
PART_HISTOGRAMS = HISTOGRAMS[:2]
# Length of a window.
WINDOW_S = 1.0
# Kind of failure of a request that was due but never sent.
UNSENT = "unsent"


@dataclass(frozen=True)
class Part:
    """Requests of a window that were due in one phase of one step.

    :param step: number of the step in the plan, from 1
    :param phase: ``ramp``, ``steady`` or ``stop``
    :param requests: how many got the expected response
    :param failures: kind of failure to number of failed requests
    :param latency_us: latency of the expected responses, from the intended
        send time
    :param service_us: their service time, from the actual send time
    """

    step: int
    phase: str
    requests: int
    failures: Mapping[str, int] = field(default_factory=dict)
    latency_us: Histogram = field(default_factory=Histogram)
    service_us: Histogram = field(default_factory=Histogram)

    @property
    def place(self) -> tuple[int, str]:
        """The step and the phase."""
        return self.step, self.phase

    def write(self, histogram: Callable[[Histogram], Any]) -> dict[str, Any]:
        """Return the part as plain values.

        :param histogram: converts a histogram
        """
        return {
            "step": self.step,
            "phase": self.phase,
            "requests": self.requests,
            "failures": dict(sorted(self.failures.items())),
            **{
                name: histogram(getattr(self, name))
                for name in PART_HISTOGRAMS
            },
        }

    @classmethod
    def read(
        cls, data: Mapping[str, Any], histogram: Callable[[Any], Histogram]
    ) -> Part:
        """Read what :meth:`write` returned.

        :param histogram: converts a value back to a histogram
        :raises KeyError: when a key is missing
        """
        return cls(
            step=int(data["step"]),
            phase=_phase(data["phase"]),
            requests=int(data["requests"]),
            failures=_counts(data["failures"]),
            **{name: histogram(data[name]) for name in PART_HISTOGRAMS},
        )


@dataclass(frozen=True)
class Window:
    """One second of a run.

    A request is counted once, in the second in which it was answered or
    failed: in ``requests`` if it got the expected response, else in
    ``failures``.  It belongs to the step and the phase in which it was due.
    ``carried`` holds the requests that were due in an earlier phase than that
    of this second.

    :param second: epoch second, by the workers' clocks
    :param phase: ``ramp``, ``steady`` or ``stop``
    :param step: number of the step in the plan, from 1
    :param workers: how many workers reported
    :param requests: how many got the expected response
    :param failures: kind of failure to number of failed requests
    :param latency_us: from the intended send time to the response; in a
        closed loop, which has no schedule, from the actual send time
    :param service_us: from the actual send time to the response
    :param schedule_lag_us: how late the generator sent a request although it
        had an idle connection, and the lag of the requests that queued up
        behind it during a standstill; empty in a closed loop
    :param cpu_ratio_max: CPU seconds per second of the worker that used most
    :param busy_ratio_max: share of the second in which the busiest worker
        waited neither for a response nor for the next due request; if
        unknown, its CPU seconds per second
    :param loop_delay_max_us: how late the event loop of a worker returned to
        its connections, the worst of all workers
    :param cpu_s: CPU seconds of all worker processes together; None if
        unknown
    :param versions: version of the targets to how many of ``requests`` it
        answered, with "" for responses without a version; empty if they are
        not counted by version
    :param carried: the requests above that were due in an earlier phase, by
        that phase
    :param connect_failures: kind of failure to number of failed attempts to
        connect, in an open loop, whose requests wait for another connection
    """

    second: int
    phase: str
    step: int
    workers: int
    requests: int
    failures: Mapping[str, int] = field(default_factory=dict)
    latency_us: Histogram = field(default_factory=Histogram)
    service_us: Histogram = field(default_factory=Histogram)
    schedule_lag_us: Histogram = field(default_factory=Histogram)
    cpu_ratio_max: float = 0.0
    busy_ratio_max: float = 0.0
    loop_delay_max_us: int = 0
    cpu_s: float | None = None
    versions: Mapping[str, int] = field(default_factory=dict)
    carried: tuple[Part, ...] = ()
    connect_failures: Mapping[str, int] = field(default_factory=dict)

    @property
    def current(self) -> Part:
        """The requests that were due in the step and phase of this second.

        :raises ValueError: if ``carried`` holds more requests than the window
        """
        carried = self.carried
        failures = dict(self.failures)
        for kind, count in add_counts(one.failures for one in carried).items():
            failures[kind] = failures.get(kind, 0) - count
        requests = self.requests - sum(one.requests for one in carried)
        if min([requests, *failures.values()]) < 0:
            raise ValueError(
                f"The window of second {self.second} has fewer requests than "
                "its carried parts."
            )
        return Part(
            self.step,
            self.phase,
            requests,
            {kind: count for kind, count in failures.items() if count},
            self.latency_us.less(*(one.latency_us for one in carried)),
            self.service_us.less(*(one.service_us for one in carried)),
        )

    @property
    def failed(self) -> int:
        """How many requests failed, of any kind."""
        return sum(self.failures.values())

    def to_json(self) -> dict[str, Any]:
        """Return the window as plain JSON, histograms sparse."""
        return self._written(Histogram.to_json)

    def packed(self) -> dict[str, Any]:
        """Return the window as a :class:`Merger` takes it.

        A worker sends one window each second, and the master gets thousands.
        In a closed loop latency and service time are equal and sent once.
        """
        packed = self._written(Histogram.packed)
        if self.latency_us is self.service_us:
            packed["latency_us"] = None
        return packed

    def _written(self, write: Callable[[Histogram], Any]) -> dict[str, Any]:
        written = {
            "second": self.second,
            "phase": self.phase,
            "step": self.step,
            "workers": self.workers,
            "requests": self.requests,
            "failures": dict(sorted(self.failures.items())),
            "cpu_ratio_max": round(self.cpu_ratio_max, 4),
            "busy_ratio_max": round(self.busy_ratio_max, 4),
            "loop_delay_max_us": self.loop_delay_max_us,
            "cpu_s": None if self.cpu_s is None else round(self.cpu_s, 6),
        }
        # Most windows have none, and a record is written each second.
        for name in ("versions", "connect_failures"):
            if counts := getattr(self, name):
                written[name] = dict(sorted(counts.items()))
        for name in HISTOGRAMS:
            written[name] = write(getattr(self, name))
        if self.carried:
            written["carried"] = [part.write(write) for part in self.carried]
        return written

    @classmethod
    def from_json(
        cls,
        data: Mapping[str, Any],
        read: Callable[[Any], Histogram] = Histogram.from_json,
    ) -> Window:
        """Read a window, ignoring the other keys of its record.

        :param read: converts a value to a histogram
        :raises ValueError: when a key is missing or its value is wrong
        """
        try:
            cpu_s = data.get("cpu_s")
            return cls(
                second=int(data["second"]),
                phase=_phase(data["phase"]),
                step=int(data["step"]),
                workers=int(data["workers"]),
                requests=int(data["requests"]),
                failures=_counts(data["failures"]),
                cpu_ratio_max=float(data["cpu_ratio_max"]),
                busy_ratio_max=float(
                    data.get("busy_ratio_max", data["cpu_ratio_max"])
                ),
                loop_delay_max_us=int(data["loop_delay_max_us"]),
                cpu_s=None if cpu_s is None else float(cpu_s),
                versions=_counts(data.get("versions", {})),
                connect_failures=_counts(data.get("connect_failures", {})),
                carried=tuple(
                    Part.read(part, read) for part in data.get("carried", ())
                ),
                **{name: read(data[name]) for name in HISTOGRAMS},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"Invalid window: {error!r}.") from error


class Merger:
    """Adds up the packed windows of one second, one from each worker.

    It keeps a few numbers of each window.  It adds each histogram to a sum at
    once, so that memory does not grow with the number of workers.
    """

    def __init__(self) -> None:
        self._windows: list[Window] = []
        # By the place of a carried part, or None, and the histogram's name.
        self._sums: dict[tuple[Any, str], PackedSum] = defaultdict(PackedSum)

    def add(self, packed: Mapping[str, Any]) -> None:
        """Add what :meth:`Window.packed` returned.

        :raises ValueError: when it is something else
        """
        window = Window.from_json(packed, lambda _: Histogram())
        self._windows.append(window)
        for name in HISTOGRAMS:
            counts = packed[name]
            self._sums[None, name].add(
                packed["service_us"] if counts is None else counts
            )
        for part, counts in zip(
            window.carried, packed.get("carried", ()), strict=True
        ):
            for name in PART_HISTOGRAMS:
                self._sums[part.place, name].add(counts[name])

    def window(self) -> Window:
        """Return the sum of all that was added.

        :raises ValueError: if nothing was added, or if the windows are not of
            one second, phase and step
        """
        merged = merge(self._windows)
        carried = tuple(
            replace(part, **self._histograms(part.place, PART_HISTOGRAMS))
            for part in merged.carried
        )
        return replace(
            merged, carried=carried, **self._histograms(None, HISTOGRAMS)
        )

    def _histograms(
        self, place: tuple[int, str] | None, names: Iterable[str]
    ) -> dict[str, Any]:
        return {name: self._sums[place, name].histogram() for name in names}


def merge(windows: Iterable[Window]) -> Window:
    """Add up the windows of one second.

    :param windows: one from each worker
    :raises ValueError: if there is none, or if they are not of one second,
        phase and step
    """
    found = list(windows)
    places = {(one.second, one.phase, one.step) for one in found}
    if len(places) != 1:
        raise ValueError(
            "Only windows of one second, phase and step can be merged, not "
            f"{sorted(places)}."
        )
    ((second, phase, step),) = places
    carried: dict[tuple[int, str], list[Part]] = defaultdict(list)
    for part in itertools.chain.from_iterable(one.carried for one in found):
        carried[part.place].append(part)
    empty = Histogram()
    return Window(
        second=second,
        phase=phase,
        step=step,
        workers=sum(one.workers for one in found),
        requests=sum(one.requests for one in found),
        failures=add_counts(one.failures for one in found),
        latency_us=empty.merge(*(one.latency_us for one in found)),
        service_us=empty.merge(*(one.service_us for one in found)),
        schedule_lag_us=empty.merge(*(one.schedule_lag_us for one in found)),
        cpu_ratio_max=max(one.cpu_ratio_max for one in found),
        busy_ratio_max=max(one.busy_ratio_max for one in found),
        loop_delay_max_us=max(one.loop_delay_max_us for one in found),
        cpu_s=add_known(one.cpu_s for one in found),
        versions=add_counts(one.versions for one in found),
        connect_failures=add_counts(one.connect_failures for one in found),
        carried=tuple(
            Part(
                *place,
                sum(one.requests for one in parts),
                add_counts(one.failures for one in parts),
                empty.merge(*(one.latency_us for one in parts)),
                empty.merge(*(one.service_us for one in parts)),
            )
            for place, parts in sorted(carried.items())
        ),
    )


def due_in(seen: Iterable[Window], step: int, phase: str) -> list[Part]:
    """Return the requests that were due in a phase of a step.

    They may have ended in any later window.

    :param seen: the windows to search
    :param step: number of the step, from 1
    :param phase: ``ramp``, ``steady`` or ``stop``
    """
    found = []
    for one in seen:
        if (one.step, one.phase) == (step, phase):
            found.append(one.current)
        found += [part for part in one.carried if part.place == (step, phase)]
    return found


def add_known(values: Iterable[float | None]) -> float | None:
    """Add up values; None if one of them is unknown."""
    total = 0.0
    for value in values:
        if value is None:
            return None
        total += value
    return total


def add_counts(many: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up counts by their keys."""
    total: dict[str, int] = {}
    for counts in many:
        for key, count in counts.items():
            total[key] = total.get(key, 0) + count
    return total


def seconds_to_fail(timeout_s: float) -> int:
    """Return after how many whole seconds a hanging request has failed.

    It is one second more than the timeout, rounded up, because a worker
    notices a timeout a little late.

    :param timeout_s: timeout of a request
    """
    return math.ceil(timeout_s) + 1


def _counts(data: Mapping[str, Any]) -> dict[str, int]:
    return {key: int(count) for key, count in data.items()}


def _phase(value: str) -> str:
    if value not in steps.PHASES:
        raise ValueError(f"Invalid phase of a run: {value!r}.")
    return value
