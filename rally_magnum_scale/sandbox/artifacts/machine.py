"""Whether a machine can carry the sandbox, and what it lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil

from rally_magnum_scale.sandbox.bay import cgroups

LEAST_MEMORY_BYTES = 4 * 10**9
LEAST_DISK_BYTES = 6 * 10**9
# Enough to tell that network namespaces, bridges and veth pairs are there:
# made in a namespace of their own, which goes with the shell.
NETWORK_PROBE = (
    "ip link add probe type bridge && "
    "ip link add probe0 type veth peer name probe1"
)
RULES_PROBE = (
    "iptables -t nat -A OUTPUT -p tcp -m comment --comment probe "
    "-j DNAT --to-destination 127.0.0.1:1"
)


def check_machine(cache_dir: Path = Path("/")) -> list[str]:
    """Say what this machine lacks to carry the sandbox.

    Run it after the system packages are there: without iproute2 and
    iptables it can't tell.

    :param cache_dir: where artifacts and bays are kept; disk space is
        looked at there
    :returns: one sentence for each thing that is missing; empty if the
        machine will do
    """
    if os.geteuid() != 0:
        return [
            "The sandbox makes network namespaces, mounts and cgroups and so "
            "must run as root, but this process has the uid "
            f"{os.geteuid()}; run it with sudo."
        ]
    checks: tuple[Callable[[], str], ...] = (
        _overlay,
        _network,
        _rules,
        _bridge_filter,
        _cgroups,
        _memory,
        lambda: _disk(cache_dir),
    )
    return [sentence for check in checks if (sentence := check())]


def _overlay() -> str:
    with tempfile.TemporaryDirectory() as name:
        for folder in ("lower", "upper", "work", "merged"):
            (Path(name) / folder).mkdir()
        options = f"lowerdir={name}/lower,upperdir={name}/upper"
        error = _failure(
            *("unshare", "--mount", "--propagation", "private"),
            *("mount", "-t", "overlay", "overlay", "-o"),
            *(f"{options},workdir={name}/work", f"{name}/merged"),
        )
    return error and (
        "Containers need the overlay file system, but a mount of it in "
        f"{tempfile.gettempdir()} was refused ({error}); load the module "
        "'overlay', and if this is a container run it privileged."
    )


def _network() -> str:
    error = _failure("unshare", "--net", "sh", "-c", NETWORK_PROBE)
    return error and (
        "A bay needs network namespaces, bridges and veth pairs, but making "
        f"them was refused ({error}); load the modules 'bridge' and 'veth', "
        "and if this is a container run it privileged."
    )


def _rules() -> str:
    error = _failure("unshare", "--net", "sh", "-c", RULES_PROBE)
    return error and (
        "kube-proxy needs iptables with network address translation, but a "
        f"rule was refused ({error}); install iptables and load 'nf_tables' "
        "or 'ip_tables', 'nf_nat' and 'xt_comment'."
    )


def _bridge_filter() -> str:
    if Path("/proc/sys/net/bridge").exists():
        return ""
    error = _failure("modprobe", "br_netfilter")
    return error and (
        "Services of a bay need the kernel module br_netfilter, but loading "
        f"it was refused ({error}); use a kernel that has it."
    )


def _cgroups() -> str:
    missing = cgroups.missing_controllers()
    if not missing:
        return ""
    return (
        "kubelet needs the cgroup controllers cpu, cpuset, memory and pids, "
        f"but {', '.join(missing)} can't be used here; mount them (version "
        "1), or enable them in the root's cgroup.subtree_control (version 2)."
    )


def _memory() -> str:
    have = psutil.virtual_memory().total
    if have >= LEAST_MEMORY_BYTES:
        return ""
    return (
        f"The sandbox needs {LEAST_MEMORY_BYTES / 1e9:.0f} GB of memory, but "
        f"this machine has {have / 1e9:.1f} GB; use a larger one."
    )


def _disk(folder: Path) -> str:
    while not folder.exists():
        folder = folder.parent
    have = shutil.disk_usage(folder).free
    if have >= LEAST_DISK_BYTES:
        return ""
    return (
        f"The sandbox needs {LEAST_DISK_BYTES / 1e9:.0f} GB of disk, but "
        f"{folder} has {have / 1e9:.1f} GB free; free some or put its folder "
        "elsewhere."
    )


def _failure(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return f"there is no program {command[0]!r}"
    if done.returncode == 0:
        return ""
    lines = done.stderr.strip().splitlines() or [
        f"{command[0]} exited with {done.returncode}"
    ]
    return lines[-1].rstrip(".")
