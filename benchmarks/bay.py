"""A bay of 200 nodes in the sandbox, against the goals set for two cores.

What a bay is compared with is no program but a goal: the time that the
developers promise for it.  Target and generator share the machine's cores.
"""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator

from benchmarks.result import Result
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.kubernetes import client
from rally_magnum_scale.measurement import records
from rally_magnum_scale.measurement import steps
from rally_magnum_scale.runs import bay_life
from rally_magnum_scale.runs import load
from rally_magnum_scale.sandbox import down
from rally_magnum_scale.sandbox import openstack
from rally_magnum_scale.sandbox import secrets_file
from rally_magnum_scale.sandbox import settings as sandbox_settings
from rally_magnum_scale.sandbox import up
from rally_magnum_scale.workload import manifests

NODES = 200
GOAL_CREATE_S = 20.0
GOAL_DELETE_S = 10.0
GOAL_RPS = 30_000.0
PLAN = steps.Plan((steps.Step(None, duration_s=10, ramp_s=3),))


def compare() -> Iterator[Result]:
    """Make a bay, load it as fast as it answers, delete it."""
    with _cloud() as settings:
        name = f"bench-{uuid.uuid4().hex[:8]}"
        life = bay_life.BayLife(
            _bays(settings), lifecycle.BayRequest(name, NODES), _say
        )
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
    life: bay_life.BayLife, opened: client.Cluster
) -> records.Throughput:
    spec = manifests.WorkloadSpec(
        task=uuid.uuid4().hex,
        iteration=1,
        bay=life.name,
        plan=PLAN,
        locust_image="rally-magnum-sandbox/locust:2.47.0",
        nginx_image="rally-magnum-sandbox/nginx:1.22",
    )
    running = load.Load(opened, spec, life.nodes, _say)
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


@contextlib.contextmanager
def _cloud() -> Iterator[sandbox_settings.Settings]:
    """Use the sandbox that is up, or bring one up for the benchmark."""
    settings = sandbox_settings.from_environment()
    was_up = up.is_up(settings)
    up.up(settings, _say)
    try:
        yield settings
    finally:
        if not was_up:
            down.down(settings, _say)


def _bays(settings: sandbox_settings.Settings) -> lifecycle.Bays:
    secrets = secrets_file.ensure(settings.state_dir)
    session = openstack.admin_session(settings, secrets)
    return lifecycle.Bays(lifecycle.connect(session, None, "public"), _say)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
