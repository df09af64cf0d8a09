"""How long a bay may take, by its size.

They are ours: Magnum's own ``create_timeout`` is not honoured by every
driver.  The published runs took 2.5 minutes for 2 nodes and 23 for 1,000,
that is 1.2 s a node on top of the first minutes; the allowance is about
four times that, so that a slow cloud is measured and a stuck one is not
waited for all night.
"""

from __future__ import annotations

_BASE_S = 600.0
_CREATE_S_PER_NODE = 5.0
_DELETE_S_PER_NODE = 3.0
_READY_S_PER_NODE = 2.0


def create_s(nodes: int) -> float:
    """Return the deadline for CREATE_COMPLETE."""
    return _BASE_S + _CREATE_S_PER_NODE * nodes


def delete_s(nodes: int) -> float:
    """Return the deadline for a bay to be gone from Magnum."""
    return _BASE_S + _DELETE_S_PER_NODE * nodes


def nodes_ready_s(nodes: int) -> float:
    """Return the deadline for every node to be Ready."""
    return _BASE_S + _READY_S_PER_NODE * nodes
