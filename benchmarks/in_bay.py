"""Our engine beside other load generators inside a bay.

They run in the network namespace and in the control groups of a pod that
lies where a worker does, so they ask the same Service over the same bridge
with the same share of the processors.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from benchmarks import cloud
from benchmarks import measured
from benchmarks import peers
from benchmarks.measured import Measured
from benchmarks.result import LeftOut
from benchmarks.result import Result
from benchmarks.turns import Turns
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import objects
from rally_magnum_scale.kube import pods
from rally_magnum_scale.runs import bay_life
from rally_magnum_scale.runs import load
from rally_magnum_scale.task.scenarios import load_arguments
from rally_magnum_scale.workload import load_spec
from rally_magnum_scale.workload import nginx

NODES = 1
ROUNDS = 5
STEADY_S = 5
PLAN = Plan((Step(None, duration_s=STEADY_S, ramp_s=3),))
PEER = "other-generators"
# By which its process is known among those of its pod.
SLEEP_S = "8643"
READY_S = 60.0
SHARED_GROUPS = ("cpu", "cpuacct", "cpuset")


def compare() -> Iterator[Result | LeftOut]:
    """Compare the rates of one process each; all take turns."""
    turns = Turns("in_bay", peers.CLOSED_LOOP)
    with cloud.bays() as bays:
        request = lifecycle.BayRequest(f"bench-{uuid.uuid4().hex[:8]}", NODES)
        life = bay_life.BayLife(bays, request, cloud.say)
        try:
            opened = life.connect(life.create())
            life.wait_for_nodes(opened)
            ours = [_round(life, opened, turns) for _ in range(ROUNDS)]
        finally:
            life.delete()
    yield from turns.left_out()
    yield from turns.rates_and_cpu(
        [_measured(step) for step in ours],
        {
            "failures": [step.failures for step in ours],
            "reasons": [step.reasons for step in ours],
            "connections": peers.CONNECTIONS,
            "cores_of_the_machine": psutil.cpu_count(),
        },
    )


def _measured(step: records.StepResult) -> Measured:
    return Measured(
        requests=step.requests,
        seconds=step.steady_s,
        cpu_s=step.cpu_s["generators"] or math.nan,
        latency_us={
            name: us
            for name in measured.PERCENTILES
            if (us := step.latency_us[name]) is not None
        },
    )


def _round(
    life: bay_life.BayLife, opened: client.KubeClient, turns: Turns
) -> records.StepResult:
    wanted = load_arguments.LoadArguments(
        steps=PLAN.to_json(),
        connections_per_worker=peers.CONNECTIONS,
        locust_image=cloud.LOCUST_IMAGE,
        nginx_image=cloud.NGINX_IMAGE,
    )
    spec = wanted.spec(records.Source(uuid.uuid4().hex, 1, life.name))
    running = load.Load(opened, spec, life.nodes, cloud.say)
    try:
        running.deploy()
        pid = _start_peer(opened, spec)
        running.run()
        address = objects.service_address(
            opened, spec.names.namespace, spec.names.target
        )
        url = f"http://{address}:{nginx.PORT}/"
        turns.take(peers.Ask(url, duration_s=STEADY_S, wrap=_entering(pid)))
    finally:
        running.remove()
    found = records.Throughput.from_json(running.all_records()[-1])
    return found.steps[0]


def _start_peer(opened: client.KubeClient, spec: load_spec.LoadSpec) -> int:
    """Start a pod that only sleeps; return the process that does."""
    objects.create(opened, [_peer(spec)])
    (pod,) = pods.wait_for_ready(
        opened,
        spec.names.namespace,
        f"app={PEER}",
        1,
        what="pod for other load generators",
        deadline_s=READY_S,
        log=cloud.say,
    )
    for process in psutil.process_iter(["cmdline"]):
        if process.info["cmdline"] == ["sleep", SLEEP_S] and _is_in(
            pod["metadata"]["uid"], process.pid
        ):
            return int(process.pid)
    raise exceptions.SandboxError(
        "To run wrk and others in a pod, its process was looked for on this "
        "machine, and there was none: is the bay in this machine's sandbox?"
    )


def _peer(spec: load_spec.LoadSpec) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": PEER,
            "namespace": spec.names.namespace,
            "labels": {"app": PEER},
        },
        "spec": {
            "enableServiceLinks": False,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": PEER,
                    "image": cloud.LOCUST_IMAGE,
                    "command": ["sleep", SLEEP_S],
                }
            ],
        },
    }


def _is_in(uid: str, pid: int) -> bool:
    try:
        return f"pod{uid}" in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False


def _entering(pid: int) -> measured.Wrap:
    """Make commands run in the network and the groups of a process."""
    script = (
        'for file in $1; do echo $$ > "$file" || exit 1; done; shift; '
        'exec "$@"'
    )
    files = " ".join(str(one) for one in _group_files(pid))
    inside = ("nsenter", "--target", str(pid), "--net", "--")
    return lambda command: ["sh", "-c", script, "sh", files, *inside, *command]


def _group_files(pid: int) -> list[Path]:
    mounted = cgroups.parse_hierarchies(
        Path("/proc/self/mountinfo").read_text()
    )
    found = []
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for one in cgroups.used_hierarchies(mounted):
            ours = set(names.split(",")) & set(SHARED_GROUPS)
            if ours & one.controllers or (not names and one.version == 2):
                found.append(one.root / path.lstrip("/") / "cgroup.procs")
    return found
