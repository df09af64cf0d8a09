"""Experiments whose results are known before they are made.

Each runs the engine as a bay does, against a small server of ours in a
process of its own, and sets what is expected, by arithmetic or by the
server's own log, beside what the engine's records say.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import generators
from benchmarks import truth_log
from benchmarks.truth_log import NS_PER_S
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step

PERCENTILES = {"p50": 50.0, "p99": 99.0, "p99_9": 99.9, "max": 100.0}
SEED = 1


@dataclass(frozen=True)
class Truth:
    """What should have come out, and what did.

    :param expected: by name
    :param measured: by the same names
    :param counted: requests by the target's own count
    :param requests: by the engine's
    :param reasons: why the run is invalid; empty when it is valid
    """

    expected: Mapping[str, float]
    measured: Mapping[str, float]
    counted: int
    requests: int
    reasons: Sequence[str]

    def error(self, name: str) -> float:
        """Return by how much a figure is off."""
        return self.measured[name] - self.expected[name]

    def error_ratio(self, name: str) -> float:
        """Return by which part of the expected a figure is off."""
        return abs(self.error(name)) / self.expected[name]


def stall(
    rate_rps: int,
    duration_s: int,
    stall_s: float,
    *,
    connections: int = generators.CONNECTIONS,
    alone: bool = False,
) -> tuple[Truth, Truth]:
    """Stop the target in the middle of a step.

    :returns: latencies in µs, beside those of :func:`stalled_us` for as
        long as the target stood still, and beside those that follow from
        when the target answered
    """
    plan = Plan((Step(rate_rps, duration_s),))
    after_s = (duration_s - stall_s) / 2
    with (
        truth_log.serving(alone=alone) as log,
        truth_log.stalled(log, after_s, stall_s),
    ):
        run = _run(log, plan, connections, alone=alone)
    expected = {
        name: stalled_us(percentile, duration_s, log.stall_s)
        for name, percentile in PERCENTILES.items()
    }
    first_due_ns = run.windows[0].second * NS_PER_S - log.epoch_ns
    answered_us = answered_late_us(log.sent_ns, rate_rps, first_due_ns)
    return (
        _truth(run, log, expected),
        _truth(run, log, percentiles_us(answered_us)),
    )


def stalled_us(percentile: float, duration_s: float, stall_s: float) -> float:
    """Return the least latency that a percentile of an open loop can have.

    Of the requests of a step of T seconds that are due at a constant rate,
    the share s / T is due while the target stands still for s seconds.
    The one that is due u seconds into the stall is answered s - u seconds
    late, so more than x seconds late is the share (s - x) / T, and the
    percentile q is where that is 1 - q: x = s - (1 - q) T.  What a target
    needs to work off the queue and to answer comes on top.

    The reasoning is Gil Tene's ("How NOT to Measure Latency", 2013), who
    calls the omission of these requests coordinated.

    :param percentile: above 0 and up to 100
    :param duration_s: of the step
    :param stall_s: of the target
    :returns: µs; 0 where the stall does not reach
    """
    late_s = stall_s - (1 - percentile / 100) * duration_s
    return max(0.0, late_s) * 1e6


def answered_late_us(
    sent_ns: Iterable[int], rate_rps: int, start_ns: int
) -> list[float]:
    """Return how long after it was due each request was answered.

    Requests of a constant rate are due half an interval after the start
    and then one interval apart, and are answered in their order.

    :param sent_ns: when the target answered
    :param rate_rps: requests due a second
    :param start_ns: when the first second began, by the same clock
    """
    return [
        (at_ns - start_ns - (number + 0.5) / rate_rps * NS_PER_S) / 1000
        for number, at_ns in enumerate(sorted(sent_ns))
    ]


def delays(
    rate_rps: int,
    duration_s: int,
    delays_us: Sequence[int],
    *,
    connections: int,
    alone: bool = False,
) -> Truth:
    """Let a target delay its answers.

    :returns: latencies in µs, beside the delays that the target measured
    """
    plan = Plan((Step(rate_rps, duration_s),))
    with truth_log.serving(delays_us, alone=alone) as log:
        run = _run(log, plan, connections, alone=alone)
    return _truth(run, log, percentiles_us(log.delays_us))


def exponential_us(count: int, mean_us: float) -> list[int]:
    """Return delays whose distribution is the exponential one.

    They are its quantiles in the middle of ``count`` equal parts, always
    in the same disorder.
    """
    found = [
        round(-mean_us * math.log(1 - (index + 0.5) / count))
        for index in range(count)
    ]
    random.Random(SEED).shuffle(found)  # noqa: S311
    return found


def steps_us(counts: Mapping[int, int]) -> list[int]:
    """Return delays of a few lengths, always in the same disorder.

    :param counts: µs to how often
    """
    found = [us for us, count in counts.items() for _ in range(count)]
    random.Random(SEED).shuffle(found)  # noqa: S311
    return found


def counts(plan: Plan) -> tuple[Truth, Counter[int], Counter[int]]:
    """Count what a plan comes to.

    :returns: the sums, and by second since the epoch what the target
        answered and what the windows hold
    """
    with truth_log.serving() as log:
        run = _run(log, plan, generators.CONNECTIONS, alone=False)
    held = Counter({one.second: one.requests for one in run.windows})
    return _truth(run, log, {}), log.by_second, held


def percentiles_us(values_us: Iterable[float]) -> dict[str, float]:
    """Read percentiles by nearest rank, from every single value."""
    ordered = sorted(values_us)
    return {
        name: ordered[max(0, math.ceil(len(ordered) * part / 100 - 1e-6) - 1)]
        for name, part in PERCENTILES.items()
    }


def _run(
    log: truth_log.Log, plan: Plan, connections: int, *, alone: bool
) -> generators.Run:
    return generators.engine(
        log.url,
        plan,
        connections=connections,
        on_core=1 if alone else None,
    )


def _truth(
    run: generators.Run, log: truth_log.Log, expected: Mapping[str, float]
) -> Truth:
    (*_, last) = run.results()
    found = last.latency_us
    return Truth(
        expected=expected,
        measured={name: float(found[name] or 0) for name in PERCENTILES},
        counted=len(log.sent_ns),
        requests=run.end["requests"],
        reasons=run.end["reasons"],
    )
