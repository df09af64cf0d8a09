"""A second judge of runs, written from the documentation alone.

It knows the fate of every single request, sorts lists and counts, and shares
no code with the package.  It is slow, and right by inspection.
"""

from __future__ import annotations

import dataclasses
import math

RAMP, STEADY = "ramp", "steady"


@dataclasses.dataclass(frozen=True)
class Request:
    """One request of a worker.

    :param due_s: second of the plan at which it was due; in a closed loop,
        at which it was sent
    :param ended_s: at which it was answered or had failed
    :param failure: how it failed; empty for an answer as expected
    """

    worker: int
    due_s: float
    ended_s: float
    failure: str = ""


@dataclasses.dataclass(frozen=True)
class Step:
    """A step of a plan: a ramp, then steady seconds."""

    rate_rps: float | None
    duration_s: int
    ramp_s: int


@dataclasses.dataclass(frozen=True)
class Iteration:
    """What befell one iteration.

    :param requests: of all workers, in any order
    :param flaws: what is wrong with the whole run, in words of our own;
        with any of them no figure counts
    :param miscounted_due: the schedules do not agree with what became of the
        requests of each open loop
    :param error: the iteration failed
    :param stored: False for one whose result was lost
    """

    steps: tuple[Step, ...]
    requests: tuple[Request, ...]
    flaws: frozenset[str] = frozenset()
    miscounted_due: bool = False
    error: bool = False
    stored: bool = True

    def counts(self, number: int) -> bool:
        """Say whether the figures of a step count.

        A load that got no answer at all has none.
        """
        silent = bool(self.requests) and all(x.failure for x in self.requests)
        is_open = self.steps[number - 1].rate_rps is not None
        return not (self.flaws or silent or (self.miscounted_due and is_open))


def place(steps: tuple[Step, ...], at_s: float) -> tuple[int, str]:
    """Return number and phase of the step in which a moment lies."""
    begin_s = 0
    for number, step in enumerate(steps, 1):
        if at_s < begin_s + step.ramp_s:
            return number, RAMP
        begin_s += step.ramp_s + step.duration_s
        if at_s < begin_s:
            return number, STEADY
    raise AssertionError("nothing is due after the plan")


def steady_s(steps: tuple[Step, ...], number: int) -> tuple[int, int]:
    """Return between which seconds of the plan a step is steady."""
    before = sum(one.ramp_s + one.duration_s for one in steps[: number - 1])
    begin_s = before + steps[number - 1].ramp_s
    return begin_s, begin_s + steps[number - 1].duration_s


def due(iteration: Iteration, number: int) -> list[Request]:
    """Return the requests that were due in a step's steady seconds."""
    wanted = (number, STEADY)
    return [
        one
        for one in iteration.requests
        if place(iteration.steps, one.due_s) == wanted
    ]


def rate_rps(iteration: Iteration, number: int) -> float:
    begin_s, end_s = steady_s(iteration.steps, number)
    in_time = [
        one
        for one in iteration.requests
        if not one.failure
        and begin_s <= one.ended_s < end_s
        and place(iteration.steps, one.due_s)[0] == number
    ]
    answered = [one for one in due(iteration, number) if not one.failure]
    return min(len(in_time), len(answered)) / (end_s - begin_s)


def latency_ms(
    iteration: Iteration, number: int, percentile: float
) -> float | None:
    """Return a percentile by nearest rank, infinite for one that failed."""
    times = sorted(
        math.inf if one.failure else (one.ended_s - one.due_s) * 1000
        for one in due(iteration, number)
    )
    if not times:
        return None
    rank = math.ceil(round(len(times) * percentile / 100, 9))
    return times[max(rank, 1) - 1]


def error_ratio(iteration: Iteration, number: int) -> float | None:
    asked = due(iteration, number)
    if not asked:
        return None
    return sum(bool(one.failure) for one in asked) / len(asked)


PERCENTILES = {
    "p50_ms": 50,
    "p90_ms": 90,
    "p99_ms": 99,
    "p99_9_ms": 99.9,
    "max_ms": 100,
}


def value(iteration: Iteration, key: str, number: int) -> float | None:
    """Return the figure that a bound is on."""
    if key == "min_rps":
        return rate_rps(iteration, number)
    if key == "max_ratio":
        return error_ratio(iteration, number)
    return latency_ms(iteration, number, PERCENTILES[key])


def holds(iteration: Iteration, key: str, bound: float, number: int) -> bool:
    """Judge one bound on one iteration."""
    if iteration.error or not iteration.stored:
        return False
    if not 1 <= number <= len(iteration.steps):
        return False
    if not iteration.counts(number):
        return False
    found = value(iteration, key, number)
    if found is None:
        return False
    return found >= bound if key == "min_rps" else found <= bound


@dataclasses.dataclass(frozen=True)
class Workload:
    """Iterations of one scenario, and what was asked of them.

    :param asked: each a criterion, the key of its bound, the bound, and the
        number of the step, None for the last
    """

    iterations: tuple[Iteration, ...]
    asked: tuple[tuple[str, str, float, int | None], ...]

    @property
    def criteria(self) -> dict[str, bool]:
        """Say of each criterion whether all its bounds hold everywhere."""
        found: dict[str, bool] = {}
        for criterion, key, bound, number in self.asked:
            passed = all(
                holds(one, key, bound, number or len(one.steps))
                for one in self.iterations
            )
            found[criterion] = found.get(criterion, True) and passed
        return found

    @property
    def state(self) -> str:
        """Say what the workload came to."""
        if any(one.error or not one.stored for one in self.iterations):
            return "broken"
        if not all(
            one.counts(number)
            for one in self.iterations
            for number in range(1, len(one.steps) + 1)
        ):
            return "invalid"
        return "holds" if all(self.criteria.values()) else "fails"


def state(workloads: list[Workload]) -> str:
    """Say what a whole task came to: the worst of its workloads."""
    order = ["holds", "fails", "invalid", "broken"]
    return max((one.state for one in workloads), key=order.index)
