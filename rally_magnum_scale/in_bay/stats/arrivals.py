"""When the requests of an open loop are due: evenly, or as chance has it.

Users who know nothing of each other arrive as a Poisson process: gaps are
exponential, and a second has now more and now fewer requests than the rate
says, by its square root.  Independent workers, each with its share of the
rate, are together again one (superposition of Poisson processes).
"""

from __future__ import annotations

import json
import random
from collections.abc import Generator
from collections.abc import Iterator

from rally_magnum_scale.in_bay.stats import steps

CONSTANT = "constant"
POISSON = "poisson"
ARRIVALS = (CONSTANT, POISSON)

NS_PER_S = 1_000_000_000


class Schedule:
    """When the requests of one worker are due, in nanoseconds, in order.

    It is read once.  What was due is counted by the plan alone: whoever
    sends the requests can be held to it.

    :param arrivals: ``constant`` or ``poisson``
    :param plan: which rate when
    :param worker: index of the worker, from 0
    :param workers: how many there are
    :param seed: with the same one, chance is the same again
    :param start_ns: when the plan begins
    :raises ValueError: when there are no such arrivals, or no such worker
    """

    def __init__(
        self,
        arrivals: str,
        plan: steps.Plan,
        worker: int,
        workers: int,
        *,
        seed: str,
        start_ns: int,
    ) -> None:
        if arrivals not in ARRIVALS:
            raise ValueError(
                f"arrivals: {arrivals!r} is none of {list(ARRIVALS)}"
            )
        #: Requests due in the steady seconds of each step, as far as they
        #: were read; None for a closed loop, in which nothing is due.
        self.due: list[int | None] = [
            None if step.rate_rps is None else 0 for step in plan.steps
        ]
        self._slices = plan.slices(worker, workers)
        self._start_ns = start_ns
        # The same seed and plan give each worker a stream of its own.
        self._chance = random.Random(  # noqa: S311
            json.dumps([seed, worker, workers, plan.to_json()])
        )
        self._expected = self._chance.expovariate(1.0)
        self._in_slice = (
            self._constant if arrivals == CONSTANT else self._poisson
        )

    def __iter__(self) -> Iterator[int]:
        for one in self._slices:
            from_ns = self._start_ns + int(one.start_s * NS_PER_S)
            to_ns = self._start_ns + int(one.end_s * NS_PER_S)
            count = yield from self._in_slice(one, from_ns, to_ns)
            due = self.due[one.position.step]
            if due is not None and one.position.phase == steps.STEADY:
                self.due[one.position.step] = due + count

    # Both give out one request at a time, and return how many there were.
    # Rounding must move none into another second.

    def _constant(
        self, one: steps.Slice, from_ns: int, to_ns: int
    ) -> Generator[int, None, int]:
        first_ns = self._start_ns + int(one.first_due_s * NS_PER_S)
        first_ns = min(max(from_ns, first_ns), to_ns - 1)
        interval_ns = one.interval_s * NS_PER_S
        if one.count > 1:
            most_ns = (to_ns - 1 - first_ns) / (one.count - 1)
            interval_ns = min(interval_ns, most_ns)
        for index in range(one.count):
            yield first_ns + int(index * interval_ns)
        return one.count

    def _poisson(
        self, one: steps.Slice, from_ns: int, to_ns: int
    ) -> Generator[int, None, int]:
        """Draw gaps of a mean of 1 request, and stretch them by the rate.

        So a rate that changes from slice to slice needs no gap drawn anew
        (time change of a Poisson process).
        """
        count = 0
        if one.mean_count <= 0:
            return count
        per_request_ns = (to_ns - 1 - from_ns) / one.mean_count
        while self._expected < one.mean_count:
            yield from_ns + int(self._expected * per_request_ns)
            count += 1
            self._expected += self._chance.expovariate(1.0)
        self._expected -= one.mean_count
        return count
