"""Our engine beside other load generators, on the same nginx.

wrk (C, one thread, epoll) is what a core can do at best; FastHttpUser and
HttpUser are what Locust offers by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from benchmarks import generators
from benchmarks import peers
from benchmarks import target
from benchmarks.measured import Measured
from benchmarks.result import LeftOut
from benchmarks.result import Result
from benchmarks.turns import Turns
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step

CLOSED_LOOP = Plan((Step(None, generators.DURATION_S, 1),))
OPEN_LOOP_RPS = (20_000, 40_000, 60_000)
SAME_RATE_RPS = 5_000
ROUNDS = 5
PERCENTILES = (50, 99, 99.9)


def compare() -> Iterator[Result | LeftOut]:
    """Compare rate and CPU of one generator process in a closed loop.

    The generators take turns; their middle rounds are compared.
    """
    turns = Turns("engine", peers.CLOSED_LOOP)
    # What else the machine was doing: above 0.5 or so, only the CPU
    # figures can be compared with those of another day.
    load_before = os.getloadavg()[0]
    ours: list[Measured] = []
    agreed = True
    with target.nginx() as nginx:
        for _ in range(ROUNDS):
            measured, equal = _counted(nginx, CLOSED_LOOP)
            agreed &= equal
            ours.append(measured)
            turns.take(peers.Ask(nginx.url))
    yield from turns.left_out()
    yield from turns.rates_and_cpu(
        ours,
        {
            "counts_equal_nginx": agreed,
            "machine_load_before": round(load_before, 2),
        },
    )


def open_loop() -> Iterator[Result | LeftOut]:
    """Compare what is achieved, and told, at a given rate."""
    for rate_rps in OPEN_LOOP_RPS:
        yield _achieved(rate_rps)
    turns = Turns("engine_open_loop", peers.OPEN_LOOP)
    plan = Plan((Step(SAME_RATE_RPS, generators.DURATION_S, 1),))
    with target.nginx() as nginx:
        ours, agreed = _counted(nginx, plan)
        turns.take(peers.Ask(nginx.url, SAME_RATE_RPS))
    yield from turns.left_out()
    yield from turns.cpu(
        [ours], {"offered_rps": SAME_RATE_RPS, "counts_equal_nginx": agreed}
    )


def _counted(nginx: target.Target, plan: Plan) -> tuple[Measured, bool]:
    """Run our engine; tell whether nginx has counted as many requests."""
    before = nginx.requests()
    run = generators.engine(nginx.url, plan)
    counted = nginx.requests() - before - 1
    equal = counted == run.end["requests"] and not run.end["reasons"]
    return run.measured, equal


def _achieved(rate_rps: int) -> Result:
    plan = Plan((Step(rate_rps, generators.DURATION_S, 1),))
    with target.nginx() as nginx:
        run = generators.engine(nginx.url, plan)
    lag_us = run.whole.schedule_lag_us.percentiles_us(PERCENTILES)
    return Result(
        bench="engine_open_loop",
        subject="engine, achieved rate",
        peer="offered rate",
        ratio=run.measured.rps / rate_rps,
        figures={
            "offered_rps": rate_rps,
            "busy_ratio_max": max(one.busy_ratio_max for one in run.steady),
            **run.measured.figures("achieved"),
            "percentiles": list(PERCENTILES),
            "schedule_lag_us": lag_us,
            "failures": run.end["failures"],
            "reasons": run.end["reasons"],
        },
    )
