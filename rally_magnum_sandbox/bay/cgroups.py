"""The control groups of a sandbox and its bays.

A process can leave its session, its parent and its terminal, but not its
control group. So even after a crash, the groups list every process of a bay or
a sandbox, and can kill it.

The groups are at the root of each hierarchy, not below the caller's own
group, because kubelet's paths start at the root. With version 1, the bay's own
processes are in one hierarchy (``pids``, or another one if that is missing)
and its pods in all hierarchies. With version 2, a group that enables
controllers for its children can't contain processes, so the bay's own
processes are in the leaf ``host``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from rally_magnum_sandbox import exceptions
from rally_magnum_scale import waiting

# kubelet refuses to start without these.
NEEDED = ("cpu", "cpuset", "memory", "pids")
TRACKED_BY = ("pids", "freezer", "cpuacct", "memory")


@dataclasses.dataclass(frozen=True)
class Hierarchy:
    """A mounted hierarchy of control groups.

    :param root: where it is mounted
    :param version: 1 or 2
    :param controllers: its controllers; for version 1 also ``name=…``
    """

    root: Path
    version: int
    controllers: frozenset[str]


def parse_hierarchies(mountinfo: str) -> list[Hierarchy]:
    """Find the hierarchies among the mounts.

    :param mountinfo: the text of ``/proc/self/mountinfo``
    :returns: the hierarchies of versions 1 and 2; the controllers of
        version 2 are read from its root
    """
    found = []
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        root = Path(fields.split()[4])
        if kind == "cgroup":
            found.append(Hierarchy(root, 1, frozenset(options.split(","))))
        elif kind == "cgroup2":
            found.append(Hierarchy(root, 2, _controllers(root)))
    return found


def used_hierarchies(hierarchies: list[Hierarchy]) -> list[Hierarchy]:
    """Leave out the hierarchies that kubelet and containerd don't use.

    :param hierarchies: all mounted hierarchies; on a machine with a "hybrid"
        layout these have both versions
    :returns: the hierarchies of version 1 if they include the controller
        ``cpu``, else the hierarchy of version 2
    """
    first = [h for h in hierarchies if h.version == 1]
    if any("cpu" in h.controllers for h in first):
        return first
    return [h for h in hierarchies if h.version == 2]


def missing_controllers() -> list[str]:
    """List the controllers that kubelet needs and this machine lacks."""
    hierarchies = used_hierarchies(_hierarchies())
    have = frozenset[str]().union(*(h.controllers for h in hierarchies))
    return [name for name in NEEDED if name not in have]


class CgroupTree:
    """All control groups of one bay.

    :param name: relative to each hierarchy's root
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._all = _hierarchies()
        self._hierarchies = used_hierarchies(self._all)
        if not self._hierarchies:
            raise exceptions.MissingRequirement(
                "No control group hierarchy is mounted, so the processes of "
                "a bay can't be tracked. Mount /sys/fs/cgroup."
            )

    @property
    def procs(self) -> Path:
        """The ``cgroup.procs`` file of the bay's own processes."""
        if not self._first:
            root = self._hierarchies[0].root
            return root / self.name / "host" / "cgroup.procs"
        for controller in TRACKED_BY:
            for hierarchy in self._first:
                if controller in hierarchy.controllers:
                    return hierarchy.root / self.name / "cgroup.procs"
        return self._first[0].root / self.name / "cgroup.procs"

    def make(self, *children: str) -> None:
        """Create the bay's groups.

        :param children: further groups with every controller, for the pods
            of each real node
        :raises SandboxError: if the kernel refuses
        """
        try:
            self.procs.parent.mkdir(parents=True, exist_ok=True)
            for hierarchy in self._hierarchies:
                for name in (self.name, *children):
                    _make(hierarchy, name)
        except OSError as error:
            raise exceptions.SandboxError(
                f"Could not create the bay's control groups {self.name}: "
                f"{error}. If this is a container, run it privileged."
            ) from error

    def enter(self, pid: int) -> None:
        """Put a process into the bay's group."""
        self.make()
        self.procs.write_text(str(pid))

    def pids(self) -> set[int]:
        """List the bay's processes, including pods, without the caller."""
        found: set[int] = set()
        for folder in self._folders():
            with contextlib.suppress(OSError):
                text = (folder / "cgroup.procs").read_text()
                found.update(map(int, text.split()))
        return found - {os.getpid()}

    def kill(self, deadline_s: float) -> None:
        """Kill every process of the bay until none is left.

        :raises DeadlineExceeded: if a process outlives the deadline
        """

        def empty() -> bool | None:
            left = self.pids()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            return None if left else True

        waiting.wait_for(
            empty,
            what=f"the processes of the control group {self.name} to end",
            deadline_s=deadline_s,
            interval_s=0.02,
            progress=lambda: f"left: {sorted(self.pids())}",
        )

    def remove(self, deadline_s: float) -> None:
        """Remove the bay's groups and their empty parents.

        :raises DeadlineExceeded: if a group can't be removed
        """

        def gone() -> bool | None:
            for folder in self._folders():
                with contextlib.suppress(OSError):
                    folder.rmdir()
            return None if any(self._folders()) else True

        waiting.wait_for(
            gone,
            what=f"the control groups {self.name} to be removed",
            deadline_s=deadline_s,
            interval_s=0.05,
            progress=lambda: f"left: {', '.join(map(str, self._folders()))}",
        )
        for hierarchy in self._all:
            for parent in list(Path(self.name).parents)[:-1]:
                with contextlib.suppress(OSError):
                    (hierarchy.root / parent).rmdir()

    @property
    def _first(self) -> list[Hierarchy]:
        return [h for h in self._hierarchies if h.version == 1]

    def _folders(self) -> Iterator[Path]:
        """List the bay's groups, children before their parents.

        runc creates groups for pods in every hierarchy, used or not.
        """
        for hierarchy in self._all:
            walk = os.walk(hierarchy.root / self.name, topdown=False)
            yield from (Path(folder) for folder, _, _ in walk)


def _hierarchies() -> list[Hierarchy]:
    return parse_hierarchies(Path("/proc/self/mountinfo").read_text())


def _controllers(root: Path) -> frozenset[str]:
    with contextlib.suppress(OSError):
        return frozenset((root / "cgroup.controllers").read_text().split())
    return frozenset()


def _make(hierarchy: Hierarchy, name: str) -> None:
    folder = hierarchy.root
    for part in Path(name).parts:
        parent, folder = folder, folder / part
        if hierarchy.version == 2 and hierarchy.controllers:
            wanted = " ".join(f"+{c}" for c in sorted(hierarchy.controllers))
            (parent / "cgroup.subtree_control").write_text(wanted)
        folder.mkdir(exist_ok=True)
        if "cpuset" in hierarchy.controllers and hierarchy.version == 1:
            _inherit_cpuset(parent, folder)


def _inherit_cpuset(parent: Path, folder: Path) -> None:
    # With version 1, a new group has no CPUs, and so can't get processes.
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = folder / name
        if file.exists() and not file.read_text().strip():
            file.write_text((parent / name).read_text())


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
