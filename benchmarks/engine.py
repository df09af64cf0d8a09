"""Our engine beside other load generators, on the same nginx.

wrk (C, one thread, epoll) is what a core can do at best; FastHttpUser and
HttpUser are what Locust offers by itself.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import replace

from benchmarks import generators
from benchmarks import peers
from benchmarks import target
from benchmarks.measured import Measured
from benchmarks.result import LeftOut
from benchmarks.result import Result
from rally_magnum_scale import exceptions
from rally_magnum_scale.measurement.steps import Plan
from rally_magnum_scale.measurement.steps import Step

CLOSED_LOOP = Plan((Step(None, generators.DURATION_S, 1),))
OPEN_LOOP_RPS = (20_000, 40_000, 60_000)
SAME_RATE_RPS = 5_000
ROUNDS = 3
PERCENTILES = (50, 99, 99.9)
OURS = "engine"


def compare() -> Iterator[Result | LeftOut]:
    """Compare rate and CPU of one generator process in a closed loop.

    The generators take turns, so that none has the quiet minutes for
    itself; their best rounds are compared.
    """
    there, left_out = peers.available(peers.CLOSED_LOOP)
    yield from (LeftOut("engine", *one) for one in left_out)
    # What else the machine was doing: above 0.5 or so, only the CPU
    # figures can be compared with those of another day.
    load_before = os.getloadavg()[0]
    ours: list[Measured] = []
    theirs: dict[str, list[Measured]] = {name: [] for name in there}
    agreed = True
    with target.nginx() as nginx:
        for _ in range(ROUNDS):
            measured, equal = _counted(nginx, CLOSED_LOOP)
            agreed &= equal
            ours.append(measured)
            failed = _take_turns(there, peers.Ask(nginx.url), theirs)
            yield from (LeftOut("engine", *one) for one in failed)
    shared = {
        "counts_equal_nginx": agreed,
        "machine_load_before": round(load_before, 2),
    }
    for name in there:
        yield from _against(name, ours, theirs[name], shared)


def open_loop() -> Iterator[Result | LeftOut]:
    """Compare what is achieved, and told, at a given rate."""
    for rate_rps in OPEN_LOOP_RPS:
        yield _achieved(rate_rps)
    there, left_out = peers.available(peers.OPEN_LOOP)
    yield from (LeftOut("engine_open_loop", *one) for one in left_out)
    plan = Plan((Step(SAME_RATE_RPS, generators.DURATION_S, 1),))
    with target.nginx() as nginx:
        ours, agreed = _counted(nginx, plan)
        theirs: dict[str, list[Measured]] = {name: [] for name in there}
        failed = _take_turns(
            there, peers.Ask(nginx.url, SAME_RATE_RPS), theirs
        )
    yield from (LeftOut("engine_open_loop", *one) for one in failed)
    for name in there:
        peer = theirs[name][0]
        yield Result(
            bench="engine_open_loop",
            subject="engine, CPU seconds per million requests",
            peer=name,
            ratio=peer.cpu_s_per_million / ours.cpu_s_per_million,
            figures={
                "offered_rps": SAME_RATE_RPS,
                **ours.figures(OURS),
                **peer.figures(name),
                "counts_equal_nginx": agreed,
            },
        )


def _take_turns(
    there: dict[str, peers.Peer],
    ask: peers.Ask,
    found: dict[str, list[Measured]],
) -> list[tuple[str, str]]:
    """Run each peer once; take those out that fail.

    :returns: their names, with the reasons
    """
    failed = []
    for name, peer in list(there.items()):
        sys.stderr.write(f"asking nginx with {name}\n")
        try:
            found[name].append(peer(ask))
        except (exceptions.SandboxError, subprocess.TimeoutExpired) as error:
            del there[name]
            failed.append((name, str(error)))
    return failed


def _against(
    name: str,
    ours: list[Measured],
    theirs: list[Measured],
    shared: Mapping[str, object],
) -> Iterator[Result]:
    best = max(ours, key=lambda one: one.rps)
    peer = max(theirs, key=lambda one: one.rps)
    rate = Result(
        bench="engine",
        subject="engine, requests a second of one process",
        peer=name,
        ratio=best.rps / peer.rps,
        figures={
            **best.figures(OURS),
            **peer.figures(name),
            f"{OURS}_rounds_rps": [round(one.rps) for one in ours],
            f"{name}_rounds_rps": [round(one.rps) for one in theirs],
            **shared,
        },
    )
    yield rate
    # Of the CPU the middle round: how much a request costs depends on how
    # many are answered at once, and so on what else runs.
    yield replace(
        rate,
        subject="engine, CPU seconds per million requests",
        ratio=_median_cpu(theirs) / _median_cpu(ours),
        figures={
            **rate.figures,
            "engine_cpu_s_per_million": round(_median_cpu(ours), 2),
            f"{name}_cpu_s_per_million": round(_median_cpu(theirs), 2),
        },
    )


def _median_cpu(found: list[Measured]) -> float:
    return statistics.median(one.cpu_s_per_million for one in found)


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
