"""Check a load before anything is created."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING
from typing import Any

from rally_magnum_scale.in_bay.stats.arrivals import ARRIVALS
from rally_magnum_scale.workload import choices
from rally_magnum_scale.workload import locust_file
from rally_magnum_scale.workload import pod_options

if TYPE_CHECKING:
    from rally_magnum_scale.workload.load_spec import LoadSpec

# Options of our engine, which a user's Locust file does not use.
ENGINE_ONLY = (
    "connections_per_worker",
    "target_address",
    "request",
    "keep_alive",
    "arrivals",
)
# Measured by the benchmark master_scale: a Locust master can use one core.
# With 2,000 workers it used 0.45 cores; with 3,000 and 4,000 it fell behind.
MAX_WORKER_PROCESSES = 2_000


def check(spec: LoadSpec) -> None:
    """Check a load.

    :raises ValueError: when an argument is invalid; names the argument
    """
    _check_numbers(spec)
    _check_users(spec)
    if spec.own_file is not None:
        locust_file.check(spec.own_file)
        _check_own_load(spec)
    for key in ("locust_image", "nginx_image", "task"):
        if not getattr(spec, key):
            raise ValueError(f"{key}: must not be empty")
    _check_one_of(
        "image_pull_policy", spec.image_pull_policy, choices.PULL_POLICIES
    )
    _check_one_of("arrivals", spec.arrivals, ARRIVALS)
    _check_one_of("spread", spec.spread, choices.SPREADS)
    _check_one_of(
        "target_address", spec.target_address, choices.TARGET_ADDRESSES
    )
    if spec.image_pull_secret is not None:
        _check_secret(spec.image_pull_secret)
    _check_events(spec)


def _check_numbers(spec: LoadSpec) -> None:
    for key in (
        "targets",
        "workers",
        "processes_per_worker",
        "connections_per_worker",
    ):
        _check_count(key, getattr(spec, key))
    if spec.target_processes is not None:
        _check_count("target_processes", spec.target_processes)
    for key in (
        "timeout_s",
        "lateness_s",
        "start_deadline_s",
        "pull_deadline_s",
        "connect_deadline_s",
        "update_deadline_s",
        "recover_deadline_s",
    ):
        _check_seconds(key, getattr(spec, key))
    _check_connections(spec)
    _check_master(spec)


def _check_users(spec: LoadSpec) -> None:
    if spec.own_file is None:
        for key in ("users", "spawn_rate"):
            if getattr(spec, key) is not None:
                raise ValueError(
                    f"{key}: works only with locust_file, which is not given"
                )
        return
    if spec.users is None:
        raise ValueError(
            "users: is required with locust_file; give the number of Locust "
            "users of all workers together"
        )
    _check_count("users", spec.users)
    if spec.users < spec.worker_processes:
        raise ValueError(
            f"users: {spec.users} are too few for {spec.worker_processes} "
            "worker processes; each process needs at least one user"
        )
    if spec.spawn_rate is not None and not spec.spawn_rate > 0:
        raise ValueError(f"spawn_rate: must be above 0: {spec.spawn_rate}")


def _check_own_load(spec: LoadSpec) -> None:
    """Refuse options that only our engine supports."""
    for index, step in enumerate(spec.plan.steps):
        if step.rate_rps is not None:
            raise ValueError(
                f"steps[{index}].rate_rps: must be null with locust_file, "
                "because the file determines the rate"
            )
    for one in fields(spec):
        given = getattr(spec, one.name)
        if one.name in ENGINE_ONLY and given != one.default:
            raise ValueError(
                f"{one.name}: {given!r} works only with the package's own "
                "load engine; remove it or locust_file. The host of the "
                "file's users is the targets' address"
            )


def _check_events(spec: LoadSpec) -> None:
    """Refuse events that can't happen, or that no load survives."""
    if spec.update is not None:
        spec.update.check("update", spec.plan)
    for index, fault in enumerate(spec.faults):
        fault.check(f"faults[{index}]", spec.plan)
    lost = sum(fault.nodes for fault in spec.faults)
    if lost > spec.targets:
        raise ValueError(
            f"faults: each of {lost} nodes to take out must run a target, "
            f"but there are {spec.targets} targets; use more targets or take "
            "out fewer nodes"
        )
    disturbed = "update" if spec.update else "faults"
    if spec.target_address == choices.POD_ADDRESS and (
        spec.update or spec.faults
    ):
        raise ValueError(
            f"target_address: {disturbed} creates pods with new addresses, "
            "which the workers don't know; use service"
        )


def _check_connections(spec: LoadSpec) -> None:
    if spec.connections_per_worker < spec.processes_per_worker:
        raise ValueError(
            f"connections_per_worker: {spec.connections_per_worker} are "
            f"too few for {spec.processes_per_worker} processes; each "
            "process needs at least one connection"
        )
    connections = spec.workers * spec.connections_per_worker
    if (
        spec.target_address == choices.POD_ADDRESS
        and connections < spec.targets
    ):
        raise ValueError(
            f"connections_per_worker: {connections} connections of all "
            f"workers are too few for {spec.targets} targets; with "
            "target_address pod, each target needs at least one connection"
        )


def _check_master(spec: LoadSpec) -> None:
    """Refuse more Locust workers than one Locust master supports."""
    if spec.worker_processes <= MAX_WORKER_PROCESSES:
        return
    key, maximum = "workers", MAX_WORKER_PROCESSES
    if spec.processes_per_worker > MAX_WORKER_PROCESSES:
        key = "processes_per_worker"
    else:
        maximum //= spec.processes_per_worker
    raise ValueError(
        f"{key}: {spec.workers} pods of {spec.processes_per_worker} "
        f"processes are {spec.worker_processes} Locust workers, but one "
        f"Locust master supports {MAX_WORKER_PROCESSES}; use at most "
        f"{maximum}, each with a larger share of the rate"
    )


def _check_count(key: str, value: int) -> None:
    if type(value) is not int or value < 1:
        raise ValueError(f"{key}: must be a whole number above 0: {value!r}")


def _check_seconds(key: str, value: float | None) -> None:
    if value is not None and value <= 0:
        raise ValueError(f"{key}: must be above 0: {value}")


def _check_one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{key}: {value!r} is not one of {', '.join(known)}")


def _check_secret(content: str) -> None:
    """Check the pull secret; no error contains it, as it has a password."""
    try:
        read: Any = json.loads(content)
    except (TypeError, ValueError):
        read = None
    if not isinstance(read, dict) or not isinstance(read.get("auths"), dict):
        raise pod_options.wrong(
            "image_pull_secret",
            "must be the content of a docker config.json, an object with "
            '"auths"',
        ) from None
