"""Follow the addition and removal of a bay's nodes by one watch."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import following
from rally_magnum_scale.kube import nodes
from rally_magnum_scale.measurement import staleness


@dataclasses.dataclass(frozen=True)
class Settled:
    """The nodes in the wanted state.

    :param nodes: all nodes
    :param observed: when the wanted state was reached
    :param ready: when each new node was first seen Ready, by uid
    """

    nodes: tuple[nodes.Node, ...]
    observed: staleness.ObservedTime
    ready: Mapping[str, staleness.ObservedTime]


class NodeChangeFollower(following.Follower):
    """Observes every change of the nodes, with its time.

    It uses one list and one watch, which is resumed when it breaks off.  The
    number of requests does not grow with the number of nodes.

    :param cluster: the open Kubernetes API of the bay
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        cluster: client.KubeClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("nodes", cluster.core.list_node, clock=clock)
        # Uids of nodes: outside the control plane, Ready, first seen Ready.
        self._counted: set[str] = set()
        self._ready: set[str] = set()
        self._first_ready: dict[str, staleness.ObservedTime] = {}
        self._wanted: int | None = None
        self._earlier: frozenset[str] = frozenset()
        self._to_go: frozenset[str] = frozenset()
        self._settled: staleness.ObservedTime | None = None

    def expect(self, wanted: int, to_go: Collection[str] = ()) -> None:
        """Set the wanted state before the change is requested.

        :param wanted: wanted number of nodes
        :param to_go: uids of the nodes to remove
        """
        with self._lock:
            self._wanted = wanted
            self._earlier = frozenset(self._counted)
            self._to_go = frozenset(to_go)
            self._settled = None
            self._judge(staleness.ObservedTime(self._clock()))

    def settled(self) -> Settled | None:
        """Return the nodes if they are in the wanted state, else None.

        :raises KubernetesError: when the nodes can no longer be followed
        """
        self.refuse_error()
        with self._lock:
            if self._settled is None:
                return None
            # Only nodes that exist: one may have come and gone again.
            new = self._counted - self._earlier
            return Settled(
                self._read(),
                self._settled,
                {uid: self._first_ready[uid] for uid in new},
            )

    def progress(self) -> str:
        """Return the progress in words."""
        with self._lock:
            old = len(self._counted & self._to_go)
            return (
                f"{len(self._counted & self._ready)} Ready of "
                f"{len(self._counted)} "
                f"nodes, {self._wanted} wanted"
                + (f", {old} not yet removed" if old else "")
            )

    def ignores(self) -> bool:
        """Return whether all nodes to remove are still there and Ready."""
        with self._lock:
            there = self._counted & self._ready
            return bool(self._to_go) and self._to_go <= there

    def now(self) -> tuple[nodes.Node, ...]:
        """Return the current nodes."""
        with self._lock:
            return self._read()

    def _forget(self, item: Mapping[str, Any]) -> None:
        uid = item["metadata"]["uid"]
        self._counted.discard(uid)
        self._ready.discard(uid)

    def _keep(
        self, item: Mapping[str, Any], observed: staleness.ObservedTime
    ) -> None:
        uid = item["metadata"]["uid"]
        if nodes.counts(item):
            self._counted.add(uid)
        if nodes.is_ready(item):
            self._ready.add(uid)
            self._first_ready.setdefault(uid, observed)

    def _judge(self, observed: staleness.ObservedTime) -> None:
        """Note since when the nodes are in the wanted state."""
        new = self._counted - self._earlier
        if (
            len(self._counted) == self._wanted
            and self._counted.isdisjoint(self._to_go)
            and new <= self._ready
        ):
            if self._settled is None:
                self._settled = observed
        else:
            self._settled = None

    def _read(self) -> tuple[nodes.Node, ...]:
        return tuple(nodes.read_nodes(self._items))
