"""Stop, cut off, delete and restart the machines of a bay's real nodes.

``machines.json`` contains the desired state of each machine, and the bay's
roster its actual state. :func:`settle` reconciles them. So requests may arrive
faster than they are applied, and a request whose process was killed is not
lost.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay import joining
from rally_magnum_sandbox.bay import launching
from rally_magnum_sandbox.bay import network
from rally_magnum_sandbox.bay import node as bay_node
from rally_magnum_sandbox.bay import roster as bay_roster
from rally_magnum_sandbox.bay import spec as bay_spec

FILE = "machines.json"
OTHERS_DEADLINE_S = 120.0
AT_ONCE = 4
WORDS = {
    ("stopped", True): "powered off",
    ("stopped", False): "started",
    ("cut", True): "cut off from the network",
    ("cut", False): "connected to the network",
    ("deleted", True): "deleted",
}
# Simulates the loss of memory at a reboot: sockets and state in /run, the file
# systems of containers and volumes, and the network namespaces of pods are
# lost. kubelet's folder is on disk and stays.
FORGET = """
set -eu
cut -d ' ' -f 5 /proc/self/mountinfo | tac | while read -r place; do
    case "$place" in
        /run/kubelet) ;;
        /run/*) umount --lazy "$place" ;;
    esac
done
find /run -mindepth 1 -maxdepth 1 ! -name kubelet -exec rm -rf {} +
ip link delete cni0 2>/dev/null || true
"""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """The desired state of a machine.

    :param stopped: powered off
    :param cut: disconnected from the network
    :param deleted: deleted
    """

    stopped: bool = False
    cut: bool = False
    deleted: bool = False

    def fits(self, member: bay_roster.Member) -> bool:
        """Tell whether the actual state matches; a delete is permanent."""
        if self.deleted or member.deleted:
            return member.deleted
        return (self.stopped, self.cut) == (member.stopped, member.cut)


def wanted(folder: Path, number: int) -> Wanted:
    """Read the desired state of a machine.

    :param folder: of the bay
    :param number: of the node
    """
    return Wanted(**files.read_json(folder / FILE).get(str(number), {}))


def want(folder: Path, number: int, **changes: bool) -> None:
    """Change the desired state of a machine.

    The caller must hold a lock against other writers.

    :param folder: of the bay
    :param number: of the node
    :param changes: to the fields of :class:`Wanted`
    """
    changed = dataclasses.replace(wanted(folder, number), **changes)
    everything = files.read_json(folder / FILE)
    everything[str(number)] = dataclasses.asdict(changed)
    files.write_json(folder / FILE, everything)


@dataclasses.dataclass(frozen=True)
class Failed:
    """The real nodes whose machines were made to fail.

    :param unready: names of Node objects that can't be Ready
    :param off: names of namespaces in which nothing should run
    """

    unready: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()

    @classmethod
    def read(cls, spec: bay_spec.BaySpec) -> Failed:
        """Read the actual and desired states of a bay's machines."""
        unready, off = set(), set()
        for member in bay_roster.read(spec.folder).members:
            node = member.node(spec)
            going = wanted(spec.folder, member.number).deleted
            if member.trouble or going:
                unready.add(node.name)
            if member.stopped or member.deleted or going:
                off.add(node.folder.name)
        return cls(frozenset(unready), frozenset(off))


def settle(folder: Path, log: Callable[[str], None]) -> None:
    """Bring a bay's machines to their desired states.

    :param folder: of the bay
    :param log: gets a line for each change
    :raises SandboxError: if a machine fails; the others are still changed
    :raises DeadlineExceeded: if another command keeps the bay locked
    """
    with files.only_one(folder, OTHERS_DEADLINE_S):
        Machines(bay_spec.read_spec(folder), log).work()


class Machines:
    """The machines of a bay, which the caller has locked.

    :param spec: of the bay
    :param log: gets a line for each change
    """

    def __init__(
        self, spec: bay_spec.BaySpec, log: Callable[[str], None]
    ) -> None:
        self._spec = spec
        self._log = log
        self._roster = bay_roster.read(spec.folder)
        self._one_at_a_time = threading.Lock()
        self._group = cgroups.CgroupTree(spec.cgroup)
        self._launcher = launching.Launcher(spec.folder, self._group.procs)
        self._spaces = self._launcher.namespaces()

    def work(self) -> None:
        """Bring all machines to their desired states, a few in parallel.

        :raises SandboxError: with the errors of all failed machines
        """
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            done = [
                pool.submit(self._reconcile, member)
                for member in self._roster.members
            ]
        errors = [error for job in done if (error := job.exception())]
        for error in errors:
            if not isinstance(error, exceptions.ScaleError | OSError):
                raise error
        if errors:
            raise exceptions.SandboxError("; ".join(map(str, errors)))

    def _reconcile(self, member: bay_roster.Member) -> None:
        desired = wanted(self._spec.folder, member.number)
        node = member.node(self._spec)
        if desired.fits(member):
            return
        if desired.deleted:
            self._delete(node)
            return
        if not member.whole:
            # A resize completes or removes this node.
            return
        if desired.stopped and not member.stopped:
            self._stop(node)
        # The link of a stopped machine stays down.
        network.set_link(
            node,
            self._spaces[launching.CONTROL],
            up=not (desired.cut or desired.stopped),
        )
        if desired.cut != member.cut:
            self._note(node, cut=desired.cut)
        if member.stopped and not desired.stopped:
            self._start(node)

    def _delete(self, node: bay_spec.RealNode) -> None:
        self._note(node, whole=False)
        control = self._spaces[launching.CONTROL]
        joining.vanish(self._spec, node, self._launcher, control)
        self._note(node, deleted=True)

    def _stop(self, node: bay_spec.RealNode) -> None:
        """Cut the power, without a graceful shutdown."""
        control = self._spaces[launching.CONTROL]
        network.set_link(node, control, up=False)
        self._kill(node)
        self._note(node, stopped=True)

    def _kill(self, node: bay_spec.RealNode) -> None:
        inside = self._spaces[node.folder.name]
        joining.kill(self._spec, node, inside, spare=inside.pid)

    def _start(self, node: bay_spec.RealNode) -> None:
        """Boot: the disk and the network are kept, the rest is new."""
        inside = self._spaces[node.folder.name]
        # Kill what an interrupted start has left.
        self._kill(node)
        forget = inside.entering("/bin/sh", "-c", FORGET)
        launching.run(*forget, what=f"clear the memory of {node.name}")
        with self._one_at_a_time:
            # Under the lock, because this also removes empty parent groups,
            # which the other nodes share.
            cgroups.CgroupTree(node.cgroup).remove(joining.END_DEADLINE_S)
            self._group.make(node.cgroup)
        components = {
            component.name: component
            for component in self._launcher.components()
            if component.namespace == inside.name
        }
        containerd = components.pop("containerd")
        started = self._launcher.restart(containerd, inside)
        bay_node.wait_for_containerd(started)
        for component in components.values():
            self._launcher.restart(component, inside)
        self._note(node, stopped=False)

    def _note(self, node: bay_spec.RealNode, **changes: bool) -> None:
        with self._one_at_a_time:
            self._roster = self._roster.with_state(node.number, **changes)
            bay_roster.write(self._spec.folder, self._roster)
        for change in changes.items():
            if change in WORDS:
                self._log(f"{node.name} was {WORDS[change]}")
