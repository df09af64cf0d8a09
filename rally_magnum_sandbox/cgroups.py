"""Control groups as the list of what the sandbox started.

A process can leave its session, its parent and its terminal, but not its
control group: whatever crashed, what is left of the sandbox is found
here.  How groups are found, ended and removed is
:class:`..bay.cgroups.CgroupTree`'s to know.
"""

from __future__ import annotations

from rally_magnum_sandbox.bay.cgroups import CgroupTree


def entering(name: str, command: list[str]) -> list[str]:
    """Make a command that enters a group before it starts another one.

    :param name: of the group, which is made if it is missing
    :param command: what is started in it
    :raises MissingRequirement: when no hierarchy is mounted
    """
    procs = CgroupTree(name).procs
    procs.parent.mkdir(parents=True, exist_ok=True)
    script = 'echo $$ > "$0" && exec "$@"'
    return ["/bin/sh", "-c", script, str(procs), *command]


def processes(name: str) -> list[int]:
    """List the pids in a group and in all groups below it."""
    return sorted(CgroupTree(name).pids())
