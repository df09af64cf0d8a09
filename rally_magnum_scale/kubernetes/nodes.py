"""The nodes of a bay: Ready or not, hollow or real, with how many cores."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.kubernetes import client
from rally_magnum_scale.kubernetes import quantity
from rally_magnum_scale.kubernetes import watching

# KWOK's own mark of a node that no machine stands behind.
HOLLOW_ANNOTATION = "kwok.x-k8s.io/node"

_CONTROL_PLANE_LABELS = frozenset(
    (
        "node-role.kubernetes.io/control-plane",
        "node-role.kubernetes.io/master",
    )
)


@dataclasses.dataclass(frozen=True)
class Node:
    """What the package knows of one node.

    :param cores: allocatable cores
    """

    name: str
    ready: bool
    hollow: bool
    cores: float


def wait_for_ready(
    cluster: client.Cluster,
    count: int,
    *,
    deadline_s: float,
    report: Callable[[str], None] | None = None,
) -> list[Node]:
    """Wait, by watch, until a number of nodes is Ready.

    Nodes of the control plane are not counted: Magnum's ``node_count``
    leaves them out.

    :param count: how many nodes must be Ready
    :param deadline_s: seconds after which the wait is given up
    :param report: gets lines of progress
    :returns: the nodes, without the control plane
    :raises DeadlineExceeded: with the number that was Ready
    :raises KubernetesError: when the API refuses
    """
    ready = 0

    def judge(seen: Mapping[str, Mapping[str, Any]]) -> list[Node] | None:
        # Runs at each event, over all nodes: parsing waits until the end.
        nonlocal ready
        ready = sum(
            _counts(item) and _is_ready(item) for item in seen.values()
        )
        return read_nodes(seen) if ready >= count else None

    return watching.wait_until(
        judge,
        cluster.core.list_node,
        what=f"{count} nodes to be Ready",
        deadline_s=deadline_s,
        progress=lambda: f"{ready} of {count} Ready",
        report=report,
    )


def read_nodes(items: Mapping[str, Mapping[str, Any]]) -> list[Node]:
    """Return the nodes outside the control plane, from the API's objects."""
    return [_read(item) for item in items.values() if _counts(item)]


def _counts(item: Mapping[str, Any]) -> bool:
    """Tell whether a node is outside the control plane."""
    return _CONTROL_PLANE_LABELS.isdisjoint(item["metadata"].get("labels", ()))


def _is_ready(item: Mapping[str, Any]) -> bool:
    for condition in item.get("status", {}).get("conditions", ()):
        if condition["type"] == "Ready":
            return bool(condition["status"] == "True")
    return False


def _read(item: Mapping[str, Any]) -> Node:
    status = item.get("status", {})
    return Node(
        name=item["metadata"]["name"],
        ready=_is_ready(item),
        hollow=HOLLOW_ANNOTATION in item["metadata"].get("annotations", {}),
        cores=quantity.cores(status.get("allocatable", {}).get("cpu", "0")),
    )


def real(nodes: list[Node]) -> list[Node]:
    """Return the nodes that a machine stands behind.

    :raises KubernetesError: when there is none to run a load on
    """
    found = [node for node in nodes if not node.hollow]
    if not found:
        raise exceptions.KubernetesError(
            f"All {len(nodes)} nodes of the bay are hollow: a load needs at "
            "least one real node (label sandbox_real_nodes of the template)."
        )
    return found
