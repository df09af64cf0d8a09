"""The plan of a load: the offered rate over time.

A plan is a list of steps.  A step begins with a ramp, in which the rate
changes linearly from that of the previous step (0 for the first) to its own.
Then it holds its rate for its steady window, the only part that is judged.
Both last whole seconds, so that every one-second window lies in one phase of
one step.  A step without a rate is a closed loop, also in its ramp: each
connection sends its next request when the last one is answered.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from rally_magnum_scale.in_bay.stats import checks

RAMP = "ramp"
STEADY = "steady"
STOP = "stop"
PHASES = (RAMP, STEADY, STOP)

SLICES_PER_S = 20


@dataclass(frozen=True)
class Step:
    """One rate, held for one steady window.

    :param rate_rps: requests per second of all workers together; None for a
        closed loop
    :param duration_s: whole seconds of the steady window
    :param ramp_s: whole seconds of the ramp before it
    :raises ValueError: names the wrong key
    """

    rate_rps: float | None
    duration_s: int
    ramp_s: int = 0

    def __post_init__(self) -> None:
        _check_rate(self.rate_rps)
        checks.check_whole("duration_s", self.duration_s, 1, " of seconds")
        checks.check_whole("ramp_s", self.ramp_s, 0, " of seconds")

    @property
    def total_s(self) -> int:
        """Seconds of the ramp and the steady window together."""
        return self.ramp_s + self.duration_s

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Step:
        """Read a step from the keys rate_rps, duration_s and ramp_s.

        :raises ValueError: names an unknown, missing or wrong key
        """
        unknown = sorted(set(data) - {"rate_rps", "duration_s", "ramp_s"})
        if unknown:
            raise ValueError(
                f"{unknown[0]}: a step has no such key, only rate_rps, "
                "duration_s and ramp_s"
            )
        for key in ("rate_rps", "duration_s"):
            if key not in data:
                raise ValueError(f"{key}: missing from a step")
        return cls(**data)


@dataclass(frozen=True)
class Position:
    """The step and phase of a moment in a plan.

    :param step: index of the step
    :param phase: ``ramp``, ``steady`` or ``stop``
    """

    step: int
    phase: str


@dataclass(frozen=True)
class Slice:
    """The requests that one worker has to send in 1/20 s.

    :param position: step and phase of the slice
    :param start_s: second of the plan at which the slice begins
    :param end_s: second of the plan at which it ends
    :param first_due_s: second of the plan at which the first request is due;
        meaningless without one
    :param interval_s: time from one due request to the next
    :param count: number of due requests
    :param mean_count: the same before it is made a whole number
    """

    position: Position
    start_s: float
    end_s: float
    first_due_s: float
    interval_s: float
    count: int
    mean_count: float


@dataclass(frozen=True)
class Plan:
    """Steps, one after another.

    :raises ValueError: if there is none
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("steps: the list is empty, give at least one")

    @classmethod
    def from_json(cls, data: Sequence[Mapping[str, Any]]) -> Plan:
        """Read a plan from a list of steps.

        :raises ValueError: names the step, from 0, and its key
        """
        steps = []
        for index, item in enumerate(data):
            try:
                steps.append(Step.from_json(item))
            except ValueError as error:
                raise ValueError(f"steps[{index}].{error}") from None
        return cls(tuple(steps))

    def to_json(self) -> list[dict[str, Any]]:
        """Return what :meth:`from_json` reads."""
        return [asdict(step) for step in self.steps]

    @property
    def total_s(self) -> int:
        """Seconds from the first ramp to the end of the last window."""
        return sum(step.total_s for step in self.steps)

    def start_s(self, step: int) -> int:
        """Return the second of the plan at which a step's ramp begins."""
        return sum(before.total_s for before in self.steps[:step])

    def position(self, offset_s: float) -> Position:
        """Return the step and the phase of a moment.

        :param offset_s: seconds since the start.  A moment before the start
            counts as the start; one after the end is in ``stop`` of the last
            step
        """
        left_s = max(0.0, offset_s)
        for index, step in enumerate(self.steps):
            if left_s < step.total_s:
                return Position(
                    index, RAMP if left_s < step.ramp_s else STEADY
                )
            left_s -= step.total_s
        return Position(len(self.steps) - 1, STOP)

    def rate_rps(self, offset_s: float) -> float | None:
        """Return the rate that all workers together offer at a moment.

        :returns: requests per second; None in a closed loop, 0 after the end
        """
        where = self.position(offset_s)
        if where.phase == STOP:
            return 0.0
        step = self.steps[where.step]
        if step.rate_rps is None or where.phase == STEADY:
            return step.rate_rps
        into_s = max(0.0, offset_s) - self.start_s(where.step)
        before = self.steps[where.step - 1] if where.step else None
        # A ramp starts at 0 after a closed loop.
        from_rps = before.rate_rps or 0.0 if before else 0.0
        share = into_s / step.ramp_s
        return from_rps + (step.rate_rps - from_rps) * share

    def slices(self, worker: int, workers: int) -> Iterator[Slice]:
        """Cut the share of one worker into slices of 1/20 s.

        Each worker has the same share of every rate.  Their requests are due
        one after another, like those of a single generator.

        :param worker: index of the worker, from 0
        :param workers: number of workers
        :raises ValueError: if there is no such worker
        """
        if not 0 <= worker < workers:
            raise ValueError(f"worker: {worker} is not one of {workers}")
        # Requests due since the start, with fractions: a request is due each
        # time that this reaches a whole number, so no fraction is lost.
        due = (worker + 0.5) / workers
        for index in range(self.total_s * SLICES_PER_S):
            start_s, end_s = index / SLICES_PER_S, (index + 1) / SLICES_PER_S
            rate_rps = self.rate_rps((start_s + end_s) / 2)
            passed = (rate_rps or 0.0) / workers / SLICES_PER_S
            count = math.floor(due + passed) - math.floor(due)
            interval_s = (end_s - start_s) / passed if count else 0.0
            to_next = math.floor(due) + 1 - due
            yield Slice(
                position=self.position(start_s),
                start_s=start_s,
                end_s=end_s,
                first_due_s=start_s + to_next * interval_s,
                interval_s=interval_s,
                count=count,
                mean_count=passed,
            )
            due += passed


def _check_rate(rate_rps: float | None) -> None:
    if rate_rps is None:
        return
    good = type(rate_rps) in (int, float) and math.isfinite(rate_rps)
    if not good or rate_rps <= 0:
        raise ValueError(
            f"rate_rps: must be a number above 0, or null: {rate_rps!r}"
        )
