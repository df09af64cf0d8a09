"""Deadlines of bay operations, by the number of nodes.

The package enforces them itself because not every driver honours Magnum's
``create_timeout``.  The published runs took 2.5 minutes for 2 nodes and 23
minutes for 1,000 nodes, which is 1.2 s per node on top of the first minutes.
The default deadlines allow about four times as long: a slow cloud can
finish, and a stuck cloud does not block the run all night.  A task can
override them.
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
    """Return the default deadline for CREATE_COMPLETE, in seconds."""
    return _BASE_S + _CREATE_S_PER_NODE * nodes


def delete_s(nodes: int) -> float:
    """Return the default deadline for Magnum to delete a bay, in seconds."""
    return _BASE_S + _DELETE_S_PER_NODE * nodes


def nodes_ready_s(nodes: int) -> float:
    """Return the default deadline for all nodes to be Ready, in seconds."""
    return _BASE_S + _READY_S_PER_NODE * nodes


def resize_s(changed: int) -> float:
    """Return the default deadline for UPDATE_COMPLETE, in seconds.

    :param changed: number of nodes that are added or removed
    """
    return _BASE_S + _RESIZE_S_PER_NODE * changed


def drain_s(nodes: int) -> float:
    """Return the default deadline for draining nodes, in seconds."""
    return _BASE_S + _DRAIN_S_PER_NODE * nodes


class _Positive:
    """Refuses deadlines that are not positive."""

    def __post_init__(self) -> None:
        given = dataclasses.asdict(self)  # type: ignore[call-overload]
        for name, seconds in given.items():
            if seconds is not None and not seconds > 0:
                raise ValueError(
                    f"deadlines: {name} is {seconds}, but it must be more "
                    "than 0 seconds"
                )


@dataclasses.dataclass(frozen=True)
class Deadlines(_Positive):
    """The deadlines of one bay; None means the default for its size.

    :param create_s: from the create request to CREATE_COMPLETE
    :param nodes_ready_s: from CREATE_COMPLETE until the last node is Ready
    :param delete_s: from the delete request until the bay is gone from
        Magnum
    :raises ValueError: when a deadline is not above zero
    """

    create_s: float | None = None
    nodes_ready_s: float | None = None
    delete_s: float | None = None

    def for_create(self, nodes: int) -> float:
        """Return the deadline for CREATE_COMPLETE, in seconds."""
        return _or_default(self.create_s, create_s(nodes))

    def for_nodes_ready(self, nodes: int) -> float:
        """Return the deadline for all nodes to be Ready, in seconds."""
        return _or_default(self.nodes_ready_s, nodes_ready_s(nodes))

    def for_delete(self, nodes: int) -> float:
        """Return the deadline for Magnum to delete the bay, in seconds."""
        return _or_default(self.delete_s, delete_s(nodes))


@dataclasses.dataclass(frozen=True)
class ResizeDeadlines(_Positive):
    """The deadlines of one resize; None means the default for its size.

    :param resize_s: from the resize request to UPDATE_COMPLETE
    :param settle_s: from UPDATE_COMPLETE until the last node is Ready or
        gone
    :param drain_s: for draining nodes before the resize request
    :raises ValueError: when a deadline is not above zero
    """

    resize_s: float | None = None
    settle_s: float | None = None
    drain_s: float | None = None

    def for_resize(self, changed: int) -> float:
        """Return the deadline for UPDATE_COMPLETE, in seconds.

        :param changed: number of nodes that are added or removed
        """
        return _or_default(self.resize_s, resize_s(changed))

    def for_drain(self, nodes: int) -> float:
        """Return the deadline for draining nodes, in seconds."""
        return _or_default(self.drain_s, drain_s(nodes))

    def for_settle(self, changed: int) -> float:
        """Return the deadline for all nodes to be Ready or gone.

        :param changed: number of nodes that are added or removed
        """
        return _or_default(self.settle_s, nodes_ready_s(changed))


def _or_default(seconds: float | None, default: float) -> float:
    return default if seconds is None else float(seconds)


DEFAULT = Deadlines()
DEFAULT_RESIZE = ResizeDeadlines()
