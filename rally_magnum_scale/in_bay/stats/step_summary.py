"""Sum up windows to steps: rates, percentiles, and why they do not count."""

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

# A generator that sends its requests later than this, or that hardly ever
# waits, measures itself.  10 ms is a tenth of the shortest delay that people
# notice, and far more than the delay of an idle event loop.
MAX_SCHEDULE_LAG_US = 10_000
MAX_BUSY_RATIO = 0.95

_NO_WORKER_CPU = "the workers did not report their CPU time in each second"

# A long standstill of the generator spoils a step even if it takes less than
# 1 % of it: it determines the percentiles above 99 and the maximum.
MAX_STANDSTILL_US = 500_000

# How late the generator's event loop may return to its connections: a response
# that waits there looks slow.  A delay of 0.1 s in each second delays a tenth
# of the responses.  The worst of hundreds of workers exceeds 10 ms in almost
# every second, so the limit of the schedule lag would be too strict here.
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
    """Sum up the windows of a load: one result for each step.

    A request belongs to the step in which it was due, whenever it ended.

    :param plan: the planned steps
    :param seen: the windows that were read, each second once
    :param end: the closing record; None if it was never read
    :param cores_pods: cores that the pods of the load could use together
    :param cores_real_nodes: cores of all nodes that are not hollow
    :param cores_of: cores that each of :data:`records.SIDES` could use
    :param cpu: the CPU counters of the targets and the nodes
    :param counted_by_targets: how many requests the targets counted in the
        whole run; None if the count can't be compared
    """
    shared = _run_reasons(seen, end, counted_by_targets)
    resources = _Resources(cores_pods, cores_real_nodes, cores_of or {}, cpu)
    return [
        _summarise_step(number, step, seen, end, shared, resources)
        for number, step in enumerate(plan.steps, 1)
    ]


@dataclasses.dataclass(frozen=True)
class _Resources:
    """The cores that a load ran on, and their CPU counters."""

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
    resources: _Resources,
) -> records.StepResult:
    steady = [w for w in seen if w.phase == steps.STEADY and w.step == number]
    due = windows.due_in(seen, number, steps.STEADY)
    ended_in_time = windows.due_in(steady, number, steps.STEADY)
    ramp = windows.due_in(steady, number, steps.RAMP)
    in_time = sum(part.requests for part in (*ended_in_time, *ramp))
    result = _sum_up(
        number,
        step.rate_rps,
        step.duration_s,
        min(in_time, sum(part.requests for part in due)),
        steady,
        due,
        resources,
    )
    result = dataclasses.replace(
        result,
        due=_due(number, step, end, result),
        timeout_s=end.timeout_s if end else None,
    )
    reasons = [*shared]
    if len(steady) != step.duration_s:
        reasons.append(
            f"{len(steady)} of {step.duration_s} steady windows are there"
        )
    return dataclasses.replace(
        result,
        **_cpu_fields(step, steady, result.requests, resources.cpu),
        reasons=[
            *reasons,
            *_short_reasons(steady, end),
            *_unaccounted(result),
            *_lag_reasons(result, ended_in_time),
            *_saturation_reasons(steady),
        ],
    )


def _due(
    number: int,
    step: steps.Step,
    end: records.End | None,
    result: records.StepResult,
) -> int | None:
    """Return how many requests were due by the workers' schedules."""
    if end is None:
        return None
    due = dict(enumerate(end.due, 1)).get(number)
    if due is None and step.rate_rps is None:
        # A closed loop has no schedule: a request is due when it is sent.
        return result.answered + result.failed
    return due


def _unaccounted(result: records.StepResult) -> list[str]:
    """Check that each due request was answered or failed."""
    ended = result.answered + result.failed
    if result.due is None:
        return ["the workers did not report how many requests were due"]
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
    """Sum up the whole seconds around an event, like a step.

    A request that hangs during an event ends only after it.  So latency,
    service time, failures and the error ratio include later windows; see
    :func:`_ended_after`.  The rate, the use of the generator and its lag are
    those of the event's seconds.

    :param start_s: epoch second at which it began, by the workers' clocks
    :param end_s: epoch second at which it ended
    :param step: number of the step in which it began, and the step
    :param seen: the windows that were read, each second once
    :param end: the closing record; None if it was never read
    :param timeout_s: timeout of a request
    :param cores_pods: as in :func:`summarise`
    :param cores_real_nodes: as in :func:`summarise`
    """
    number, planned = step
    first = math.floor(start_s)
    seconds = max(1, math.ceil(end_s) - first)
    inside = [w for w in seen if first <= w.second < first + seconds]
    later = _ended_after(first + seconds, seen, timeout_s)
    resources = _Resources(cores_pods, cores_real_nodes, {}, None)
    reasons = _run_reasons(seen, end)
    under_load = sum(w.phase != steps.STOP for w in inside)
    if under_load < seconds:
        reasons.append(
            f"the load ran for {under_load} of the {seconds} seconds of the "
            "event: use a longer step"
        )
    return dataclasses.replace(
        _sum_up(
            number,
            planned.rate_rps,
            seconds,
            sum(w.requests for w in inside),
            inside,
            [*inside, *later],
            resources,
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
    """Reduce the windows after an event to requests that may be from it.

    Responses count if their second and their latency show that they were due
    before the end of the event.  Most of the others were due later, and would
    dilute the percentiles and the error ratio.  A response is lost if it was
    due in the event's last second and took less than one more second.

    The start of a failed request is unknown.  So all failures count until the
    last hanging request has timed out, even failures of requests that began
    after the event or that the next event caused.  The error ratio may be too
    high because of them, but it is never too low.

    :param end_second: the first epoch second after the event
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
    resources: _Resources,
) -> records.StepResult:
    """Sum up some seconds of a load.

    :param requests: expected responses in these seconds
    :param counted: the windows of these seconds
    :param due: the results of the requests that were due in these seconds
    """
    failures = windows.add_counts(one.failures for one in due)
    failed = sum(failures.values())
    answered = sum(one.requests for one in due)
    ended = answered + failed
    rate = requests / seconds
    latencies = [one.latency_us for one in due]
    return records.StepResult(
        step=number,
        offered_rps=rate_rps,
        steady_s=seconds,
        requests=requests,
        failures=failures,
        achieved_rps=rate,
        error_ratio=failed / ended if ended else None,
        latency_us=percentiles(latencies, failed),
        answered_latency_us=percentiles(latencies),
        service_us=percentiles(one.service_us for one in due),
        answered=answered,
        schedule_lag_p99_us=_lag(counted).percentile_us(99),
        rps_per_core=_over(rate, resources.cores_pods),
        rps_per_core_real_nodes=_over(rate, resources.cores_real_nodes),
        rps_per_core_of={
            side: _over(rate, cores)
            for side, cores in resources.cores_of.items()
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
    """Return the CPU seconds of a step, and how exact they are.

    The generators count their own CPU time in each second.  That of targets
    and nodes comes from the counters of the nodes.
    """
    generators_s = windows.add_known(one.cpu_s for one in steady)
    if len(steady) < step.duration_s:
        generators_s = None
    uses = targets, nodes = _uses(step, steady, cpu)
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
            (one.outside_ratio for one in uses if one), default=None
        ),
        "cpu_covered_ratio": min(
            (one.covered_ratio for one in uses if one), default=None
        ),
        "cpu_missing": "; ".join(
            [
                *([] if all(uses) else [_why_no_cpu(step, cpu)]),
                *([] if generators_s is not None else [_NO_WORKER_CPU]),
            ]
        ),
    }


def _uses(
    step: steps.Step,
    steady: Sequence[windows.Window],
    cpu: cpu_time.CpuCounters | None,
) -> tuple[cpu_time.Use | None, cpu_time.Use | None]:
    """Return the CPU use of targets and nodes in the steady seconds."""
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
        f"the nodes read their counters too rarely for {step.duration_s} "
        "steady seconds, or a pod was replaced in them"
    )


def percentiles(
    parts: Iterable[histogram.Histogram], failed: int = 0
) -> dict[str, int | None]:
    """Return the percentiles of all histograms together.

    :param parts: histograms, which are merged; percentiles are never averaged
    :param failed: number of failed requests, which are slower than all others
    :returns: microseconds by name, ``max`` included; None if nothing was
        counted, or if a failed request is at that rank
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
        return ["the records of the load end too early"]
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
    """Compare the workers' count of requests with the targets' own count.

    The targets count each request that they answer, and some of those that
    failed: a request that timed out may or may not have reached them.
    """
    sent = end.requests + sum(
        count for kind, count in end.failures.items() if kind != windows.UNSENT
    )
    if end.requests <= counted <= sent:
        return []
    counts = f"{end.requests} requests were answered"
    if sent > end.requests:
        counts += f" and {sent - end.requests} failed"
    return [f"{counts}, but the targets have counted {counted}"]


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
    result: records.StepResult, ended_in_time: Sequence[windows.Part]
) -> list[str]:
    """Check that an open loop reports how late it sent its requests.

    :param ended_in_time: requests that were due and ended in the steady
        seconds
    """
    sent = result.offered_rps is not None and any(
        part.requests for part in ended_in_time
    )
    if not sent or result.schedule_lag_p99_us is not None:
        return []
    return ["the load generator did not report how late it sent its requests"]


def _saturation_reasons(counted: Sequence[windows.Window]) -> list[str]:
    if not counted:
        return []
    reasons = []
    lag = _lag(counted)
    late_us = lag.percentile_us(99)
    if late_us is not None and late_us > MAX_SCHEDULE_LAG_US:
        reasons.append(
            "the load generator was the limit: it sent 1 % of its requests "
            f"{late_us / 1000:.1f} ms late or later"
        )
    if lag.max_us is not None and lag.max_us > MAX_STANDSTILL_US:
        reasons.append(
            "the load generator stalled: it sent a request "
            f"{lag.max_us / 1000:.0f} ms late although a connection was idle"
        )
    reasons += _loop_reasons(counted)
    busy = statistics.median(w.busy_ratio_max for w in counted)
    if busy > MAX_BUSY_RATIO:
        reasons.append(
            "the load generator was the limit: its busiest process was "
            f"{busy:.0%} busy or more in half of the windows"
        )
    return reasons


def _loop_reasons(counted: Sequence[windows.Window]) -> list[str]:
    """Check the event loop, because a closed loop has no schedule lag.

    :param counted: at least one window
    """
    delays_us = [one.loop_delay_max_us for one in counted]
    reasons = []
    if max(delays_us) > MAX_STANDSTILL_US:
        reasons.append(
            "the load generator stalled: its event loop was "
            f"{max(delays_us) / 1000:.0f} ms late"
        )
    usual_us = statistics.median(delays_us)
    if usual_us > MAX_LOOP_DELAY_US:
        reasons.append(
            "the load generator was the limit: its event loop was "
            f"{usual_us / 1000:.0f} ms late or more in half of the windows"
        )
    return reasons
