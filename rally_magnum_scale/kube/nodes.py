"""The nodes of a bay: Ready or not, hollow or real, with how many cores."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import quantity
from rally_magnum_scale.kube import watching

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
    :param ready_at: epoch seconds, by the bay's clock, since when it is
        Ready; None while it is not
    :param seen_ready_at: monotonic seconds at which it was first seen
        Ready since ``ready_at``; None where nobody waited for that
    :param unready_at: monotonic seconds at which it was not Ready for
        certain; None where it was never seen so
    :param created_at: epoch seconds, by the API server's clock, at which
        the Node object was made
    :param cores_set_apart: those that no pod may use
    :param uid: of the Node object
    :param machine: the provider's id of what stands behind it, or an empty
        string
    :param address: that the bay reaches it by, or an empty string
    """

    name: str
    ready: bool
    hollow: bool
    cores: float
    ready_at: float | None = None
    seen_ready_at: float | None = None
    unready_at: float | None = None
    created_at: float | None = None
    cores_set_apart: float = 0.0
    uid: str = ""
    machine: str = ""
    address: str = ""

    @property
    def all_cores(self) -> float:
        """Cores of the machine, as published rates count them."""
        return self.cores + self.cores_set_apart


def wait_for_ready(
    cluster: client.KubeClient,
    count: int,
    *,
    deadline_s: float,
    report: Callable[[str], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Node]:
    """Wait, by watch, until a number of nodes is Ready.

    Nodes of the control plane are not counted: Magnum's ``node_count``
    leaves them out.

    :param count: how many nodes must be Ready
    :param deadline_s: seconds after which the wait is given up
    :param report: gets lines of progress
    :param clock: monotonic seconds, of ``seen_ready_at`` and ``unready_at``
    :returns: the nodes, without the control plane
    :raises DeadlineExceeded: with the number that was Ready
    :raises KubernetesError: when the API refuses
    """
    tally = _Tally(clock)

    def judge(seen: Mapping[str, Mapping[str, Any]]) -> list[Node] | None:
        tally.look(seen)
        return tally.read(seen) if len(tally.ready) >= count else None

    return watching.wait_until(
        judge,
        cluster.core.list_node,
        what=f"{count} nodes to be Ready",
        deadline_s=deadline_s,
        progress=lambda: f"{len(tally.ready)} of {count} Ready",
        report=report,
    )


# In place of a stamp and when it was first seen.
_NEVER = (None, None)


class _Tally:
    """Which nodes are Ready, and when each was first seen so.

    It is asked at each of the thousands of events of a large bay, so it
    looks only at what has changed.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._judged: dict[str, Mapping[str, Any]] = {}
        # The stamp since when each is Ready, and when that was first seen.
        self._seen_ready: dict[str, tuple[str | None, float]] = {}
        # What is not Ready in the first list was not when it was asked for.
        self._began_at = clock()
        self._ready_at_first: frozenset[str] | None = None
        self.ready: set[str] = set()

    def look(self, seen: Mapping[str, Mapping[str, Any]]) -> None:
        """Take in the nodes as they are now."""
        now = self._clock()
        for name, item in seen.items():
            if self._judged.get(name) is not item:
                self._judge(name, item, now)
        for name in self._judged.keys() - seen.keys():
            del self._judged[name]
            self.ready.discard(name)
        if self._ready_at_first is None:
            self._ready_at_first = frozenset(self.ready)

    def read(self, seen: Mapping[str, Mapping[str, Any]]) -> list[Node]:
        """Return the nodes, with the times at which they were Ready."""
        at_first = self._ready_at_first or frozenset()
        return [
            dataclasses.replace(
                node,
                seen_ready_at=self._seen_ready.get(node.name, _NEVER)[1],
                unready_at=None if node.name in at_first else self._began_at,
            )
            for node in read_nodes(seen)
        ]

    def _judge(self, name: str, item: Mapping[str, Any], now: float) -> None:
        self._judged[name] = item
        if counts(item) and is_ready(item):
            self.ready.add(name)
            stamp = _ready_condition(item).get("lastTransitionTime")
            known = self._seen_ready.get(name)
            if known is None or known[0] != stamp:
                self._seen_ready[name] = stamp, now
        else:
            self.ready.discard(name)


def read_nodes(items: Mapping[str, Mapping[str, Any]]) -> list[Node]:
    """Return the nodes outside the control plane, from the API's objects."""
    return [_read(item) for item in items.values() if counts(item)]


def counts(item: Mapping[str, Any]) -> bool:
    """Tell whether one of the API's objects is outside the control plane."""
    return _CONTROL_PLANE_LABELS.isdisjoint(item["metadata"].get("labels", ()))


def is_ready(item: Mapping[str, Any]) -> bool:
    """Tell whether one of the API's objects is a node that is Ready."""
    return _ready_condition(item).get("status") == "True"


def _ready_condition(item: Mapping[str, Any]) -> Mapping[str, Any]:
    for condition in item.get("status", {}).get("conditions", ()):
        if condition["type"] == "Ready":
            return condition  # type: ignore[no-any-return]
    return {}


def _read(item: Mapping[str, Any]) -> Node:
    status = item.get("status", {})
    ready = is_ready(item)
    cores = quantity.cores(status.get("allocatable", {}).get("cpu", "0"))
    every = status.get("capacity", {}).get("cpu")
    return Node(
        name=item["metadata"]["name"],
        ready=ready,
        hollow=HOLLOW_ANNOTATION in item["metadata"].get("annotations", {}),
        cores=cores,
        cores_set_apart=quantity.cores(every) - cores if every else 0.0,
        ready_at=_changed_at(_ready_condition(item)) if ready else None,
        created_at=_epoch_s(item["metadata"].get("creationTimestamp")),
        uid=item["metadata"].get("uid", ""),
        machine=item.get("spec", {}).get("providerID", ""),
        address=_address(status),
    )


def _address(status: Mapping[str, Any]) -> str:
    for one in status.get("addresses", ()):
        if one["type"] == "InternalIP":
            return str(one["address"])
    return ""


def _changed_at(condition: Mapping[str, Any]) -> float | None:
    return _epoch_s(condition.get("lastTransitionTime"))


def _epoch_s(stamp: str | None) -> float | None:
    if not stamp:
        return None
    return datetime.datetime.fromisoformat(stamp).timestamp()


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
