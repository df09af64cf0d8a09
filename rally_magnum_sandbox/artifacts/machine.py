"""Check whether a machine can run the sandbox, and what it lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from rally_magnum_sandbox.bay import cgroups

LEAST_MEMORY_BYTES = 3 * 10**9
BRIDGE_FILTER = Path("/proc/sys/net/bridge")
ISOLATED = ("unshare", "--net", "--")
PRIVILEGED = "if this is a container run it privileged"
OVERLAY = """
cd "$1" && mkdir lower upper work merged &&
exec unshare --mount --propagation private -- mount -t overlay overlay \
    -o lowerdir=lower,upperdir=upper,workdir=work merged
"""


@dataclass(frozen=True)
class Feature:
    """A network feature of the kernel, tried in a temporary namespace.

    :param program: the program that the trial needs
    :param trial: a shell command that runs in a temporary network namespace
    :param sentence: the message for a missing feature, with its purpose and
        the remedy; ``{error}`` is replaced by the trial's error
    """

    program: str
    trial: str
    sentence: str


FEATURES = (
    Feature(
        "unshare",
        "true",
        "A bay needs network namespaces, but creating one failed "
        f"({{error}}); use a kernel with CONFIG_NET_NS, and {PRIVILEGED}.",
    ),
    Feature(
        "ip",
        "ip link add probe type bridge",
        "A bay needs network bridges, but creating one failed ({error}); "
        f"load the module 'bridge', and {PRIVILEGED}.",
    ),
    Feature(
        "ip",
        "ip link add probe0 type veth peer name probe1",
        "A bay needs veth pairs, but creating one failed ({error}); load "
        f"the module 'veth', and {PRIVILEGED}.",
    ),
    Feature(
        "iptables",
        "iptables -t nat -A OUTPUT -p tcp -m comment --comment probe "
        "-j DNAT --to-destination 127.0.0.1:1",
        "kube-proxy needs iptables with network address translation, but "
        "adding a rule failed ({error}); load the modules 'nf_tables' or "
        "'ip_tables', 'nf_nat' and 'xt_comment'.",
    ),
)
OVERLAY_SENTENCE = (
    "Containers need the overlay file system, but mounting it in {folder} "
    f"failed ({{error}}); load the module 'overlay', and {PRIVILEGED}."
)
BRIDGE_FILTER_SENTENCE = (
    "Services of a bay need the kernel module br_netfilter, but loading it "
    "failed ({error}); use a kernel that has it."
)


class Machine:
    """Reads the properties of a machine that the checks need."""

    def uid(self) -> int:
        """Return the effective uid of this process."""
        return os.geteuid()

    def has_program(self, name: str) -> bool:
        """Tell whether a program is installed."""
        return shutil.which(name) is not None

    def failure(self, *command: str) -> str:
        """Run a program; return its error, or an empty string."""
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False
            )
        except OSError as error:
            return f"{command[0]!r}: {error.strerror}"
        if done.returncode == 0:
            return ""
        lines = done.stderr.strip().splitlines() or [
            f"{command[0]} exited with {done.returncode}"
        ]
        return lines[-1].rstrip(".")

    def bridge_filter_loaded(self) -> bool:
        """Tell whether packets on bridges go through iptables."""
        return BRIDGE_FILTER.exists()

    def missing_controllers(self) -> list[str]:
        """List the missing control group controllers of kubelet."""
        return cgroups.missing_controllers()

    def read_only_hierarchies(self) -> list[str]:
        """List the control group hierarchies that are read-only."""
        mounts = Path("/proc/self/mountinfo").read_text()
        used = cgroups.used_hierarchies(cgroups.parse_hierarchies(mounts))
        return [str(h.root) for h in used if not os.access(h.root, os.W_OK)]

    def available_memory_bytes(self) -> int:
        """Return the memory that is usable without swapping (MemAvailable)."""
        return int(psutil.virtual_memory().available)

    def free_disk(self, folder: Path) -> tuple[int, int]:
        """Return the number and the free bytes of a folder's file system.

        :param folder: need not exist yet
        """
        while not folder.exists():
            folder = folder.parent
        return folder.stat().st_dev, shutil.disk_usage(folder).free


def missing_things(
    disk_bytes: Mapping[Path, int], machine: Machine | None = None
) -> list[str]:
    """List the requirements of the sandbox that this machine lacks.

    A feature is skipped if the program for its trial is not installed yet.
    Call this again after installing the Debian packages.

    :param disk_bytes: maps each folder to the bytes that will be written
    :param machine: the machine to check; default this machine
    :returns: one sentence for each missing requirement; empty if the machine
        can run the sandbox
    """
    machine = machine or Machine()
    if machine.uid() != 0:
        return [
            "The sandbox creates network namespaces, mounts and control "
            "groups and so must run as root, but this process has the uid "
            f"{machine.uid()}; run it with sudo."
        ]
    found = [
        _overlay(machine),
        *(_feature(machine, feature) for feature in FEATURES),
        _bridge_filter(machine),
        _controllers(machine),
        _memory(machine),
        *_disks(machine, disk_bytes),
    ]
    return [sentence for sentence in found if sentence]


def _overlay(machine: Machine) -> str:
    with tempfile.TemporaryDirectory() as name:
        error = machine.failure("sh", "-c", OVERLAY, "sh", name)
        return error and OVERLAY_SENTENCE.format(
            folder=tempfile.gettempdir(), error=error
        )


def _feature(machine: Machine, feature: Feature) -> str:
    if not machine.has_program(feature.program):
        return ""
    error = machine.failure(*ISOLATED, "sh", "-c", feature.trial)
    return error and feature.sentence.format(error=error)


def _bridge_filter(machine: Machine) -> str:
    if machine.bridge_filter_loaded() or not machine.has_program("modprobe"):
        return ""
    error = machine.failure("modprobe", "br_netfilter")
    return error and BRIDGE_FILTER_SENTENCE.format(error=error)


def _controllers(machine: Machine) -> str:
    if missing := machine.missing_controllers():
        return (
            "kubelet needs the control group controllers cpu, cpuset, memory "
            f"and pids, but {', '.join(missing)} can't be used here; mount "
            "them (version 1), or enable them in cgroup.subtree_control of "
            "the root group (version 2)."
        )
    if closed := machine.read_only_hierarchies():
        return (
            "A bay needs its own control groups, but "
            f"{', '.join(closed)} can't be written to; mount the hierarchies "
            f"for writing, and {PRIVILEGED}."
        )
    return ""


def _memory(machine: Machine) -> str:
    have = machine.available_memory_bytes()
    if have >= LEAST_MEMORY_BYTES:
        return ""
    return (
        f"The sandbox needs {LEAST_MEMORY_BYTES / 1e9:.1f} GB of memory, but "
        f"only {have / 1e9:.1f} GB are available (MemAvailable); stop other "
        "programs, or use a larger machine."
    )


def _disks(machine: Machine, disk_bytes: Mapping[Path, int]) -> Iterable[str]:
    systems: dict[int, list[Path]] = {}
    free: dict[int, int] = {}
    for folder in disk_bytes:
        number, free_bytes = machine.free_disk(folder)
        systems.setdefault(number, []).append(folder)
        free[number] = free_bytes
    for number, folders in systems.items():
        need = sum(disk_bytes[folder] for folder in folders)
        if free[number] < need:
            yield (
                f"The sandbox needs {need / 1e9:.1f} GB of disk space for "
                f"{' and '.join(map(str, folders))}, but only "
                f"{free[number] / 1e9:.1f} GB are free; free disk space, or "
                "move a folder to another disk (see "
                "`rally-magnum-sandbox --help`)."
            )
