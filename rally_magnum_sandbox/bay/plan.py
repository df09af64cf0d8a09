"""Decide what a bay's new size means for its nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rally_magnum_sandbox import exceptions

MOST_NAMED = 5


@dataclasses.dataclass(frozen=True)
class DesiredSize:
    """The size that a bay is to come to.

    :param number: of the wish, 1 for a bay's first
    :param node_count: how many nodes are to be there in the end
    :param real_nodes: how many of them should be real
    :param remove: nodes that must go, each by its name, address or uid, or
        by the id of its machine
    :param if_there: the same, of a wish that was not fulfilled; some may
        be gone already
    """

    number: int
    node_count: int
    real_nodes: int
    remove: tuple[str, ...] = ()
    if_there: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Node:
    """A node that is there.

    :param name: of the node
    :param number: in its name
    :param real: it runs containers
    :param uid: of its Node object; empty if that is missing
    :param addresses: that it is reached by
    :param machine: the id of its server; empty if it has none
    """

    name: str
    number: int
    real: bool
    uid: str = ""
    addresses: frozenset[str] = frozenset()
    machine: str = ""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be done.

    :param remove: nodes that go
    :param real: how many real nodes are made
    :param hollow: how many hollow ones
    """

    remove: tuple[Node, ...]
    real: int
    hollow: int


def make(nodes: Sequence[Node], wish: DesiredSize) -> Plan:
    """Find what brings a bay to a size.

    Who is named goes, and is replaced if the size asks for it; then the
    hollow nodes with the highest numbers go, then the real ones.

    :param nodes: that are there
    :param wish: the size
    :raises SandboxError: when a node is named that isn't there
    """
    named = _named(nodes, wish.remove)
    named += [
        node
        for node in nodes
        if node not in named
        and any(_is_called(node, text) for text in wish.if_there)
    ]
    kept = [node for node in nodes if node not in named]
    kept.sort(key=lambda node: (not node.real, node.number))
    surplus = kept[wish.node_count :]
    kept = kept[: wish.node_count]
    missing = wish.node_count - len(kept)
    lost = wish.real_nodes - sum(node.real for node in kept)
    real = min(missing, max(0, lost))
    return Plan((*named, *surplus), real, missing - real)


def without(wish: DesiredSize, gone: Sequence[Node]) -> DesiredSize:
    """Take out of a wish what was to go and is gone already.

    :param gone: nodes whose machines were deleted, or were half removed
    """
    remove = [
        text
        for text in wish.remove
        if not any(_is_called(node, text) for node in gone)
    ]
    return dataclasses.replace(wish, remove=tuple(remove))


def _named(nodes: Sequence[Node], wanted: Sequence[str]) -> list[Node]:
    found: list[Node] = []
    for text in wanted:
        fits = [node for node in nodes if _is_called(node, text)]
        if len(fits) != 1:
            raise exceptions.SandboxError(_complaint(nodes, text, len(fits)))
        found += [node for node in fits if node not in found]
    return found


def _is_called(node: Node, text: str) -> bool:
    names = {node.name, node.uid, node.machine, *node.addresses}
    return bool(text) and text in names


def _complaint(nodes: Sequence[Node], text: str, fits: int) -> str:
    if fits:
        return (
            f"The node to remove {text!r} is the address of {fits} nodes of "
            "the bay; name one by its name or uid."
        )
    names = [node.name for node in nodes]
    more = ", …" if len(names) > MOST_NAMED else ""
    return (
        f"The node to remove {text!r} is no node of the bay; name one by its "
        "name, address, uid or machine (the bay has "
        f"{', '.join(names[:MOST_NAMED]) or 'none'}{more})."
    )
