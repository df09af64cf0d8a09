"""From windows to steps: rates, percentiles, and whether they count."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_scale.measurement import histogram
from rally_magnum_scale.measurement import records
from rally_magnum_scale.measurement import steps
from rally_magnum_scale.measurement import windows

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9}

# A generator that sends its requests this late, or leaves no processor time
# unused, measures itself.  10 ms is a tenth of the finest delay that people
# notice and far above what an idle event loop shows.
MAX_SCHEDULE_LAG_US = 10_000
MAX_CPU_RATIO = 0.95

# A generator that stands still is late with the few requests for which it
# has a free connection, and what queues up behind them looks like the
# target's doing: one such request is enough.
MAX_STANDSTILL_US = 500_000

# How late the generator's event loop may come back to its connections: what
# lies there meanwhile looks slow.  Once a second for a tenth of it delays a
# tenth of the answers; the worst of hundreds of workers is past 10 ms in any
# second, so the bound of the schedule lag would be wrong here.
MAX_LOOP_DELAY_US = 100_000


def summarise(
    plan: steps.Plan,
    seen: Sequence[windows.Window],
    end: records.End | None,
    *,
    cores_pods: float | None,
    cores_real_nodes: float | None,
) -> list[records.StepResult]:
    """Judge nothing, sum up everything: one result for each step.

    Latency, service time and failures of the last step include those of
    the ``stop`` windows after it; see ``_answer_windows``.

    :param plan: the steps as they were ordered
    :param seen: the windows that were read, each second once
    :param end: the closing record, or None when it was never read
    :param cores_pods: cores that target and load pods could use together
    :param cores_real_nodes: cores of all nodes that are not hollow
    """
    shared = _run_reasons(seen, end)
    expected = end.workers_expected if end else None
    return [
        _summarise_step(
            number, step, seen, expected, shared, cores_pods, cores_real_nodes
        )
        for number, step in enumerate(plan.steps, 1)
    ]


def _summarise_step(
    number: int,
    step: steps.Step,
    seen: Sequence[windows.Window],
    workers: int | None,
    shared: list[str],
    cores_pods: float | None,
    cores_real_nodes: float | None,
) -> records.StepResult:
    steady = [w for w in seen if w.phase == "steady" and w.step == number]
    ended = _answer_windows(seen, number)
    requests = sum(w.requests for w in steady)
    failures = windows.add_failures(w.failures for w in ended)
    failed = sum(failures.values())
    asked = sum(w.requests for w in ended) + failed
    rate = requests / step.duration_s
    lag = histogram.Histogram().merge(*(w.schedule_lag_us for w in steady))
    return records.StepResult(
        step=number,
        offered_rps=step.rate_rps,
        steady_s=step.duration_s,
        requests=requests,
        failures=failures,
        achieved_rps=rate,
        error_ratio=failed / asked if asked else None,
        latency_us=percentiles(w.latency_us for w in ended),
        service_us=percentiles(w.service_us for w in ended),
        schedule_lag_p99_us=lag.percentile_us(99),
        rps_per_core=rate / cores_pods if cores_pods else None,
        rps_per_core_real_nodes=(
            rate / cores_real_nodes if cores_real_nodes else None
        ),
        reasons=[*shared, *_step_reasons(step, steady, workers, lag)],
    )


def _answer_windows(
    seen: Sequence[windows.Window], number: int
) -> list[windows.Window]:
    """Return the windows that tell how a step's requests ended.

    A stall before the end of the plan shows only after it: every request
    that ends in a ``stop`` window was due in the plan.  Left out, the
    slowest answers of the last step would be missing.  The rate, what the
    generator used and how late it was stay those of the steady seconds,
    as nothing is offered after them.
    """
    # Only the last step has stop windows: they carry its number.
    return [
        one
        for one in seen
        if one.step == number and one.phase in (steps.STEADY, steps.STOP)
    ]


def percentiles(
    parts: Iterable[histogram.Histogram],
) -> dict[str, int | None]:
    """Merge histograms, never average them, and read the percentiles.

    :returns: microseconds by name, ``max`` included; None when empty
    """
    whole = histogram.Histogram().merge(*parts)
    read = {name: whole.percentile_us(p) for name, p in PERCENTILES.items()}
    return {**read, "max": whole.max_us}


def _run_reasons(
    seen: Sequence[windows.Window], end: records.End | None
) -> list[str]:
    if end is None:
        return ["the load's records break off before their end"]
    reasons = list(end.reasons)
    if end.windows != len(seen):
        reasons.append(
            f"{len(seen)} windows were read, but {end.windows} were written"
        )
    return reasons


def _step_reasons(
    step: steps.Step,
    steady: Sequence[windows.Window],
    workers: int | None,
    lag: histogram.Histogram,
) -> list[str]:
    reasons = []
    if len(steady) != step.duration_s:
        reasons.append(
            f"{len(steady)} of {step.duration_s} steady windows are there"
        )
    short = [w for w in steady if workers and w.workers < workers]
    if short:
        fewest = min(w.workers for w in short)
        reasons.append(
            f"in {len(short)} windows not all workers reported, in one only "
            f"{fewest} of {workers}"
        )
    return reasons + _saturation_reasons(steady, lag)


def _saturation_reasons(
    steady: Sequence[windows.Window], lag: histogram.Histogram
) -> list[str]:
    reasons = []
    late_us = lag.percentile_us(99)
    if late_us is not None and late_us > MAX_SCHEDULE_LAG_US:
        reasons.append(
            "the load generator was the limit: 1 % of its requests were due "
            f"{late_us / 1000:.1f} ms or longer before it sent them"
        )
    if lag.max_us is not None and lag.max_us > MAX_STANDSTILL_US:
        reasons.append(
            "the load generator stood still: it sent a request "
            f"{lag.max_us / 1000:.0f} ms late although a connection was free"
        )
    reasons += _loop_reasons(steady)
    busy = statistics.median(w.cpu_ratio_max for w in steady) if steady else 0
    if busy > MAX_CPU_RATIO:
        reasons.append(
            "the load generator was the limit: its busiest process used "
            f"{busy:.0%} of a core in half of the windows"
        )
    return reasons


def _loop_reasons(steady: Sequence[windows.Window]) -> list[str]:
    """Judge delays that no schedule shows, as a closed loop has none."""
    delays_us = [one.loop_delay_max_us for one in steady]
    if not delays_us:
        return []
    reasons = []
    if max(delays_us) > MAX_STANDSTILL_US:
        reasons.append(
            "the load generator stood still: its event loop came back to "
            f"the connections {max(delays_us) / 1000:.0f} ms late"
        )
    usual_us = statistics.median(delays_us)
    if usual_us > MAX_LOOP_DELAY_US:
        reasons.append(
            "the load generator was the limit: its event loop was "
            f"{usual_us / 1000:.0f} ms late or more in half of the windows"
        )
    return reasons
