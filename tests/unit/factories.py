"""Builders of realistic records: a load as the bay would have left it."""

import dataclasses
import functools
import itertools
import math
import random

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import cpu_time
from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats.histogram import Histogram
from rally_magnum_scale.in_bay.stats.windows import HISTOGRAMS
from rally_magnum_scale.in_bay.stats.windows import Part
from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.in_bay.stats.windows import due_in
from rally_magnum_scale.report import model
from rally_magnum_scale.report import page

START = 1_760_000_000
SOURCE = records.Source(task="0" * 8, iteration=1, bay="rms-bay")


def plan(*rates, duration_s=10, ramp_s=3):
    return steps.Plan(
        tuple(steps.Step(rate, duration_s, ramp_s) for rate in rates)
    )


def latencies(rng, requests, median_us=900.0, samples=120):
    """A log-normal second of requests, drawn with few samples."""
    if not requests:
        return Histogram()
    weight = max(1, requests // samples)
    counts: dict[int, int] = {}
    for _ in range(min(samples, requests)):
        us = int(median_us * math.exp(rng.gauss(0, 0.5)))
        counts[us] = counts.get(us, 0) + weight
    return Histogram.from_values_us(counts)


def windows(of=None, served=0.998, failures=None, workers=2, **latency):
    """One window for each second of a plan, and one of the stop."""
    of = of or plan(10_000, 20_000)
    rng = random.Random(7)
    found = []
    for offset in range(of.total_s + 1):
        where = of.position(min(offset + 0.5, of.total_s - 0.01))
        stopped = offset == of.total_s
        rate = 200 if stopped else of.rate_rps(offset + 0.5) or 15_000
        count = int(rate * served * rng.uniform(0.99, 1.0))
        part = Part(
            step=where.step + 1,
            phase=where.phase,
            requests=count,
            failures=dict(failures or {}),
            latency_us=latencies(rng, count, **latency),
            service_us=latencies(
                rng, count, **{**latency, "median_us": 600.0}
            ),
        )
        found.append(
            Window(
                second=START + offset,
                phase="stop" if stopped else where.phase,
                step=part.step,
                workers=workers,
                requests=count,
                failures=part.failures,
                latency_us=part.latency_us,
                service_us=part.service_us,
                # What ends after the plan was due in its last step.
                carried=(part,) if stopped else (),
                schedule_lag_us=Histogram.from_values_us({40: count}),
                cpu_ratio_max=0.6,
                cpu_s=0.6 * workers,
            )
        )
    return tuple(found)


def end(seen, reasons=(), workers=2):
    seen = list(seen)
    last = max((one.step for one in seen), default=0)
    return records.End(
        due=[
            sum(
                part.requests + sum(part.failures.values())
                for part in due_in(seen, step, steps.STEADY)
            )
            for step in range(1, last + 1)
        ],
        timeout_s=10.0,
        windows=len(seen),
        requests=sum(one.requests for one in seen),
        failures={},
        workers_expected=workers,
        workers_connected=workers,
        reasons=list(reasons),
    )


def bay(**changes):
    values = {
        "uuid": "5f1c2a8e-0c1a-4a3e-9d57-6b0b5a0e9c11",
        "template": "kubernetes-sandbox",
        "nodes": 200,
        "nodes_real": 1,
        "nodes_hollow": 199,
        "cores_real_nodes": 2.0,
        "kubernetes_version": "v1.33.2",
        "create_s": 12.4,
        "nodes_ready_s": 12.1,
        "delete_s": 3.2,
        "create_resolution_s": 1.03,
        "nodes_ready_resolution_s": 1.2,
        "delete_resolution_s": 1.024,
        "status": "CREATE_COMPLETE",
        "name": "rms-bay",
        "node_ready_s": {"p50": 9.1, "p90": 10.2, "p99": 11.8, "max": 12.0},
        "nodes_timed": 200,
        "node_ready_resolution_s": 1.0,
        "client_memory_peak_bytes": 130 << 20,
        "template_name": "kubernetes-sandbox",
    }
    if changes.get("create_s") is not None:
        # Nodes are Ready before Magnum says that the bay is complete.
        ready_s = min(values["nodes_ready_s"], changes["create_s"])
        values["nodes_ready_s"] = max(0.0, ready_s)
    return bay_records.Bay(**{**values, **changes})


def node_change(**changes):
    """A bay of 200 nodes that came to 300."""
    values = {
        "number": 1,
        "purpose": bay_records.RESIZE,
        "nodes_before": 200,
        "nodes_wanted": 300,
        "nodes_after": 300,
        "added": 100,
        "removed": 0,
        "stayed": 200,
        "magnum_s": 6.0,
        "nodes_s": 5.0,
        "node_ready_s": {"p50": 3.0, "p90": 4.0, "p99": 4.5, "max": 5.0},
        "client_memory_peak_bytes": 150 * 2**20,
    }
    return bay_records.NodeChange(**{**values, **changes})


def counters(missing=""):
    """The target uses 0.4 cores, its node 1.8, all read every 2.5 s."""

    def readings(rate):
        return [
            cpu_time.Reading(START + 2.5 * at, 2.5 * at * rate)
            for at in range(20)
        ]

    return cpu_time.CpuCounters(
        {"rms-target-1": [] if missing else readings(0.4)},
        {"rms-node-0": readings(1.8)},
        missing,
    )


def load(of, seen, closing, cpu):
    cores_of: dict[str, float | None] = {"targets": 0.8, "generators": 1.0}
    return records.Throughput(
        targets=1,
        workers=2,
        cores_pods=1.8,
        cores_real_nodes=2.0,
        steps=step_summary.summarise(
            of,
            seen,
            closing,
            cores_pods=1.8,
            cores_real_nodes=2.0,
            cores_of=cores_of,
            cpu=cpu,
        ),
        cores_of=cores_of,
    )


def run(
    of=None,
    iteration=1,
    reasons=(),
    events=(),
    without=(),
    cpu_missing="",
    **options,
):
    """The records of one good iteration, or of one with ``reasons``.

    :param without: offsets of seconds whose windows were lost
    :param cpu_missing: why the target's counter was not read
    """
    of = of or plan(10_000, 20_000)
    written = windows(of, **options)
    lost = {START + offset for offset in without}
    seen = tuple(one for one in written if one.second not in lost)
    closing = end(written, reasons)
    return records.Run(
        iteration=iteration,
        bays=(bay(),),
        loaded_bay="rms-bay",
        throughput=load(of, seen, closing, counters(cpu_missing)),
        end=closing,
        windows=seen,
        events=tuple(events),
    )


def hour():
    """An hour of windows on a bay of 1,000 nodes, each full of buckets.

    To be quick, only one minute has histograms of its own, and they have been
    read from records, as in any report.
    """
    of = run(plan(10_000, 20_000, duration_s=1790, ramp_s=10), samples=1)
    minute = windows(plan(10_000, duration_s=60, ramp_s=0), samples=10_000)
    read = [
        {
            name: Histogram.from_json(getattr(one, name).to_json())
            for name in HISTOGRAMS
        }
        for one in minute[:60]
    ]
    seen = [
        dataclasses.replace(one, **histograms)
        for one, histograms in zip(of.windows, itertools.cycle(read))
    ]
    bays = (bay(nodes=1000, nodes_hollow=999),)
    return dataclasses.replace(of, windows=tuple(seen), bays=bays)


def lines(of):
    """The windows of a run as they were written."""
    # An hour has the histograms of one minute, again and again.
    written = {}

    def to_json(histogram):
        if id(histogram) not in written:
            written[id(histogram)] = histogram.to_json()
        return written[id(histogram)]

    none = dict.fromkeys(HISTOGRAMS, Histogram())
    return records.dump(
        SOURCE.envelope(
            "window",
            {
                **dataclasses.replace(one, **none).to_json(),
                **{name: to_json(getattr(one, name)) for name in HISTOGRAMS},
            },
        )
        for one in of.windows
    )


@functools.cache
def hour_page():
    """The page of that hour, with all its records."""
    of = hour()
    one = iteration(of_run=of, raw=lines(of))
    return page.render(report(workload(one)))


def searched(**changes):
    """A run whose search found a highest rate."""
    values = {
        "bounds": {"p99_ms": 50},
        "precision": 0.05,
        "max_rate_rps": 9_800.0,
        "held_rps": 9_800.0,
        "failed_rps": 10_200.0,
        "failed_by": "bound",
        "failed_because": "p99 60 ms of 50 ms",
        "confirmed": True,
        "step": 7,
        "steps": 7,
        "rps_per_core": 4_900.0,
        "rps_per_core_real_nodes": 2_450.0,
        "ended": "the wanted precision was reached",
        "trials": [],
    }
    found = records.MaxRate(**{**values, **changes})
    return dataclasses.replace(run(), max_rate=found)


def event(offset, kind, detail):
    body = {"second": START + offset, "kind": kind, "detail": detail}
    return SOURCE.envelope("event", body)


GOOD_SLA = {
    "request_rate": {"min_rps": 19_000, "min_rps_per_core": 5_000},
    "request_latency": {"p50_ms": 5, "p99_ms": 50},
    "request_errors": {"max_ratio": 0.001},
    "bay_create_time": {"max_s": 60},
    "bay_delete_time": {"max_s": 30},
    "failure_rate": {"max": 0},
}

FAILURE_RATE = model.SlaResult(
    "failure_rate", True, "Failure rate criteria 0.00% <= 0.00% - Passed"
)


def actions(at=float(START - 20)):
    found = []
    for name, seconds in (
        ("magnum.create_bay", 12.4),
        ("kubernetes.wait_for_nodes", 1.7),
        ("workload.deploy", 6.0),
        ("workload.run", 30.2),
        ("workload.remove", 1.1),
        ("magnum.delete_bay", 3.2),
    ):
        found.append(model.AtomicAction(name, at, at + seconds))
        at += seconds
    return tuple(found)


def iteration(number=1, of_run=None, **changes):
    values = {
        "number": number,
        "run": of_run or run(iteration=number),
        "actions": actions(),
        "started_at": float(START - 20),
    }
    return model.Iteration(**{**values, **changes})


def workload(*iterations, **changes):
    values = {
        "scenario": "MagnumScale.throughput",
        "title": "2 million requests per second, scaled to one machine",
        "description": "Create a bay, load it, delete it.",
        "args": {"node_count": 200, "steps": plan(10_000, 20_000).to_json()},
        "sla": GOOD_SLA,
        "sla_results": (FAILURE_RATE,),
        "iterations": iterations or (iteration(),),
    }
    made = model.Workload(**{**values, **changes})
    results = (*made.sla_results, *_stored(made))
    return dataclasses.replace(made, sla_results=results)


def _stored(of_workload):
    """What Rally would store of our criteria, but for those that are told."""
    told = {one.criterion for one in of_workload.sla_results}
    judged = {}
    for one in of_workload.own_verdicts:
        judged[one.criterion] = judged.get(one.criterion, True) and one.passed
    return [
        model.SlaResult(name, success)
        for name, success in judged.items()
        if name not in told
    ]


def report(*workloads, **changes):
    values = {
        "workloads": workloads or (workload(),),
        "created_at": "2026-10-09T08:53:20",
        "versions": {
            "rally-magnum-scale": "0.1.0",
            "rally": "5.1.1",
            "locust": "2.47.0",
            "magnum": "22.0.0",
        },
        "environment": "sandbox",
        "task": "c0ffee00-0000-4000-8000-000000000000",
    }
    return model.Report(**{**values, **changes})


def failed_create(**changes):
    """A workload whose bay ended in CREATE_FAILED: no load at all."""
    broken = bay(
        nodes_real=None,
        nodes_hollow=None,
        create_s=None,
        nodes_ready_s=None,
        status="CREATE_FAILED",
        failure="quota",
        reason="Quota exceeded for cores: Requested 800, but used 0 of 20",
    )
    error = (
        "BayCreateFailed",
        "Magnum could not create the bay rms-bay of 200 nodes: "
        "CREATE_FAILED, Quota exceeded for cores: Requested 800, but used "
        "0 of 20; raise the quota or ask for fewer nodes.",
        "Traceback (most recent call last):\n  ...",
    )
    create = dataclasses.replace(actions()[0], failed=True)
    failed = iteration(
        of_run=records.Run(iteration=1, bays=(broken,)),
        error=error,
        actions=(create,),
    )
    stored = model.SlaResult(
        "failure_rate",
        False,
        "Failure rate criteria 0.00% <= 100.00% <= 0.00% - Failed",
    )
    return workload(failed, sla_results=(stored,), **changes)


def event_load(**changes):
    """What a load came to in the ten seconds of an event."""
    values = {
        "step": 1,
        "offered_rps": 10_000.0,
        "steady_s": 10,
        "requests": 99_960,
        "failures": {"reset": 30, "timeout": 10},
        "achieved_rps": 9_996.0,
        "error_ratio": 0.0004,
        "latency_us": {"p50": 900, "p99": 7_000, "max": 90_000},
        "service_us": {"p50": 800},
        "schedule_lag_p99_us": 40,
        "rps_per_core": 5_553.0,
        "rps_per_core_real_nodes": 4_998.0,
    }
    return records.StepResult(**{**values, **changes})


def update(**changes):
    """An update of four targets within ten seconds."""
    values = {
        "number": 1,
        "step": 1,
        "at_s": 5.0,
        "began_s": START + 8.2,
        "ended_s": START + 17.8,
        "load": event_load(),
        "targets": 4,
        "new_ready_s": 8.0,
        "old_gone_s": 9.6,
        "fewest_ready": 3,
        "versions": {"1": 61_976, "2": 37_984},
    }
    return disruption_records.Update(**{**values, **changes})


def fault(**changes):
    """A node of two targets that was lost for ten seconds."""
    values = {
        "number": 1,
        "step": 1,
        "at_s": 5.0,
        "began_s": START + 8.2,
        "ended_s": START + 18.0,
        "load": event_load(),
        "how": "stop",
        "nodes": ["rms-node-3"],
        "targets_lost": 2,
        "noticed_s": 4.0,
        "pods_ready_s": 7.5,
        "requests_s": 9.8,
        "requests_lost": 40,
    }
    return disruption_records.Fault(**{**values, **changes})


def of_versions(of_run, share):
    """Count the answers of a run by version.

    :param share: of version 2 in each second since the load began; None
        where nothing was counted
    """

    def counted(window):
        new = share(window.second - START)
        if new is None:
            return window
        count = int(window.requests * new)
        both = {"1": window.requests - count, "2": count}
        versions = {name: n for name, n in both.items() if n}
        return dataclasses.replace(window, versions=versions)

    seen = tuple(map(counted, of_run.windows))
    return dataclasses.replace(of_run, windows=seen)


def updated(**changes):
    """The records of an iteration whose targets were updated."""
    of_run = run(
        events=[
            event(8.2, "update_began", "of 4 targets"),
            event(17.8, "update_ended", "the last old target is gone"),
        ]
    )
    of_run = of_versions(of_run, lambda at: min(1, max(0, (at - 8) / 10)))
    return dataclasses.replace(of_run, updates=(update(**changes),))


def broken(*faults):
    """The records of an iteration that lost nodes."""
    return dataclasses.replace(run(), faults=faults or (fault(),))
