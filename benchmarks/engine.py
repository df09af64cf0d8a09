"""Our engine beside wrk and Locust's FastHttpUser, on the same nginx.

wrk (C, one thread, epoll) is what a core can do at best; FastHttpUser is
what Locust offers by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from benchmarks import generators
from benchmarks import target
from benchmarks.result import Result
from rally_magnum_scale.measurement.steps import Plan
from rally_magnum_scale.measurement.steps import Step

CLOSED_LOOP = Plan((Step(None, generators.DURATION_S, 1),))
OPEN_LOOP_RPS = 20_000
ROUNDS = 2
PERCENTILES = (50, 99, 99.9)


def compare() -> Iterator[Result]:
    """Compare rate and CPU of one generator process in a closed loop.

    The generators take turns, so that none has the quiet minutes for
    itself; their best rounds are compared.
    """
    ours, wrk, fast, agreed = [], [], [], True
    # What else the machine was doing: above 0.5 or so, only the CPU
    # figures can be compared with those of another day.
    load_before = os.getloadavg()[0]
    with target.nginx() as nginx:
        for _ in range(ROUNDS):
            before = nginx.requests()
            measured, _, end = generators.engine(nginx.url, CLOSED_LOOP)
            counted = nginx.requests() - before - 1
            agreed &= counted == end["requests"] and not end["reasons"]
            ours.append(measured)
            wrk.append(generators.wrk(nginx.url))
            fast.append(generators.fast_http_user(nginx.url))
    best = max(ours, key=lambda one: one.rps)
    for name, peers in (("wrk", wrk), ("FastHttpUser", fast)):
        peer = max(peers, key=lambda one: one.rps)
        rate = Result(
            bench="engine",
            subject="engine, requests a second of one process",
            peer=name,
            ratio=best.rps / peer.rps,
            figures={
                **best.figures("engine"),
                **peer.figures(name),
                "counts_equal_nginx": agreed,
                "machine_load_before": round(load_before, 2),
            },
        )
        yield rate
        yield replace(
            rate,
            subject="engine, CPU seconds per million requests",
            ratio=peer.cpu_s_per_million / best.cpu_s_per_million,
        )


def open_loop() -> Iterator[Result]:
    """Compare what the engine achieves with what it was to offer."""
    plan = Plan((Step(OPEN_LOOP_RPS, generators.DURATION_S, 1),))
    with target.nginx() as nginx:
        measured, whole, end = generators.engine(nginx.url, plan)
    yield Result(
        bench="engine_open_loop",
        subject="engine, achieved rate",
        peer="offered rate",
        ratio=measured.rps / OPEN_LOOP_RPS,
        figures={
            "offered_rps": OPEN_LOOP_RPS,
            **measured.figures("achieved"),
            "percentiles": list(PERCENTILES),
            "latency_us": whole.latency_us.percentiles_us(PERCENTILES),
            "schedule_lag_us": (
                whole.schedule_lag_us.percentiles_us(PERCENTILES)
            ),
            "failures": end["failures"],
            "reasons": end["reasons"],
        },
    )
