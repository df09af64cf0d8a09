"""Check by identity, not by count, that the right nodes came and went."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from collections.abc import Iterable

from rally_magnum_scale.measurement import wording


@dataclasses.dataclass(frozen=True)
class Identity:
    """The identity of a node.

    :param name: of the Node object
    :param uid: of the Node object; a new object with the same name has
        another uid
    :param machine: the provider's id of the machine; empty if unknown
    :param ready: whether the node is Ready
    """

    name: str
    uid: str
    machine: str = ""
    ready: bool = True

    @property
    def place(self) -> str:
        """What stays the same if only the Node object is created again."""
        return self.machine or self.name


@dataclasses.dataclass(frozen=True)
class Change:
    """How the nodes of a bay changed.

    :param added: nodes that were not there before
    :param removed: nodes that are no longer there
    :param stayed: nodes that were there before and after
    :param faults: which nodes are wrong, as sentences without full stops;
        empty if none is.  A wrong number of nodes is no fault here, because
        waiting may solve it
    """

    added: tuple[Identity, ...]
    removed: tuple[Identity, ...]
    stayed: tuple[Identity, ...]
    faults: tuple[str, ...]


def compare(
    before: Iterable[Identity],
    after: Iterable[Identity],
    *,
    wanted: int,
    to_go: Collection[Identity] = (),
) -> Change:
    """Compare the nodes of a bay before and after a change.

    :param before: the nodes before the change
    :param after: the nodes after it
    :param wanted: how many nodes the bay was to have
    :param to_go: the nodes that had to go.  Others may go only if the bay
        shrinks by more than these
    """
    earlier = {node.uid: node for node in before}
    later = {node.uid: node for node in after}
    gone = {node.uid for node in to_go}
    added = [node for uid, node in later.items() if uid not in earlier]
    removed = [node for uid, node in earlier.items() if uid not in later]
    stayed = [later[uid] for uid in earlier if uid in later]
    still = [node for node in stayed if node.uid in gone]
    others = [node for node in removed if node.uid not in gone]
    places = {node.place for node in removed}
    may_go = max(0, len(earlier) - len(gone) - wanted)
    found = (
        (IGNORED, [node for node in still if node.ready]),
        (LEFT, [node for node in still if not node.ready]),
        (STRAYED, others if len(others) > may_go else []),
        (REUSED, [node for node in added if node.place in places]),
    )
    faults = (
        words.format(
            names=wording.few(node.name for node in nodes),
            may_go=may_go or "none",
        )
        for words, nodes in found
        if nodes
    )
    return Change(tuple(added), tuple(removed), tuple(stayed), tuple(faults))


IGNORED = (
    "still there and Ready, though named for removal: {names} (as if the "
    "driver ignored the names)"
)
LEFT = "still there, though named for removal and no longer Ready: {names}"
STRAYED = (
    "removed, though not named: {names} (the driver was free to remove "
    "{may_go} of these)"
)
REUSED = "not new machines, but old ones that joined again: {names}"
