"""Control groups as the list of the sandbox's processes.

A process can leave its session, its parent and its terminal, but not its
control group. So even after a crash, the groups list every process of the
sandbox. :class:`..bay.cgroups.CgroupTree` finds, kills and removes groups.
"""

from __future__ import annotations

from rally_magnum_sandbox.bay.cgroups import CgroupTree


def entering(name: str, command: list[str]) -> list[str]:
    """Wrap a command so that it first enters a control group.

    :param name: of the group, which is created if it is missing
    :param command: the command to run in the group
    :raises MissingRequirement: if no hierarchy is mounted
    """
    procs = CgroupTree(name).procs
    procs.parent.mkdir(parents=True, exist_ok=True)
    script = 'echo $$ > "$0" && exec "$@"'
    return ["/bin/sh", "-c", script, str(procs), *command]


def processes(name: str) -> list[int]:
    """List the pids in a group and in all groups below it."""
    return sorted(CgroupTree(name).pids())
