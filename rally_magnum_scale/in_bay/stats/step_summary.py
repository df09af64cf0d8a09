"""From windows to steps: rates, percentiles, and whether they count."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import cpu_time
from rally_magnum_scale.in_bay.stats import histogram
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import windows

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99_9": 99.9}

# A generator that sends its requests this late, or never waits for anything,
# measures itself.  10 ms is a tenth of the finest delay that people notice
# and far above what an idle event loop shows.
MAX_SCHEDULE_LAG_US = 10_000
MAX_BUSY_RATIO = 0.95

_UNTOLD = "the workers did not tell what they used in each second"

# A generator that stands still for long spoils a step even if that is less
# than 1 % of it: the percentiles above 99 and the maximum are its own.
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
    cores_of: Mapping[str, float | None] | None = None,
    cpu: cpu_time.CpuCounters | None = None,
    counted_by_targets: int | None = None,
) -> list[records.StepResult]:
    """Judge nothing, sum up everything: one result for each step.

    A request belongs to the step in which it was due, whenever it ended.

    :param plan: the steps as they were ordered
    :param seen: the windows that were read, each second once
    :param end: the closing record, or None when it was never read
    :param cores_pods: cores that target and load pods could use together
    :param cores_real_nodes: cores of all nodes that are not hollow
    :param cores_of: cores that each of :data:`records.SIDES` could use
    :param cpu: what the counters of the targets and the nodes said
    :param counted_by_targets: how many requests the targets have counted in
        the whole run; None where that can't be compared
    """
    shared = _run_reasons(seen, end, counted_by_targets)
    ground = _Ground(cores_pods, cores_real_nodes, cores_of or {}, cpu)
    return [
        _summarise_step(number, step, seen, end, shared, ground)
        for number, step in enumerate(plan.steps, 1)
    ]


@dataclasses.dataclass(frozen=True)
class _Ground:
    """What a load ran on, and what that used."""

    cores_pods: float | None
    cores_real_nodes: float | None
    cores_of: Mapping[str, float | None]
    cpu: cpu_time.CpuCounters | None


def _summarise_step(
    number: int,
    step: steps.Step,
    seen: Sequence[windows.Window],
    end: records.End | None,
    shared: list[str],
    ground: _Ground,
) -> records.StepResult:
    steady = [w for w in seen if w.phase == steps.STEADY and w.step == number]
    due = windows.due_in(seen, number, steps.STEADY)
    own = windows.due_in(steady, number, steps.STEADY)
    ramp = windows.due_in(steady, number, steps.RAMP)
    in_time = sum(part.requests for part in (*own, *ramp))
    result = _sum_up(
        number,
        step.rate_rps,
        step.duration_s,
        min(in_time, sum(part.requests for part in due)),
        steady,
        due,
        ground,
    )
    result = dataclasses.replace(
        result,
        due=_due(number, step, end, result),
        timeout_s=end.timeout_s if end else None,
    )
    return dataclasses.replace(
        result,
        **_cpu_fields(step, steady, result.requests, ground.cpu),
        reasons=[
            *shared,
            *_step_reasons(step, steady, end),
            *_unaccounted(result),
            *_lag_reasons(result, own),
            *_saturation_reasons(steady),
        ],
    )


def _due(
    number: int,
    step: steps.Step,
    end: records.End | None,
    result: records.StepResult,
) -> int | None:
    """Return how many requests were due, by the workers' schedules."""
    if end is None:
        return None
    due = dict(enumerate(end.due, 1)).get(number)
    if due is None and step.rate_rps is None:
        # It has no schedule: what is sent is due.
        return result.answered + result.failed
    return due


def _unaccounted(result: records.StepResult) -> list[str]:
    """Hold a step to what was due in it."""
    ended = result.answered + result.failed
    if result.due is None:
        return ["the workers did not tell how many requests were due"]
    if result.due == ended:
        return []
    return [
        f"{result.due} requests were due, but {result.answered} were answered "
        f"as expected and {result.failed} failed, which makes {ended}"
    ]


def during(
    start_s: float,
    end_s: float,
    step: tuple[int, steps.Step],
    seen: Sequence[windows.Window],
    end: records.End | None,
    *,
    timeout_s: float,
    cores_pods: float | None,
    cores_real_nodes: float | None,
) -> records.StepResult:
    """Sum up the time of an event, as a step is: the whole seconds around it.

    What hangs in an event ends only after it, so latency, service time,
    failures and their share take in what ended later; see
    :func:`_ended_after`.  The rate, what the generator used and how late it
    was stay those of the event's seconds.

    :param start_s: epoch second at which it began, by the workers' clocks
    :param end_s: at which it was over
    :param step: number and step in which it began
    :param seen: the windows that were read, each second once
    :param end: the closing record, or None when it was never read
    :param timeout_s: after how long a request has failed
    :param cores_pods: as in :func:`summarise`, as the next one
    """
    number, asked = step
    first = math.floor(start_s)
    seconds = max(1, math.ceil(end_s) - first)
    inside = [w for w in seen if first <= w.second < first + seconds]
    later = _ended_after(first + seconds, seen, timeout_s)
    ground = _Ground(cores_pods, cores_real_nodes, {}, None)
    reasons = _run_reasons(seen, end)
    under_load = sum(w.phase != steps.STOP for w in inside)
    if under_load < seconds:
        reasons.append(
            f"the load ran for {under_load} of the {seconds} seconds of the "
            "event: let its step last longer"
        )
    return dataclasses.replace(
        _sum_up(
            number,
            asked.rate_rps,
            seconds,
            sum(w.requests for w in inside),
            inside,
            [*inside, *later],
            ground,
        ),
        reasons=[
            *reasons,
            *_short_reasons(inside, end),
            *_saturation_reasons(inside),
        ],
    )


def _ended_after(
    end_second: int, seen: Sequence[windows.Window], timeout_s: float
) -> list[windows.Window]:
    """Return of the windows after an event what may have begun in it.

    Of the answers these are the ones that were surely due before its end,
    as their latency and their second tell.  The others, most of which were
    due only later, would dilute the percentiles and the share of failures;
    what was due in its last second and took less than another is lost.

    When a request began that failed is not known.  So all failures count
    until the last that hangs has timed out, even those of requests that
    began only after the event, or because of the next one.  The share of
    failures may be too large by them, as the answers that came with them
    are left out, but never too small.

    :param end_second: the first epoch second after it
    """
    failed_by = end_second + windows.seconds_to_fail(timeout_s)
    later = []
    for one in seen:
        if one.second < end_second:
            continue
        least_us = (one.second + 1 - end_second) * 1_000_000
        answers = one.latency_us.at_least_us(least_us)
        kept = dataclasses.replace(
            one,
            requests=answers.total,
            failures=one.failures if one.second < failed_by else {},
            latency_us=answers,
            service_us=one.service_us.at_least_us(least_us),
        )
        later.append(kept)
    return later


def _sum_up(
    number: int,
    rate_rps: float | None,
    seconds: int,
    requests: int,
    counted: Sequence[windows.Window],
    due: Sequence[windows.Window | windows.Part],
    ground: _Ground,
) -> records.StepResult:
    """Sum up a stretch of time.

    :param requests: how many were answered as expected in it
    :param counted: windows of its seconds
    :param due: how the requests ended that were due in it
    """
    failures = windows.add_counts(one.failures for one in due)
    failed = sum(failures.values())
    answered = sum(one.requests for one in due)
    asked = answered + failed
    rate = requests / seconds
    latencies = [one.latency_us for one in due]
    return records.StepResult(
        step=number,
        offered_rps=rate_rps,
        steady_s=seconds,
        requests=requests,
        failures=failures,
        achieved_rps=rate,
        error_ratio=failed / asked if asked else None,
        latency_us=percentiles(latencies, failed),
        answered_latency_us=percentiles(latencies),
        service_us=percentiles(one.service_us for one in due),
        answered=answered,
        schedule_lag_p99_us=_lag(counted).percentile_us(99),
        rps_per_core=_over(rate, ground.cores_pods),
        rps_per_core_real_nodes=_over(rate, ground.cores_real_nodes),
        rps_per_core_of={
            side: _over(rate, cores) for side, cores in ground.cores_of.items()
        },
    )


def _lag(counted: Sequence[windows.Window]) -> histogram.Histogram:
    return histogram.Histogram().merge(*(w.schedule_lag_us for w in counted))


def _over(value: float, share: float | None) -> float | None:
    return value / share if share else None


def _cpu_fields(
    step: steps.Step,
    steady: Sequence[windows.Window],
    requests: int,
    cpu: cpu_time.CpuCounters | None,
) -> dict[str, Any]:
    """Return what a step used of CPU, and how sure that is.

    The generators count their own, second by second; what the targets and
    the nodes used is told from the nodes' counters.
    """
    generators_s = windows.add_known(one.cpu_s for one in steady)
    if len(steady) < step.duration_s:
        generators_s = None
    told = _told(step, steady, cpu)
    targets, nodes = told
    targets_s = targets.used_s if targets else None
    cpu_s = {
        "targets": targets_s,
        "generators": generators_s,
        "pods": windows.add_known((targets_s, generators_s)),
        "nodes": nodes.used_s if nodes else None,
    }
    return {
        "cpu_s": cpu_s,
        "requests_per_cpu_s": {
            name: _over(requests, used_s) for name, used_s in cpu_s.items()
        },
        "cpu_outside_ratio": max(
            (one.outside_ratio for one in told if one), default=None
        ),
        "cpu_covered_ratio": min(
            (one.covered_ratio for one in told if one), default=None
        ),
        "cpu_missing": "; ".join(
            [
                *([] if all(told) else [_why_no_cpu(step, cpu)]),
                *([] if generators_s is not None else [_UNTOLD]),
            ]
        ),
    }


def _told(
    step: steps.Step,
    steady: Sequence[windows.Window],
    cpu: cpu_time.CpuCounters | None,
) -> tuple[cpu_time.Use | None, cpu_time.Use | None]:
    """Return what targets and nodes used in the steady seconds."""
    if cpu is None or not steady:
        return None, None
    start_s = min(one.second for one in steady)
    end_s = start_s + step.duration_s
    return (
        cpu_time.used_by_all(cpu.targets, start_s, end_s),
        cpu_time.used_by_all(cpu.nodes, start_s, end_s),
    )


def _why_no_cpu(step: steps.Step, cpu: cpu_time.CpuCounters | None) -> str:
    if cpu is None:
        return "the nodes' counters were not read"
    return cpu.missing or (
        f"the nodes read their counters too seldom for {step.duration_s} "
        "steady seconds, or a pod was replaced in them"
    )


def percentiles(
    parts: Iterable[histogram.Histogram], failed: int = 0
) -> dict[str, int | None]:
    """Merge histograms, never average them, and read the percentiles.

    :param failed: how many more there were that took longer than any
    :returns: microseconds by name, ``max`` included; None when empty, and
        where one of those that failed is at that place
    """
    whole = histogram.Histogram().merge(*parts)
    read = whole.percentiles_us(PERCENTILES.values(), failed)
    return {
        **dict(zip(PERCENTILES, read, strict=True)),
        "max": None if failed else whole.max_us,
    }


def _run_reasons(
    seen: Sequence[windows.Window],
    end: records.End | None,
    counted_by_targets: int | None = None,
) -> list[str]:
    if end is None:
        return ["the load's records break off before their end"]
    reasons = list(end.reasons)
    missing = end.workers_expected - end.workers_connected
    if missing > 0 and not reasons:
        reasons.append(
            f"{missing} of {end.workers_expected} workers did not connect"
        )
    if end.windows != len(seen):
        reasons.append(
            f"{len(seen)} windows were read, but {end.windows} were written"
        )
    elif end.requests != (requests := sum(one.requests for one in seen)):
        reasons.append(
            f"the windows hold {requests} answers, but {end.requests} were "
            "counted"
        )
    stray = sum(
        part.requests + sum(part.failures.values())
        for number in {one.step for one in seen}
        for part in windows.due_in(seen, number, steps.STOP)
    )
    if stray:
        reasons.append(f"{stray} requests belong to no step")
    if counted_by_targets is not None:
        reasons += _count_reasons(end, counted_by_targets)
    return reasons


def _count_reasons(end: records.End, counted: int) -> list[str]:
    """Hold what was counted to what the targets themselves have counted.

    They have counted each request that they answered, and some of those
    that failed: nobody knows whether one that timed out has reached them.
    """
    sent = end.requests + sum(
        count for kind, count in end.failures.items() if kind != windows.UNSENT
    )
    if end.requests <= counted <= sent:
        return []
    told = f"{end.requests} requests were answered"
    if sent > end.requests:
        told += f" and {sent - end.requests} failed"
    return [f"{told}, but the targets have counted {counted}"]


def _step_reasons(
    step: steps.Step,
    steady: Sequence[windows.Window],
    end: records.End | None,
) -> list[str]:
    reasons = []
    if len(steady) != step.duration_s:
        reasons.append(
            f"{len(steady)} of {step.duration_s} steady windows are there"
        )
    return reasons + _short_reasons(steady, end)


def _short_reasons(
    counted: Sequence[windows.Window], end: records.End | None
) -> list[str]:
    workers = end.workers_expected if end else None
    short = [w for w in counted if workers and w.workers < workers]
    if not short:
        return []
    fewest = min(w.workers for w in short)
    return [
        f"in {len(short)} windows not all workers reported, in one only "
        f"{fewest} of {workers}"
    ]


def _lag_reasons(
    result: records.StepResult, own: Sequence[windows.Part]
) -> list[str]:
    """Hold an open loop to tell how late it sent what it has sent.

    :param own: what was due and ended in the steady seconds
    """
    sent = result.offered_rps is not None and any(p.requests for p in own)
    if not sent or result.schedule_lag_p99_us is not None:
        return []
    return ["the load generator did not tell how late it sent its requests"]


def _saturation_reasons(counted: Sequence[windows.Window]) -> list[str]:
    if not counted:
        return []
    reasons = []
    lag = _lag(counted)
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
    reasons += _loop_reasons(counted)
    busy = statistics.median(w.busy_ratio_max for w in counted)
    if busy > MAX_BUSY_RATIO:
        reasons.append(
            "the load generator was the limit: its busiest process was busy "
            f"{busy:.0%} of the time or more in half of the windows"
        )
    return reasons


def _loop_reasons(counted: Sequence[windows.Window]) -> list[str]:
    """Judge delays that no schedule shows, as a closed loop has none.

    :param counted: at least one window
    """
    delays_us = [one.loop_delay_max_us for one in counted]
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
