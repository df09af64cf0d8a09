"""Plan which nodes a resize removes and creates."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rally_magnum_sandbox import exceptions

MOST_NAMED = 5


@dataclasses.dataclass(frozen=True)
class DesiredSize:
    """The desired size of a bay.

    :param number: counts a bay's desired sizes from 1
    :param node_count: final number of nodes
    :param real_nodes: desired number of real nodes among them
    :param remove: nodes that must be removed, each identified by its name,
        address, uid or the id of its machine
    :param if_there: the same, from a resize that was not finished; some of
        these nodes may already be removed
    """

    number: int
    node_count: int
    real_nodes: int
    remove: tuple[str, ...] = ()
    if_there: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Node:
    """An existing node.

    :param name: of the node
    :param number: the number in its name
    :param real: whether it runs containers
    :param uid: of its Node object; empty if that is missing
    :param addresses: of its Node object
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
    """The changes of a resize.

    :param remove: nodes to remove
    :param real: number of real nodes to create
    :param hollow: number of hollow nodes to create
    """

    remove: tuple[Node, ...]
    real: int
    hollow: int


def make(nodes: Sequence[Node], desired: DesiredSize) -> Plan:
    """Plan how to bring a bay to a size.

    Nodes are removed in this order: the listed nodes, the hollow nodes with
    the highest numbers, the real nodes. Listed nodes are replaced if the size
    requires it.

    :param nodes: the existing nodes
    :param desired: the desired size
    :raises SandboxError: if a listed node does not exist
    """
    named = _named(nodes, desired.remove)
    named += [
        node
        for node in nodes
        if node not in named
        and any(_is_called(node, text) for text in desired.if_there)
    ]
    kept = [node for node in nodes if node not in named]
    kept.sort(key=lambda node: (not node.real, node.number))
    surplus = kept[desired.node_count :]
    kept = kept[: desired.node_count]
    missing = desired.node_count - len(kept)
    lost = desired.real_nodes - sum(node.real for node in kept)
    real = min(missing, max(0, lost))
    return Plan((*named, *surplus), real, missing - real)


def without(desired: DesiredSize, gone: Sequence[Node]) -> DesiredSize:
    """Drop nodes that are already removed from the nodes to remove.

    :param gone: nodes whose machines were deleted, or whose removal was
        interrupted
    """
    remove = [
        text
        for text in desired.remove
        if not any(_is_called(node, text) for node in gone)
    ]
    return dataclasses.replace(desired, remove=tuple(remove))


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
            "the bay. Use the name or uid of a node."
        )
    names = [node.name for node in nodes]
    more = ", …" if len(names) > MOST_NAMED else ""
    return (
        f"The node to remove {text!r} is not in the bay. Use the name, "
        "address, uid or machine of a node (the bay has "
        f"{', '.join(names[:MOST_NAMED]) or 'no nodes'}{more})."
    )
