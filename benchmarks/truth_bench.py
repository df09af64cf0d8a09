"""How far the engine's figures are from what is known to be true.

``ratio`` is the error that is allowed ÷ the worst that was seen, where
two sets of figures are compared: above 1 they agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from benchmarks import generators
from benchmarks import measured
from benchmarks import peers
from benchmarks import truth
from benchmarks import truth_log
from benchmarks.result import LeftOut
from benchmarks.result import Result
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step

RATE_RPS = 1_000
DURATION_S = 10
STALL_S = 0.5
MEAN_DELAY_US = 50_000
ALLOWED_RATIO = 0.01
ALLOWED_US = 20.0
COUNTED = Plan((Step(50, 3, 3), Step(500, 3, 3), Step(20, 3)))


def stall() -> Iterator[Result]:
    """Stop the target for 500 ms in a step of 10 s."""
    by_formula, by_log = truth.stall(RATE_RPS, DURATION_S, STALL_S, alone=True)
    seen = ("p99", "p99_9", "max")
    yield _result(
        "truth_stall",
        "latencies when the target stands still for 500 ms in 10 s",
        "when the target answered what was due",
        by_log,
        seen,
        expected_by_formula_us=_rounded(by_formula.expected),
    )


def delays() -> Iterator[Result]:
    """Let the target delay its answers exponentially."""
    found = truth.delays(
        RATE_RPS,
        DURATION_S,
        truth.exponential_us(RATE_RPS * DURATION_S, MEAN_DELAY_US),
        connections=2 * generators.CONNECTIONS,
        alone=True,
    )
    yield _result(
        "truth_delays",
        "latencies of a target with exponential delays, 50 ms in the mean",
        "the delays that the target measured",
        found,
        tuple(measured.PERCENTILES),
    )


def counts() -> Iterator[Result]:
    """Compare the engine's counts with the target's own."""
    found, by_target, by_window = truth.counts(COUNTED)
    seconds = sorted(by_target | by_window)
    yield Result(
        bench="truth_counts",
        subject="requests, in the run and in each second",
        peer="the target's time-stamped log",
        ratio=found.requests / found.counted,
        figures={
            "expected": found.counted,
            "measured": found.requests,
            "expected_by_second": [by_target[one] for one in seconds],
            "measured_by_second": [by_window[one] for one in seconds],
            "reasons": list(found.reasons),
        },
    )


def against_peers() -> Iterator[Result | LeftOut]:
    """Compare latencies with those of other open loops, twice each.

    No two programs can agree better than two runs of one of them, so that
    is what is allowed.
    """
    wanted = {name: peers.OPEN_LOOP[name] for name in ("wrk2", "vegeta")}
    there, left_out = peers.available(wanted)
    yield from (LeftOut("truth_peers", *one) for one in left_out)
    for name, peer in there.items():
        ours, theirs = [], []
        for _ in range(2):
            ours.append(_our_errors_us())
            theirs.append(_peer_errors_us(peer))
        yield _comparison(name, ours, theirs)


Errors = Mapping[str, float]


def _our_errors_us() -> Errors:
    found = truth.delays(
        RATE_RPS,
        DURATION_S,
        _peer_delays_us(),
        connections=2 * generators.CONNECTIONS,
        alone=True,
    )
    return {name: found.error(name) for name in measured.PERCENTILES}


def _peer_errors_us(peer: peers.Peer) -> Errors:
    with truth_log.serving(_peer_delays_us(), alone=True) as log:
        told = peer(
            peers.Ask(
                log.url, RATE_RPS, DURATION_S, 2 * generators.CONNECTIONS
            )
        )
    true_us = truth.percentiles_us(log.delays_us)
    return {
        name: told.latency_us[name] - true_us[name]
        for name in measured.PERCENTILES
    }


def _peer_delays_us() -> list[int]:
    return truth.exponential_us(RATE_RPS * DURATION_S, MEAN_DELAY_US)


def _comparison(name: str, ours: list[Errors], theirs: list[Errors]) -> Result:
    apart = _worst_us(
        {key: _mean(ours, key) - _mean(theirs, key) for key in ours[0]}
    )
    allowed = max(
        _worst_us({key: first[key] - again[key] for key in first})
        for first, again in (ours, theirs)
    )
    return Result(
        bench="truth_peers",
        subject="p50, p99 and p99.9 at the same rate",
        peer=name,
        ratio=allowed / apart,
        figures={
            "rate_rps": RATE_RPS,
            "errors_us": [_rounded(one) for one in ours],
            f"{name}_errors_us": [_rounded(one) for one in theirs],
            "two_runs_of_one_program_apart_us": round(allowed, 1),
            "programs_apart_us": round(apart, 1),
        },
    )


def _mean(runs: list[Errors], key: str) -> float:
    return sum(one[key] for one in runs) / len(runs)


def _worst_us(errors: Errors) -> float:
    # A microsecond is what the histograms are exact to.
    return max(1.0, *(abs(error) for error in errors.values()))


def _result(
    bench: str,
    subject: str,
    peer: str,
    found: truth.Truth,
    names: tuple[str, ...],
    **more: Any,
) -> Result:
    ratio = min(
        max(ALLOWED_RATIO * found.expected[name], ALLOWED_US)
        / max(1.0, abs(found.error(name)))
        for name in names
    )
    return Result(
        bench=bench,
        subject=subject,
        peer=peer,
        ratio=ratio,
        figures={
            "expected_us": _rounded(found.expected),
            "measured_us": _rounded(found.measured),
            "allowed": "1 % or 20 us",
            "expected_requests": found.counted,
            "measured_requests": found.requests,
            "reasons": list(found.reasons),
            **more,
        },
    )


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in values.items()}
