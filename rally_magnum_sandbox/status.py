"""The status of the sandbox: servers, bays, memory and disk usage."""

from __future__ import annotations

import contextlib
import math
import os
import pathlib
import shutil
import time
from dataclasses import dataclass
from typing import Any

import psutil

from rally_magnum_sandbox import cloud
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import folders
from rally_magnum_sandbox import memory
from rally_magnum_sandbox import processes
from rally_magnum_sandbox import servers_environment
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import roster as bay_roster
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_sandbox.servers import faults as sandbox_faults

UNKNOWN = "UNKNOWN"
# The notes of Magnum's driver that name a process that works on a bay.
WORKERS = (("deleter", "DELETE"), ("resizer", "UPDATE"), ("maker", "CREATE"))
NOT_ROOT = (
    "Only root can see Magnum's version, the names, nodes and states of bays, "
    "the disk usage, the injected faults and the memory that processes share. "
    "Run the command with sudo to see them."
)


@dataclass(frozen=True)
class Server:
    """A server of the sandbox.

    :param name: such as ``magnum``
    :param up: whether its process is alive and accepts connections
    :param pid: of its first process; None if it has no process
    :param address: the host and port that it listens on
    :param port: the port that it listens on
    :param processes: number of its processes
    :param memory_bytes: memory of all its processes
    :param age_s: seconds since it was started; None if it does not run
    """

    name: str
    up: bool
    pid: int | None
    address: str
    port: int
    processes: int
    memory_bytes: int
    age_s: float | None


@dataclass(frozen=True)
class Bay:
    """A bay of the sandbox; a field is None if it could not be read.

    :param name: the name that it was created with
    :param uuid: Magnum's id; at least its first eight digits
    :param status: Magnum's status
    :param nodes: number of worker nodes, including hollow nodes
    :param real_nodes: number of worker nodes that run containers
    :param api_address: host of its Kubernetes API
    :param api_port: port of its Kubernetes API
    :param processes: number of processes in its control group, including
        pods
    :param memory_bytes: memory of all its processes
    :param age_s: seconds since it was requested
    :param failed: maps the name of each real node whose machine was made to
        fail to ``stopped``, ``cut off`` or ``deleted``
    """

    name: str | None
    uuid: str
    status: str
    nodes: int | None
    real_nodes: int | None
    api_address: str | None
    api_port: int | None
    processes: int
    memory_bytes: int
    age_s: float | None
    failed: dict[str, str] | None


@dataclass(frozen=True)
class Status:
    """Everything that ``status`` shows; ``--json`` uses the same names.

    :param exists: whether there is a sandbox
    :param up: whether ``up`` has completed and all servers are up
    :param age_s: seconds since ``up`` completed
    :param magnum_version: of the sandbox; None if unreadable
    :param state_dir: the sandbox's files
    :param cache_dir: downloads and builds
    :param state_bytes: disk usage of the state folder; None if unreadable
    :param cache_bytes: disk usage of the cache
    :param disk_free_bytes: free disk space for the state folder
    :param memory_kind: ``pss``, or ``rss`` if a process hides its PSS
    :param servers: all servers, running or not
    :param bays: all existing bays
    :param faults: injected faults that have not ended
    :param hidden: one sentence for each kind of information that this user
        can't see
    """

    exists: bool
    up: bool
    age_s: float | None
    magnum_version: str | None
    state_dir: str
    cache_dir: str
    state_bytes: int | None
    cache_bytes: int
    disk_free_bytes: int | None
    memory_kind: str
    servers: tuple[Server, ...]
    bays: tuple[Bay, ...]
    faults: tuple[sandbox_faults.Fault, ...]
    hidden: tuple[str, ...]


def read(
    settings: sandbox_settings.Settings, now_s: float | None = None
) -> Status:
    """Read the sandbox's status.

    :param settings: of the sandbox
    :param now_s: the current time in seconds since the epoch
    """
    now_s = time.time() if now_s is None else now_s
    state = settings.state_dir
    exists = state.exists()
    readable = not exists or os.access(settings.bays_dir, os.R_OK | os.X_OK)
    kinds: set[str] = set()
    servers = _servers(settings, now_s, kinds) if exists else ()
    bays = _bays(settings, readable, now_s, kinds) if exists else ()
    return Status(
        exists=exists,
        up=settings.ready_file.exists() and all(x.up for x in servers),
        age_s=_since(settings.ready_file, now_s),
        magnum_version=_magnum_version(settings) if exists else None,
        state_dir=str(state),
        cache_dir=str(settings.cache_dir),
        state_bytes=folders.used_bytes(state) if readable else None,
        cache_bytes=folders.used_bytes(settings.cache_dir),
        disk_free_bytes=shutil.disk_usage(state).free if exists else None,
        memory_kind="rss" if "rss" in kinds else "pss",
        servers=servers,
        bays=bays,
        faults=_faults(settings, now_s) if readable else (),
        hidden=() if readable else (NOT_ROOT,),
    )


def _magnum_version(settings: sandbox_settings.Settings) -> str | None:
    with contextlib.suppress(PermissionError):
        found = folders.magnum_version(settings)
        return servers_environment.full_version(found)
    return None


def _faults(
    settings: sandbox_settings.Settings, now_s: float
) -> tuple[sandbox_faults.Fault, ...]:
    found = sandbox_faults.Faults(settings.faults_file).all()
    return tuple(fault for fault in found if fault.is_active(now_s))


def bay_state(bay: bay_folder.Bay) -> str:
    """Derive a bay's status from its folder, as Magnum's driver does."""
    notes = bay.notes()
    for key, state in WORKERS:
        process = bay_folder.Process.of(notes.get(key))
        if process is not None and process.alive():
            return f"{state}_IN_PROGRESS"
    if notes.get("hangs"):
        return str(notes["hangs"])
    if notes.get("delete_reason") or notes.get("deleter"):
        return "DELETE_FAILED"
    if notes.get("resizer"):
        return str(bay.update().get("status", "UPDATE_FAILED"))
    return str(bay.status().get("status", "CREATE_FAILED"))


def _servers(
    settings: sandbox_settings.Settings, now_s: float, kinds: set[str]
) -> tuple[Server, ...]:
    return tuple(
        _server(settings, name, port, now_s, kinds)
        for name, port in cloud.ports(settings).items()
    )


def _server(
    settings: sandbox_settings.Settings,
    name: str,
    port: int,
    now_s: float,
    kinds: set[str],
) -> Server:
    pids = _pids(processes.cgroup(settings, name))
    pid = _first_pid(settings, name, pids)
    taken = memory.of_processes(pids)
    kinds.add(taken.kind)
    return Server(
        name=name,
        up=pid is not None and processes.listening(port),
        pid=pid,
        address=f"{sandbox_settings.HOST}:{port}",
        port=port,
        processes=len(pids),
        memory_bytes=taken.size_bytes,
        age_s=None if pid is None else _age_s(pid, now_s),
    )


def _first_pid(
    settings: sandbox_settings.Settings, name: str, pids: list[int]
) -> int | None:
    try:
        process = processes.find(settings, name)
    except PermissionError:
        return min(pids, key=_started_s) if pids else None
    return process.pid if process is not None else None


def _bays(
    settings: sandbox_settings.Settings,
    readable: bool,
    now_s: float,
    kinds: set[str],
) -> tuple[Bay, ...]:
    if not readable:
        return tuple(
            _hidden_bay(group, now_s, kinds)
            for group in _bay_groups(settings.bays_cgroup)
        )
    found = []
    for bay in bay_folder.Bays(settings.bays_dir).all():
        # The bay may be removed while its folder is read.
        with contextlib.suppress(FileNotFoundError):
            found.append(_bay(settings, bay, now_s, kinds))
    return tuple(found)


def _bay(
    settings: sandbox_settings.Settings,
    bay: bay_folder.Bay,
    now_s: float,
    kinds: set[str],
) -> Bay:
    spec, created_s = bay.spec(), bay.notes().get("created_s")
    pids = _pids(f"{settings.bays_cgroup}/{bay.folder.name}")
    taken = memory.of_processes(pids)
    kinds.add(taken.kind)
    return Bay(
        name=spec.get("name"),
        uuid=bay.uuid,
        status=bay_state(bay),
        nodes=spec.get("node_count"),
        real_nodes=spec.get("real_nodes"),
        api_address=_api_address(bay.folder),
        api_port=bay_spec.API_PORT,
        processes=len(pids),
        memory_bytes=taken.size_bytes,
        age_s=None if created_s is None else now_s - created_s,
        failed=_failed(bay.folder),
    )


def _hidden_bay(group: str, now_s: float, kinds: set[str]) -> Bay:
    pids = _pids(group)
    taken = memory.of_processes(pids)
    kinds.add(taken.kind)
    ages = [age for pid in pids if (age := _age_s(pid, now_s)) is not None]
    unknown: dict[str, Any] = dict.fromkeys(
        (
            "name",
            "nodes",
            "real_nodes",
            "api_address",
            "api_port",
            "failed",
        )
    )
    return Bay(
        uuid=group.rpartition("/")[2],
        status=UNKNOWN,
        processes=len(pids),
        memory_bytes=taken.size_bytes,
        age_s=max(ages, default=None),
        **unknown,
    )


def _bay_groups(bays_cgroup: str) -> list[str]:
    try:
        folder = cgroups.CgroupTree(bays_cgroup).procs.parent
    except exceptions.MissingRequirement:
        return []
    # With version 2, `host` is a leaf beside the bays' groups.
    parent = folder.parent if folder.name == "host" else folder
    names = [path.name for path in parent.glob("*/") if path.name != "host"]
    return [f"{bays_cgroup}/{name}" for name in sorted(names)]


def _pids(group: str) -> list[int]:
    try:
        return cgroups.processes(group)
    except exceptions.MissingRequirement:
        return []


def _api_address(folder: pathlib.Path) -> str | None:
    with contextlib.suppress(exceptions.SandboxError):
        return bay_spec.read_spec(folder).control_address
    return None


def _failed(folder: pathlib.Path) -> dict[str, str]:
    # A bay that was just started has no roster yet.
    with contextlib.suppress(exceptions.SandboxError):
        spec = bay_spec.read_spec(folder)
        return {
            member.node(spec).name: member.trouble
            for member in bay_roster.read(folder).members
            if member.trouble
        }
    return {}


def _started_s(pid: int) -> float:
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).create_time())
    return math.inf


def _age_s(pid: int, now_s: float) -> float | None:
    started_s = _started_s(pid)
    return None if math.isinf(started_s) else max(0.0, now_s - started_s)


def _since(ready_file: pathlib.Path, now_s: float) -> float | None:
    with contextlib.suppress(OSError):
        since_s = bay_folder.read_json(ready_file).get("since_s")
        return None if since_s is None else max(0.0, now_s - since_s)
    return None
