"""Follow which nodes of a bay come and go, by one watch for all changes."""

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


@dataclasses.dataclass(frozen=True)
class Settled:
    """The nodes when they were as they were to be.

    :param nodes: all of them
    :param at: monotonic seconds since when they are
    :param ready_at: monotonic seconds at which each new node was first
        seen Ready, by uid
    """

    nodes: tuple[nodes.Node, ...]
    at: float
    ready_at: Mapping[str, float]


class Follower(following.Follower):
    """Sees every change of the nodes, with its time.

    It asks the API for one list and one watch, which is taken up again where
    it breaks off: not more often for more nodes.

    :param cluster: the open Kubernetes API of the bay
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        cluster: client.KubeClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("nodes", cluster.core.list_node, clock=clock)
        # What follows from the nodes, by uid.
        self._counted: set[str] = set()
        self._ready: set[str] = set()
        self._first_ready_at: dict[str, float] = {}
        self._wanted: int | None = None
        self._earlier: frozenset[str] = frozenset()
        self._to_go: frozenset[str] = frozenset()
        self._settled_at: float | None = None

    def expect(self, wanted: int, to_go: Collection[str] = ()) -> None:
        """Say what is to become of the nodes, before it is asked for.

        :param wanted: how many there are to be
        :param to_go: uids of those that must not be among them
        """
        with self._lock:
            self._wanted = wanted
            self._earlier = frozenset(self._counted)
            self._to_go = frozenset(to_go)
            self._settled_at = None
            self._judge(self._clock())

    def settled(self) -> Settled | None:
        """Return the nodes if they are as they are to be, else None.

        :raises KubernetesError: when they can't be followed any more
        """
        self.refuse_error()
        with self._lock:
            if self._settled_at is None:
                return None
            # Those of an earlier change may be gone by now.
            new = self._counted - self._earlier
            return Settled(
                self._read(),
                self._settled_at,
                {uid: self._first_ready_at[uid] for uid in new},
            )

    def progress(self) -> str:
        """Say how far it is."""
        with self._lock:
            old = len(self._counted & self._to_go)
            return (
                f"{len(self._counted & self._ready)} Ready of "
                f"{len(self._counted)} "
                f"nodes, {self._wanted} wanted"
                + (f", {old} still to go" if old else "")
            )

    def ignores(self) -> bool:
        """Tell whether all that are to go stand there, Ready as ever."""
        with self._lock:
            there = self._counted & self._ready
            return bool(self._to_go) and self._to_go <= there

    def now(self) -> tuple[nodes.Node, ...]:
        """Return the nodes as they are now."""
        with self._lock:
            return self._read()

    def _forget(self, item: Mapping[str, Any]) -> None:
        uid = item["metadata"]["uid"]
        self._counted.discard(uid)
        self._ready.discard(uid)

    def _keep(self, item: Mapping[str, Any], now: float) -> None:
        uid = item["metadata"]["uid"]
        if nodes.counts(item):
            self._counted.add(uid)
        if nodes.is_ready(item):
            self._ready.add(uid)
            self._first_ready_at.setdefault(uid, now)

    def _judge(self, now: float) -> None:
        """Note since when all is as it is to be."""
        new = self._counted - self._earlier
        if (
            len(self._counted) == self._wanted
            and self._counted.isdisjoint(self._to_go)
            and new <= self._ready
        ):
            if self._settled_at is None:
                self._settled_at = now
        else:
            self._settled_at = None

    def _read(self) -> tuple[nodes.Node, ...]:
        return tuple(nodes.read_nodes(self._items))
