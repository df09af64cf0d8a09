"""What of a sandbox, or of a bay by itself, a machine runs and holds.

A test takes ``before = host_state.capture(owner)``, does its work, and
asserts ``host_state.settle(before) == []``.  Only what belongs to the owner
is compared, so that other programs of the machine, and tests that run at
the same time, may come and go.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import time
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

import psutil

from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import cgroups

# Nothing of ours ever changes these; inotify's limit, which a sandbox
# raises for as long as there is one, is left out.
SYSCTLS = (
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/bridge/bridge-nf-call-iptables",
    "net/ipv4/conf/all/forwarding",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
)
# What the control groups of bays that no sandbox has begin with.
BY_HAND = "rally-magnum-sandbox-by-hand"
# Variables of a test's process that the processes which it starts inherit.
WORKER = ("PYTEST_XDIST_TESTRUNUID", "PYTEST_XDIST_WORKER")


@dataclasses.dataclass(frozen=True)
class Owner:
    """Whose things are compared.

    :param cgroup: its control group, relative to each hierarchy
    :param folder: holds all of its mounts
    :param bay_indexes: of its bays; they name its links
    """

    cgroup: str
    folder: Path
    bay_indexes: range

    @classmethod
    def of_sandbox(cls, settings: sandbox_settings.Settings) -> Owner:
        return cls(settings.cgroup, settings.state_dir, settings.bay_indexes)

    @property
    def links(self) -> set[str]:
        return {f"rmsb{index}" for index in self.bay_indexes}


@dataclasses.dataclass(frozen=True)
class Process:
    """One process; its start tells it from a later one with its pid."""

    pid: int
    started_s: float
    command: str

    def __str__(self) -> str:
        return f"{self.pid} {self.command}"


@dataclasses.dataclass(frozen=True)
class HostState:
    """A snapshot, each part as a set of lines that a reader understands."""

    owner: Owner
    processes: frozenset[Process]
    links: frozenset[str]
    routes: frozenset[str]
    mounts: frozenset[str]
    cgroups: frozenset[str]
    rules: frozenset[str]
    sysctls: frozenset[str]


def capture(owner: Owner) -> HostState:
    """Take a snapshot of what the owner has on this machine.

    :returns: everything that it could leave behind.  A network namespace
        lives as long as a process or a mount in it, so these tell of it.
    """
    return HostState(
        owner=owner,
        processes=frozenset(_processes(owner)),
        links=frozenset(
            link["ifname"]
            for link in _ip("link")
            if link["ifname"] in owner.links
        ),
        routes=frozenset(_routes(owner)),
        mounts=frozenset(_mounts(owner)),
        cgroups=frozenset(_cgroups(owner)),
        rules=frozenset(_rules()),
        sysctls=frozenset(_sysctls()),
    )


def difference(before: HostState, after: HostState) -> list[str]:
    """List what differs, one line for each thing.

    :param before: the earlier snapshot
    :param after: the later one
    :returns: lines such as ``left behind: link rmsb0``; empty if all is as
        it was
    """
    lines = []
    for field in dataclasses.fields(HostState):
        if field.name == "owner":
            continue
        old, new = getattr(before, field.name), getattr(after, field.name)
        name = field.name.removesuffix("s").replace("processe", "process")
        lines += sorted(f"left behind: {name} {x}" for x in new - old)
        if field.name not in ("processes", "cgroups"):
            lines += sorted(f"gone: {name} {x}" for x in old - new)
    return lines


def settle(before: HostState, deadline_s: float = 10.0) -> list[str]:
    """Compare until nothing differs, or the deadline is reached.

    The kernel removes what a process held a moment after it has ended.

    :param before: the snapshot to come back to
    :param deadline_s: seconds to wait at most
    :returns: what differed at last
    """
    end = time.monotonic() + deadline_s
    while (found := difference(before, capture(before.owner))) and (
        time.monotonic() < end
    ):
        time.sleep(0.2)
    return found


def _processes(owner: Owner) -> Iterator[Process]:
    """List the owner's processes, and those that the test has started."""
    own = set(cgroups.processes(owner.cgroup))
    own |= {p.pid for p in psutil.Process().children(recursive=True)}
    for process in psutil.process_iter(["pid", "create_time", "cmdline"]):
        info = process.info
        if info["cmdline"] and (process.pid in own or _is_orphan(process)):
            yield Process(
                info["pid"], info["create_time"], " ".join(info["cmdline"])
            )


def _is_orphan(process: psutil.Process) -> bool:
    """Tell whether the test started it, and its parent has ended."""
    try:
        theirs = process.environ()
        orphan = process.ppid() == 1
    except (psutil.Error, OSError):
        return False
    return (
        orphan
        and "PYTEST_CURRENT_TEST" in theirs
        and all(theirs.get(name) == os.environ.get(name) for name in WORKER)
    )


def _ip(subject: str) -> list[dict[str, str]]:
    out = _output("ip", "-j", subject, "show")
    return json.loads(out or "[]")


def _routes(owner: Owner) -> Iterable[str]:
    for route in _ip("route"):
        if route.get("dev") in owner.links:
            yield f"{route.get('dst')} dev {route.get('dev')}"


def _mounts(owner: Owner) -> Iterable[str]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        source, target, kind = line.split()[:3]
        if target.startswith(f"{owner.folder}/"):
            yield f"{kind} {source} on {target}"


def _cgroups(owner: Owner) -> Iterable[str]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind = line.split()[:3]
        if kind.startswith("cgroup"):
            for folder, _, _ in os.walk(f"{target}/{owner.cgroup}"):
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
