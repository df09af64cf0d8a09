"""How long a bay may take, by its size.

They are ours: Magnum's own ``create_timeout`` is not honoured by every
driver.  The published runs took 2.5 minutes for 2 nodes and 23 for 1,000,
that is 1.2 s a node on top of the first minutes; the allowance is about
four times that, so that a slow cloud is measured and a stuck one is not
waited for all night.  A task may set others.
"""

from __future__ import annotations

import dataclasses

_BASE_S = 600.0
_CREATE_S_PER_NODE = 5.0
_DELETE_S_PER_NODE = 3.0
_READY_S_PER_NODE = 2.0
_RESIZE_S_PER_NODE = 5.0
_DRAIN_S_PER_NODE = 10.0


def create_s(nodes: int) -> float:
    """Return our deadline for CREATE_COMPLETE."""
    return _BASE_S + _CREATE_S_PER_NODE * nodes


def delete_s(nodes: int) -> float:
    """Return our deadline for a bay to be gone from Magnum."""
    return _BASE_S + _DELETE_S_PER_NODE * nodes


def nodes_ready_s(nodes: int) -> float:
    """Return our deadline for every node to be Ready."""
    return _BASE_S + _READY_S_PER_NODE * nodes


def resize_s(changed: int) -> float:
    """Return our deadline for UPDATE_COMPLETE, by the nodes that change."""
    return _BASE_S + _RESIZE_S_PER_NODE * changed


def drain_s(nodes: int) -> float:
    """Return our deadline for so many nodes to be empty."""
    return _BASE_S + _DRAIN_S_PER_NODE * nodes


class _AboveZero:
    """Refuses a deadline that can't be right."""

    def __post_init__(self) -> None:
        given = dataclasses.asdict(self)  # type: ignore[call-overload]
        for name, seconds in given.items():
            if seconds is not None and not seconds > 0:
                raise ValueError(
                    f"deadlines: {name} is {seconds}, and must be more than "
                    "0 seconds"
                )


@dataclasses.dataclass(frozen=True)
class Deadlines(_AboveZero):
    """The deadlines of one bay; None stands for ours, by its nodes.

    :param create_s: from the create request to CREATE_COMPLETE
    :param nodes_ready_s: from CREATE_COMPLETE to the last node Ready
    :param delete_s: from the delete request until Magnum has lost the bay
    :raises ValueError: for one that is not above zero
    """

    create_s: float | None = None
    nodes_ready_s: float | None = None
    delete_s: float | None = None

    def for_create(self, nodes: int) -> float:
        """Return the seconds that a create may take."""
        return _set(self.create_s, create_s(nodes))

    def for_nodes_ready(self, nodes: int) -> float:
        """Return the seconds until every node must be Ready."""
        return _set(self.nodes_ready_s, nodes_ready_s(nodes))

    def for_delete(self, nodes: int) -> float:
        """Return the seconds that a delete may take."""
        return _set(self.delete_s, delete_s(nodes))


@dataclasses.dataclass(frozen=True)
class ResizeDeadlines(_AboveZero):
    """The deadlines of one resize; None stands for ours, by its nodes.

    :param resize_s: from the resize request to UPDATE_COMPLETE
    :param settle_s: from then to the last node Ready or gone
    :param drain_s: to empty nodes before
    :raises ValueError: for one that is not above zero
    """

    resize_s: float | None = None
    settle_s: float | None = None
    drain_s: float | None = None

    def for_resize(self, changed: int) -> float:
        """Return the seconds that a resize may take.

        :param changed: nodes that come or go
        """
        return _set(self.resize_s, resize_s(changed))

    def for_drain(self, nodes: int) -> float:
        """Return the seconds until the pods of some nodes must be gone."""
        return _set(self.drain_s, drain_s(nodes))

    def for_settle(self, changed: int) -> float:
        """Return the seconds until every node must be Ready or gone."""
        return _set(self.settle_s, nodes_ready_s(changed))


def _set(seconds: float | None, ours: float) -> float:
    return ours if seconds is None else float(seconds)


OURS = Deadlines()
OURS_TO_RESIZE = ResizeDeadlines()
