"""A bay of 200 nodes in the sandbox, against the goals set for two cores.

What a bay is compared with is no program but a goal: the time that the
developers promise for it.  Target and generator share the machine's cores.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

from benchmarks import cloud
from benchmarks.result import Result
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.kube import client
from rally_magnum_scale.runs import bay_life
from rally_magnum_scale.runs import load
from rally_magnum_scale.task.scenarios import load_arguments

NODES = 200
GOAL_CREATE_S = 20.0
GOAL_DELETE_S = 10.0
GOAL_RPS = 30_000.0
PLAN = steps.Plan((steps.Step(None, duration_s=10, ramp_s=3),))


def compare() -> Iterator[Result]:
    """Make a bay, load it as fast as it answers, delete it."""
    with cloud.bays() as bays:
        name = f"bench-{uuid.uuid4().hex[:8]}"
        request = lifecycle.BayRequest(name, NODES)
        life = bay_life.BayLife(bays, request, cloud.say)
        try:
            opened = life.connect(life.create())
            life.wait_for_nodes(opened)
            summary = _load(life, opened)
        finally:
            life.delete()
    yield _result("create", GOAL_CREATE_S, life.record.create_s, life)
    yield _result("delete", GOAL_DELETE_S, life.record.delete_s, life)
    (step,) = summary.steps
    yield Result(
        bench="bay",
        subject="requests a second in the bay, closed loop",
        peer=f"goal of {GOAL_RPS:,.0f} rps on two cores",
        ratio=step.achieved_rps / GOAL_RPS,
        figures={
            "rps": round(step.achieved_rps),
            "failures": step.failures,
            "reasons": step.reasons,
            "latency_us": step.latency_us,
            "cores": os.cpu_count(),
            "requests_counted_by_targets": summary.requests_counted_by_targets,
        },
    )


def _load(
    life: bay_life.BayLife, opened: client.KubeClient
) -> records.Throughput:
    wanted = load_arguments.LoadArguments(
        steps=PLAN.to_json(),
        locust_image=cloud.LOCUST_IMAGE,
        nginx_image=cloud.NGINX_IMAGE,
    )
    spec = wanted.spec(records.Source(uuid.uuid4().hex, 1, life.name))
    running = load.Load(opened, spec, life.nodes, cloud.say)
    try:
        running.deploy()
        running.run()
    finally:
        running.remove()
    return records.Throughput.from_json(running.all_records()[-1])


def _result(
    what: str, goal_s: float, took_s: float | None, life: bay_life.BayLife
) -> Result:
    if took_s is None:
        raise RuntimeError(f"The bay's {what} was not measured.")
    return Result(
        bench="bay",
        subject=f"{what} a bay of {NODES} nodes, seconds",
        peer=f"goal of {goal_s:.0f} s on two cores",
        ratio=goal_s / took_s,
        figures={
            "seconds": round(took_s, 2),
            "all_nodes_ready_s": round(life.record.nodes_ready_s or 0, 2),
            "poll_interval_s": life.record.poll_interval_s,
            "nodes_real": life.record.nodes_real,
            "nodes_hollow": life.record.nodes_hollow,
        },
    )
