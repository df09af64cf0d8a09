"""What of the sandbox runs, what it takes, and what can't be seen of it."""

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

from rally_magnum_sandbox import cgroups
from rally_magnum_sandbox import cloud
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import folders
from rally_magnum_sandbox import memory
from rally_magnum_sandbox import processes
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import roster as bay_roster
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.bay.cgroups import CgroupTree
from rally_magnum_sandbox.servers import bay_folder

UNKNOWN = "UNKNOWN"
# The notes of Magnum's driver that name a process at work on a bay.
WORKERS = (("deleter", "DELETE"), ("resizer", "UPDATE"), ("maker", "CREATE"))
NOT_ROOT = (
    "Only root sees the names, nodes and states of bays, how much disk is "
    "used and what processes share; run the command with sudo to see them."
)


@dataclass(frozen=True)
class Server:
    """A server of the sandbox.

    :param name: such as ``magnum``
    :param up: its process lives, and it accepts connections
    :param pid: of its first process, or None when it has none
    :param address: host and port that it listens on
    :param port: that it listens on
    :param processes: how many it has
    :param memory_bytes: of all of them
    :param age_s: since it was started; None when it is not there
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
    """A bay of the sandbox; None is what could not be read.

    :param name: that it was created with
    :param uuid: Magnum's id; its first eight digits at least
    :param status: as Magnum gives it
    :param nodes: worker nodes, hollow ones included
    :param real_nodes: how many of them run containers
    :param api_address: host of its Kubernetes API
    :param api_port: port of its Kubernetes API
    :param processes: in its control group, those in pods too
    :param memory_bytes: of all of them
    :param age_s: since it was asked for
    :param failed: real nodes whose machines were made to fail, by name:
        ``stopped``, ``cut off`` or ``deleted``
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
    """Everything that ``status`` shows; ``--json`` gives it by these names.

    :param exists: whether there is a sandbox at all
    :param up: it was brought up to the end and all servers are up
    :param age_s: since it was brought up
    :param state_dir: its files
    :param cache_dir: what is slow to make
    :param state_bytes: disk that the state takes; None when not readable
    :param cache_bytes: disk that the cache takes
    :param disk_free_bytes: for the state
    :param memory_kind: ``pss``, or ``rss`` when a process kept that secret
    :param servers: all that a sandbox has
    :param bays: those that there are
    :param hidden: a sentence for each kind of thing that can't be seen
    """

    exists: bool
    up: bool
    age_s: float | None
    state_dir: str
    cache_dir: str
    state_bytes: int | None
    cache_bytes: int
    disk_free_bytes: int | None
    memory_kind: str
    servers: tuple[Server, ...]
    bays: tuple[Bay, ...]
    hidden: tuple[str, ...]


def read(
    settings: sandbox_settings.Settings, now_s: float | None = None
) -> Status:
    """Look at the sandbox.

    :param settings: of the sandbox
    :param now_s: the time of day in seconds since the epoch
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
        state_dir=str(state),
        cache_dir=str(settings.cache_dir),
        state_bytes=folders.used_bytes(state) if readable else None,
        cache_bytes=folders.used_bytes(settings.cache_dir),
        disk_free_bytes=shutil.disk_usage(state).free if exists else None,
        memory_kind="rss" if "rss" in kinds else "pss",
        servers=servers,
        bays=bays,
        hidden=() if readable else (NOT_ROOT,),
    )


def bay_state(bay: bay_folder.Bay) -> str:
    """Tell a bay's state from its folder, as Magnum's driver does."""
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
    ports = {
        "postgres": settings.postgres_port,
        "keystone": settings.keystone_port,
        "magnum": settings.magnum_port,
        "stub": settings.stub_port,
    }
    return tuple(
        _server(settings, name, ports[name], now_s, kinds)
        for name in cloud.SERVERS
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
        # It may be removed while it is looked at.
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
        folder = CgroupTree(bays_cgroup).procs.parent
    except exceptions.MissingRequirement:
        return []
    # With version 2 it is a leaf beside the bays' groups.
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
    # A bay that is only begun has no roster yet.
    with contextlib.suppress(exceptions.SandboxError):
        spec = bay_spec.read_spec(folder)
        return {
            spec.node(member.number, member.slot).name: member.trouble
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
