"""When the requests of an open loop are due: evenly or at random.

Independent users arrive as a Poisson process: gaps are exponential, and the
number of requests in a second varies by the square root of the rate.
Independent workers, each with its share of the rate, make one Poisson process
together (superposition).
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

    It can be iterated once.  Its count of due requests depends on the plan
    alone, so the sent requests can be checked against it.

    :param arrivals: ``constant`` or ``poisson``
    :param plan: the offered rate over time
    :param worker: index of the worker, from 0
    :param workers: number of workers
    :param seed: the same seed gives the same random schedule
    :param start_ns: nanosecond at which the plan begins
    :raises ValueError: if there are no such arrivals, or no such worker
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
        #: Requests due in the steady seconds of each step, of those already
        #: iterated; None for a closed loop, in which nothing is due.
        self.due: list[int | None] = [
            None if step.rate_rps is None else 0 for step in plan.steps
        ]
        self._slices = plan.slices(worker, workers)
        self._start_ns = start_ns
        # Each worker gets its own random stream from the same seed and plan.
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

    # Both yield one request at a time and return the number of requests.
    # Rounding must not move a request into another second.

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
        """Draw gaps with a mean of 1 request, and scale them by the rate.

        So no gap has to be drawn again when the rate changes between slices
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
