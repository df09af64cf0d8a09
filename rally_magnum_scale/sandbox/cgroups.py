"""Control groups as the list of what the sandbox started.

A process can leave its session, its parent and its terminal, but not its
control group: whatever crashed, what is left of the sandbox is found
here.  With version 1 one hierarchy is enough for that, ``pids`` if the
kernel has it; with version 2 there is only one.  The groups lie at the
root of the hierarchy, not under the caller's own group, so that every
later command finds them.  :class:`..bay.cgroups.CgroupTree` ends and
removes them: bays have groups in every hierarchy.
"""

from __future__ import annotations

import contextlib
import os
import pathlib

from rally_magnum_scale import exceptions

ROOT = pathlib.Path("/sys/fs/cgroup")
PARENT = "rally-magnum-sandbox"
CLOUD = f"{PARENT}/cloud"
BAYS = f"{PARENT}/bays"
HIERARCHIES = ("pids", "freezer", "unified", "")


def hierarchy() -> pathlib.Path:
    """Find the hierarchy that the sandbox's groups lie in.

    :raises MissingRequirement: when none is mounted
    """
    for name in HIERARCHIES:
        if (ROOT / name / "cgroup.procs").exists():
            return ROOT / name
    raise exceptions.MissingRequirement(
        f"No control group hierarchy is mounted below {ROOT}; mount one "
        "(cgroup2, or version 1 with the pids controller)."
    )


def folder(name: str) -> pathlib.Path:
    """Name the folder of a group, such as ``rally-magnum-sandbox/cloud``."""
    return hierarchy() / name


def entering(name: str, command: list[str]) -> list[str]:
    """Make a command that enters a group before it starts another one.

    :param name: of the group, which is made if it is missing
    :param command: what is started in it
    """
    group = folder(name)
    group.mkdir(parents=True, exist_ok=True)
    script = 'echo $$ > "$0" && exec "$@"'
    return ["/bin/sh", "-c", script, str(group / "cgroup.procs"), *command]


def processes(name: str) -> list[int]:
    """List the pids in a group and in all groups below it."""
    found: set[int] = set()
    for procs in folder(name).rglob("cgroup.procs"):
        with contextlib.suppress(FileNotFoundError, OSError):
            found.update(int(pid) for pid in procs.read_text().split())
    return sorted(found - {os.getpid()})
