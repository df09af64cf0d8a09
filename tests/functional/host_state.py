"""What a machine runs and holds, to compare before with after.

A test takes ``before = host_state.capture()``, does its work, and asserts
``host_state.settle(before) == []``.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

SYSCTLS = (
    "fs/inotify/max_user_instances",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/bridge/bridge-nf-call-iptables",
    "net/ipv4/conf/all/forwarding",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
)


@dataclasses.dataclass(frozen=True)
class Process:
    """One process; its start tells it from a later one with its pid."""

    pid: int
    started_s: float
    command: str


@dataclasses.dataclass(frozen=True)
class HostState:
    """A snapshot, each part as a set of lines that a reader understands."""

    processes: frozenset[Process]
    namespaces: frozenset[str]
    links: frozenset[str]
    routes: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    rules: frozenset[str]
    sysctls: frozenset[str]


def capture() -> HostState:
    """Take a snapshot of this machine.

    :returns: everything that a sandbox could leave behind; kernel threads
        are left out
    """
    return HostState(
        processes=frozenset(_processes()),
        namespaces=frozenset(_namespaces()),
        links=frozenset(link["ifname"] for link in _ip("link")),
        routes=frozenset(_routes()),
        mounts=frozenset(_mounts()),
        cgroups=frozenset(_cgroups()),
        rules=frozenset(_rules()),
        sysctls=frozenset(_sysctls()),
    )


def difference(
    before: HostState, after: HostState, ignore: Iterable[str] = ()
) -> list[str]:
    """List what differs, one line for each thing.

    A process that began meanwhile as a descendant of one that was there
    before, such as a neighbour's shell, is no concern of ours, unless it
    descends from the calling process.  Nor is one that another worker of
    pytest's has begun.

    :param before: the earlier snapshot
    :param after: the later one
    :param ignore: regular expressions; lines in which one is found are
        left out
    :returns: lines such as ``left behind: link rmsb0``; empty if all is as
        it was
    """
    lines = [
        f"left behind: process {process.pid} {process.command}"
        for process in sorted(
            after.processes - before.processes, key=lambda p: p.pid
        )
        if not _is_neighbours(process, before)
    ]
    for field in dataclasses.fields(HostState):
        if field.name == "processes":
            continue
        old, new = getattr(before, field.name), getattr(after, field.name)
        name = field.name.removesuffix("s")
        lines += [f"left behind: {name} {x}" for x in sorted(new - old)]
        # Control groups of neighbours end with their processes.
        if field.name != "cgroups":
            lines += [f"gone: {name} {x}" for x in sorted(old - new)]
    return [
        line for line in lines if not any(re.search(x, line) for x in ignore)
    ]


def settle(
    before: HostState, deadline_s: float = 10.0, ignore: Iterable[str] = ()
) -> list[str]:
    """Compare until nothing differs, or the deadline is reached.

    The kernel removes network namespaces a moment after their last
    process, and other programs of the machine come and go.

    :param before: the snapshot to come back to
    :param deadline_s: seconds to wait at most
    :param ignore: as in :func:`difference`
    :returns: what differed at last
    """
    ignore = tuple(ignore)
    end = time.monotonic() + deadline_s
    while (found := difference(before, capture(), ignore)) and (
        time.monotonic() < end
    ):
        time.sleep(0.2)
    return found


def _processes() -> Iterable[Process]:
    for process in psutil.process_iter(["pid", "create_time", "cmdline"]):
        info = process.info
        if info["cmdline"]:
            yield Process(
                info["pid"], info["create_time"], " ".join(info["cmdline"])
            )


def _is_neighbours(process: Process, before: HostState) -> bool:
    earlier = {(p.pid, p.started_s) for p in before.processes}
    try:
        parents = psutil.Process(process.pid).parents()
        ancestors = [(p.pid, p.create_time()) for p in parents]
    except psutil.NoSuchProcess:
        return True
    if any(pid == os.getpid() for pid, _ in ancestors):
        return False
    if _is_of_another_worker(process):
        return True
    return any(pid != 1 and (pid, s) in earlier for pid, s in ancestors)


def _is_of_another_worker(process: Process) -> bool:
    """Tell whether another process of pytest's, beside this one, began it."""
    name = "PYTEST_XDIST_WORKER"
    try:
        theirs = psutil.Process(process.pid).environ().get(name)
    except (psutil.Error, OSError):
        return False
    return theirs is not None and theirs != os.environ.get(name)


def _namespaces() -> Iterable[str]:
    """Name the network namespaces that this process could enter."""
    for path in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            yield str(path.readlink())
        except OSError:
            continue
    yield from re.findall(
        r"net:\[\d+\]", Path("/proc/self/mountinfo").read_text()
    )
    for name in Path("/run/netns").glob("*"):
        yield f"named {name.name}"


def _ip(subject: str) -> list[dict[str, str]]:
    out = _output("ip", "-j", subject, "show")
    return json.loads(out or "[]")


def _routes() -> Iterable[str]:
    for route in _ip("route"):
        yield f"{route.get('dst')} dev {route.get('dev')}"


def _mounts() -> Iterable[str]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        source, target, kind = line.split()[:3]
        yield f"{kind} {source} on {target}"


def _cgroups() -> Iterable[str]:
    for mount in _mounts():
        if mount.startswith("cgroup"):
            for folder, _, _ in os.walk(mount.partition(" on ")[2]):
                yield folder


def _rules() -> Iterable[str]:
    for program in ("iptables-save", "ip6tables-save"):
        for line in _output(program).splitlines():
            if not line.startswith("#"):
                yield re.sub(r"\s*\[\d+:\d+\]", "", line)


def _sysctls() -> Iterable[str]:
    for name in SYSCTLS:
        path = Path("/proc/sys") / name
        if path.exists():
            yield f"{name}={path.read_text().strip()}"


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout
