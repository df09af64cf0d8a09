"""When the requests of an open loop are due: evenly, or as chance has it.

Users who know nothing of each other arrive as a Poisson process: gaps are
exponential, and a second has now more and now fewer requests than the rate
says, by its square root.  Independent workers, each with its share of the
rate, are together again one (superposition of Poisson processes).
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from rally_magnum_scale.measurement.steps import Plan

CONSTANT = "constant"
POISSON = "poisson"
ARRIVALS = (CONSTANT, POISSON)

NS_PER_S = 1_000_000_000


def due_ns(
    arrivals: str,
    plan: Plan,
    worker: int,
    workers: int,
    seed: str,
    start_ns: int = 0,
) -> Iterator[int]:
    """Yield when each request of one worker is due.

    :param arrivals: ``constant`` or ``poisson``
    :param plan: which rate when
    :param worker: index of the worker, from 0
    :param workers: how many there are
    :param seed: with the same one, chance is the same again
    :param start_ns: when the plan begins
    :returns: nanoseconds
    :raises ValueError: when there are no such arrivals, or no such worker
    """
    if arrivals == CONSTANT:
        return _constant(plan, worker, workers, start_ns)
    if arrivals == POISSON:
        return _poisson(plan, worker, workers, seed, start_ns)
    raise ValueError(f"arrivals: {arrivals!r} is none of {list(ARRIVALS)}")


def _constant(
    plan: Plan, worker: int, workers: int, start_ns: int
) -> Iterator[int]:
    for one in plan.slices(worker, workers):
        first_ns = start_ns + int(one.first_due_s * NS_PER_S)
        interval_ns = one.interval_s * NS_PER_S
        for index in range(one.count):
            yield first_ns + int(index * interval_ns)


def _poisson(
    plan: Plan, worker: int, workers: int, seed: str, start_ns: int
) -> Iterator[int]:
    """Draw gaps of a mean of 1 request, and stretch them by the rate.

    So a rate that changes from slice to slice needs no gap drawn anew
    (time change of a Poisson process).
    """
    chance = random.Random(  # noqa: S311
        json.dumps([seed, worker, workers, plan.to_json()])
    )
    expected = chance.expovariate(1.0)
    for one in plan.slices(worker, workers):
        if one.mean_count <= 0:
            continue
        from_ns = start_ns + int(one.start_s * NS_PER_S)
        length_ns = (one.end_s - one.start_s) * NS_PER_S
        per_request_ns = length_ns / one.mean_count
        while expected < one.mean_count:
            yield from_ns + int(expected * per_request_ns)
            expected += chance.expovariate(1.0)
        expected -= one.mean_count
