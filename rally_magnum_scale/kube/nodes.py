"""Read the nodes of a bay, and wait until they are Ready."""

from __future__ import annotations

import dataclasses
import datetime
import time
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from kubernetes.utils import quantity

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import watching
from rally_magnum_scale.measurement import staleness

# Ends of the keys of taints that a new node has until its cloud provider
# (node.cloudprovider.kubernetes.io) or Cluster API (node.cluster.x-k8s.io)
# knows it.  It takes no pods before, even if it is Ready.
_UNINITIALIZED = "/uninitialized"

# KWOK's annotation of a node without a machine.
HOLLOW_ANNOTATION = "kwok.x-k8s.io/node"

_CONTROL_PLANE_LABELS = frozenset(
    (
        "node-role.kubernetes.io/control-plane",
        "node-role.kubernetes.io/master",
    )
)


@dataclasses.dataclass(frozen=True)
class Node:
    """A node of a bay.

    :param hollow: whether KWOK simulates the node without a machine
    :param cores: allocatable cores
    :param ready_at: epoch seconds, by the bay's clock, since when the node
        is Ready; None while it is not Ready
    :param seen_ready_at: monotonic seconds at which the node was first seen
        Ready since ``ready_at``; None if the node was not watched
    :param unready_at: monotonic seconds at which the node was certainly not
        Ready; None if it was never seen not Ready
    :param created_at: epoch seconds, by the API server's clock, at which
        the Node object was created
    :param cores_set_apart: cores that are reserved and not allocatable
    :param uid: of the Node object
    :param machine: the provider's id of the machine, or an empty string
    :param address: internal IP address, or an empty string
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
        """Cores of the machine, by which published rates are divided."""
        return self.cores + self.cores_set_apart


def wait_for_ready(
    cluster: client.KubeClient,
    count: int,
    *,
    deadline_s: float,
    log: Callable[[str], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Node]:
    """Wait, by watch, until a number of nodes is Ready.

    Nodes of the control plane are not counted, as in Magnum's ``node_count``.

    :param count: number of nodes that must be Ready
    :param deadline_s: seconds after which the wait ends
    :param log: callback for progress lines
    :param clock: monotonic seconds, of ``seen_ready_at`` and ``unready_at``
    :returns: the nodes, without the control plane
    :raises DeadlineExceeded: with the number of Ready nodes
    :raises KubernetesError: when the API refuses
    """
    stale = staleness.Staleness()
    tally = _Tally(clock, stale)

    def judge(seen: Mapping[str, Mapping[str, Any]]) -> list[Node] | None:
        tally.update(seen)
        return tally.read(seen) if len(tally.ready) >= count else None

    return watching.wait_until(
        judge,
        cluster.core.list_node,
        what=f"{count} nodes to be Ready",
        deadline_s=deadline_s,
        progress=lambda: f"{len(tally.ready)} of {count} Ready",
        log=log,
        staleness=stale,
        clock=clock,
    )


# For a node without a time stamp and a time at which it was first seen.
_NEVER = (None, None)


class _Tally:
    """The Ready nodes, and when each was first seen Ready.

    A large bay has thousands of events, so each update only processes the
    nodes that have changed.
    """

    def __init__(
        self, clock: Callable[[], float], stale: staleness.Staleness
    ) -> None:
        self._clock = clock
        self._stale = stale
        self._judged: dict[str, Mapping[str, Any]] = {}
        # The time stamp of each node's Ready condition, and when that stamp
        # was first seen.
        self._seen_ready: dict[str, tuple[str | None, float]] = {}
        # When each node was last known to be Ready by its condition alone.
        self._uninitialized_at: dict[str, float] = {}
        # A node that is not Ready in the first list was not Ready when the
        # list was requested.
        self._began_at = clock()
        self._ready_at_first: frozenset[str] | None = None
        self.ready: set[str] = set()

    def update(self, seen: Mapping[str, Mapping[str, Any]]) -> None:
        """Process the current nodes."""
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
        """Return the nodes with the times at which they became Ready."""
        return [self._with_times(node) for node in read_nodes(seen)]

    def _with_times(self, node: Node) -> Node:
        seen_ready_at = self._seen_ready.get(node.name, _NEVER)[1]
        ready_at = node.ready_at
        unready_at = self._uninitialized_at.get(node.name)
        if unready_at is not None:
            # No time stamp tells when it was initialized.
            ready_at = None
        elif node.name not in (self._ready_at_first or ()):
            unready_at = self._began_at
        return dataclasses.replace(
            node,
            ready_at=ready_at,
            seen_ready_at=seen_ready_at,
            unready_at=unready_at,
        )

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
            if _has_ready_condition(item):
                # A watch that broke off may report it late.
                self._uninitialized_at[name] = max(
                    self._began_at, self._stale.not_before
                )


def read_nodes(items: Mapping[str, Mapping[str, Any]]) -> list[Node]:
    """Convert the API's objects outside the control plane to nodes."""
    return [_read(item) for item in items.values() if counts(item)]


def counts(item: Mapping[str, Any]) -> bool:
    """Return whether one of the API's objects is outside the control plane."""
    return _CONTROL_PLANE_LABELS.isdisjoint(item["metadata"].get("labels", ()))


def is_ready(item: Mapping[str, Any]) -> bool:
    """Return whether one of the API's objects is a Ready node.

    A node that waits to be initialized takes no pods, so it is not Ready.
    """
    return _has_ready_condition(item) and not any(
        taint["key"].endswith(_UNINITIALIZED)
        for taint in item.get("spec", {}).get("taints", ())
    )


def _has_ready_condition(item: Mapping[str, Any]) -> bool:
    return _ready_condition(item).get("status") == "True"


def _ready_condition(item: Mapping[str, Any]) -> Mapping[str, Any]:
    for condition in item.get("status", {}).get("conditions", ()):
        if condition["type"] == "Ready":
            return condition  # type: ignore[no-any-return]
    return {}


def _cores(cpu: str) -> float:
    return float(quantity.parse_quantity(cpu))


def _read(item: Mapping[str, Any]) -> Node:
    status = item.get("status", {})
    ready = is_ready(item)
    cores = _cores(status.get("allocatable", {}).get("cpu", "0"))
    capacity = status.get("capacity", {}).get("cpu")
    return Node(
        name=item["metadata"]["name"],
        ready=ready,
        hollow=HOLLOW_ANNOTATION in item["metadata"].get("annotations", {}),
        cores=cores,
        cores_set_apart=_cores(capacity) - cores if capacity else 0.0,
        ready_at=_changed_at(_ready_condition(item)) if ready else None,
        created_at=_epoch_s(item["metadata"].get("creationTimestamp")),
        uid=item["metadata"].get("uid", ""),
        machine=item.get("spec", {}).get("providerID", ""),
        address=_address(status),
    )


def _address(status: Mapping[str, Any]) -> str:
    for address in status.get("addresses", ()):
        if address["type"] == "InternalIP":
            return str(address["address"])
    return ""


def _changed_at(condition: Mapping[str, Any]) -> float | None:
    return _epoch_s(condition.get("lastTransitionTime"))


def _epoch_s(stamp: str | None) -> float | None:
    if not stamp:
        return None
    return datetime.datetime.fromisoformat(stamp).timestamp()


def real(nodes: list[Node]) -> list[Node]:
    """Return the nodes that run on a machine.

    :raises KubernetesError: when there is no such node for a load
    """
    found = [node for node in nodes if not node.hollow]
    if not found:
        raise exceptions.KubernetesError(
            f"All {len(nodes)} nodes of the bay are hollow, but a load needs "
            "at least one real node; set the label sandbox_real_nodes of the "
            "template."
        )
    return found
