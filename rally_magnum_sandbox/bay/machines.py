"""Let the machines of a bay's real nodes fail, and mend them again.

What is wanted of each is in ``machines.json``, what was done in the bay's
roster; :func:`settle` does what is missing.  So orders may come faster
than they are carried out, and one whose process was killed is not lost.
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
# What a machine's memory held is gone when it is started again: sockets and
# states in /run, the file systems of containers and volumes, the network
# namespaces of pods.  kubelet's folder is on its disk.
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
    """What is to become of a machine.

    :param stopped: it is to be powered off
    :param cut: it is to be off the network
    :param deleted: it is to be gone
    """

    stopped: bool = False
    cut: bool = False
    deleted: bool = False

    def fits(self, member: bay_roster.Member) -> bool:
        """Tell whether it has become of it; once deleted is for ever."""
        if self.deleted or member.deleted:
            return member.deleted
        return (self.stopped, self.cut) == (member.stopped, member.cut)


def wanted(folder: Path, number: int) -> Wanted:
    """Read what is to become of a machine.

    :param folder: of the bay
    :param number: of the node
    """
    return Wanted(**files.read_json(folder / FILE).get(str(number), {}))


def want(folder: Path, number: int, **changes: bool) -> None:
    """Write down what is to become of a machine.

    The caller keeps out who else would write.

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
    """The real nodes that are not meant to work.

    :param unready: names of Node objects that can't be Ready
    :param off: names of namespaces in which nothing is to run
    """

    unready: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()

    @classmethod
    def read(cls, spec: bay_spec.BaySpec) -> Failed:
        """Look at a bay's roster, and at what is wanted."""
        unready, off = set(), set()
        for member in bay_roster.read(spec.folder).members:
            node = spec.node(member.number, member.slot)
            going = wanted(spec.folder, member.number).deleted
            if member.trouble or going:
                unready.add(node.name)
            if member.stopped or member.deleted or going:
                off.add(node.folder.name)
        return cls(frozenset(unready), frozenset(off))


def settle(folder: Path, report: Callable[[str], None]) -> None:
    """Bring a bay's machines to what is wanted of them.

    :param folder: of the bay
    :param report: gets a line for each change
    :raises SandboxError: when one can't be brought there; the others are
    :raises DeadlineExceeded: when another command does not leave the bay
    """
    with files.only_one(folder, OTHERS_DEADLINE_S):
        Machines(bay_spec.read_spec(folder), report).work()


class Machines:
    """The machines of a bay, while nobody else works on it.

    :param spec: of the bay
    :param report: gets a line for each change
    """

    def __init__(
        self, spec: bay_spec.BaySpec, report: Callable[[str], None]
    ) -> None:
        self._spec = spec
        self._report = report
        self._roster = bay_roster.read(spec.folder)
        self._one_at_a_time = threading.Lock()
        self._group = cgroups.CgroupTree(spec.cgroup)
        self._launcher = launching.Launcher(spec.folder, self._group.procs)
        self._spaces = self._launcher.namespaces()

    def work(self) -> None:
        """Do what is missing, on a few machines at once.

        :raises SandboxError: naming what failed
        """
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            done = [
                pool.submit(self._bring, member)
                for member in self._roster.members
            ]
        errors = [error for each in done if (error := each.exception())]
        for error in errors:
            if not isinstance(error, exceptions.ScaleError | OSError):
                raise error
        if errors:
            raise exceptions.SandboxError("; ".join(map(str, errors)))

    def _bring(self, member: bay_roster.Member) -> None:
        wish = wanted(self._spec.folder, member.number)
        node = self._spec.node(member.number, member.slot)
        if wish.fits(member):
            return
        if wish.deleted:
            self._delete(node)
            return
        if not member.whole:
            # A resize is to make it, or to take it away.
            return
        if wish.stopped and not member.stopped:
            self._stop(node)
        # A machine that is off has no link to speak of.
        network.set_link(
            node,
            self._spaces[launching.CONTROL],
            up=not (wish.cut or wish.stopped),
        )
        if wish.cut != member.cut:
            self._note(node, cut=wish.cut)
        if member.stopped and not wish.stopped:
            self._start(node)

    def _delete(self, node: bay_spec.RealNode) -> None:
        self._note(node, whole=False)
        control = self._spaces[launching.CONTROL]
        joining.vanish(self._spec, node, self._launcher, control)
        self._note(node, deleted=True)

    def _stop(self, node: bay_spec.RealNode) -> None:
        """Cut the power: nothing of it says good-bye."""
        control = self._spaces[launching.CONTROL]
        network.set_link(node, control, up=False)
        self._end(node)
        self._note(node, stopped=True)

    def _end(self, node: bay_spec.RealNode) -> None:
        inside = self._spaces[node.folder.name]
        joining.kill(self._spec, node, inside, spare=inside.pid)

    def _start(self, node: bay_spec.RealNode) -> None:
        """Boot: its disk and its network are there, all else is new."""
        inside = self._spaces[node.folder.name]
        # Of a start that was killed.
        self._end(node)
        forget = inside.entering("/bin/sh", "-c", FORGET)
        launching.run(*forget, what=f"empty the memory of {node.name}")
        with self._one_at_a_time:
            # Empty parents go too, which are those of the others.
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
                self._report(f"{node.name} was {WORDS[change]}")
