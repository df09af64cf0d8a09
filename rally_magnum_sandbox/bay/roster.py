"""The list of a bay's nodes, in a file that survives killed commands."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay import spec as bay_spec

FILE = "nodes.json"


@dataclasses.dataclass(frozen=True)
class Member:
    """A real node of a bay.

    :param number: the number in its name; never reused
    :param slot: the number in its addresses; reused
    :param whole: whether its create has completed and no removal has begun
    :param stopped: whether its machine is powered off
    :param cut: whether its machine is disconnected from the network
    :param deleted: whether its machine was deleted; its Node object stays
        until the next resize
    :param name: of its Node object; empty for the name with its number
    """

    number: int
    slot: int
    whole: bool = False
    stopped: bool = False
    cut: bool = False
    deleted: bool = False
    name: str = ""

    def node(self, spec: bay_spec.BaySpec) -> bay_spec.RealNode:
        """Return the node with its name, addresses and folder."""
        return spec.node(self.number, self.slot, self.name)

    @property
    def trouble(self) -> str:
        """Why its machine can't be Ready, in words; empty if it can."""
        if self.deleted:
            return "deleted"
        if self.stopped:
            return "stopped"
        return "cut off" if self.cut else ""


@dataclasses.dataclass(frozen=True)
class Roster:
    """The real nodes, and the next unused numbers.

    Only the Kubernetes API lists the hollow nodes.

    :param members: the real nodes, including incomplete ones
    :param next_real: the next real node's number
    :param next_hollow: the next hollow node's number
    """

    members: tuple[Member, ...] = ()
    next_real: int = 0
    next_hollow: int = 1

    def with_member(self, name: str = "") -> tuple[Roster, Member]:
        """Add a real node, which is not complete yet.

        :param name: of its Node object; by default one with its number
        :raises SandboxError: if no address is left
        """
        taken = {member.slot for member in self.members}
        slots = bay_spec.MAX_REAL_NODES
        # Take the slot that has been free for the longest time.
        turn = (self.next_real + step for step in range(slots))
        slot = next((x % slots for x in turn if x % slots not in taken), None)
        if slot is None:
            raise exceptions.SandboxError(
                f"A bay can have at most {slots} real nodes. Lower the label "
                "sandbox_real_nodes."
            )
        member = Member(self.next_real, slot, name=name)
        grown = dataclasses.replace(
            self,
            members=(*self.members, member),
            next_real=self.next_real + 1,
        )
        return grown, member

    def with_state(self, number: int, **changes: Any) -> Roster:
        """Change the recorded state of a real node.

        :param changes: to the fields of :class:`Member`
        """
        members = tuple(
            dataclasses.replace(m, **changes) if m.number == number else m
            for m in self.members
        )
        return dataclasses.replace(self, members=members)

    def without(self, number: int) -> Roster:
        """Remove a real node from the roster."""
        members = tuple(m for m in self.members if m.number != number)
        return dataclasses.replace(self, members=members)

    def with_hollow(self, count: int) -> tuple[Roster, range]:
        """Reserve numbers for new hollow nodes."""
        end = self.next_hollow + count
        numbers = range(self.next_hollow, end)
        return dataclasses.replace(self, next_hollow=end), numbers


def of_new_bay(spec: bay_spec.BaySpec) -> Roster:
    """Return the roster of a new bay."""
    roster = Roster()
    for _ in range(spec.real_nodes):
        roster, member = roster.with_member()
        roster = roster.with_state(member.number, whole=True)
    return roster.with_hollow(spec.node_count - spec.real_nodes)[0]


def read(folder: Path) -> Roster:
    """Read a bay's roster.

    :raises SandboxError: if the bay has none
    """
    found = files.read_json(folder / FILE)
    if not found:
        raise exceptions.SandboxError(
            f"The bay in {folder} has no {FILE}, because an earlier version "
            "created it. Delete the bay and create a new one."
        )
    members = tuple(Member(**member) for member in found["members"])
    return Roster(members, found["next_real"], found["next_hollow"])


def write(folder: Path, roster: Roster) -> None:
    """Write a bay's roster."""
    files.write_json(folder / FILE, dataclasses.asdict(roster))
