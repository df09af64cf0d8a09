"""Follow which nodes of a bay come and go, by one watch for all changes."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting
from rally_magnum_scale.kubernetes import client
from rally_magnum_scale.kubernetes import nodes
from rally_magnum_scale.kubernetes import watching

LISTED_WITHIN_S = 60.0


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


class Follower:
    """Sees every change of the nodes in a thread, with its time.

    It asks the API for one list and one watch, however many nodes there
    are and however long it takes.

    :param cluster: the open Kubernetes API of the bay
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        cluster: client.Cluster,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._listed = threading.Event()
        self._error: Exception | None = None
        # By name, as the API gave them; by uid what follows from them.
        self._items: dict[str, Mapping[str, Any]] = {}
        self._counted: set[str] = set()
        self._ready: set[str] = set()
        self._first_ready_at: dict[str, float] = {}
        self._wanted: int | None = None
        self._earlier: frozenset[str] = frozenset()
        self._to_go: frozenset[str] = frozenset()
        self._settled_at: float | None = None

    @contextlib.contextmanager
    def following(self) -> Iterator[Follower]:
        """Follow in a thread, until :meth:`stop` or the end of the block."""
        thread = threading.Thread(target=self._run, name="nodes", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stop()
            thread.join()

    def stop(self) -> None:
        """Let the thread end; it does so within some seconds."""
        self._stopped.set()

    def wait_listed(self, deadline_s: float = LISTED_WITHIN_S) -> None:
        """Wait until the nodes that are there are known.

        :raises DeadlineExceeded: when the API does not list them in time
        :raises KubernetesError: when it refuses
        """

        def poll() -> bool | None:
            self._refuse_error()
            return True if self._listed.is_set() else None

        waiting.wait_for(
            poll,
            what="the list of the nodes",
            deadline_s=deadline_s,
            interval_s=0.05,
            clock=self._clock,
        )

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
        self._refuse_error()
        with self._lock:
            if self._settled_at is None:
                return None
            new = self._first_ready_at.keys() - self._earlier
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

    def _run(self) -> None:
        try:
            changes = watching.watch(self._cluster.core.list_node)
            with contextlib.closing(changes), interruption.deferred():
                for seen in changes:
                    if self._stopped.is_set():
                        return
                    if seen is not None:
                        self._take(seen)
        except Exception as error:
            self._error = error

    def _refuse_error(self) -> None:
        if self._error is not None:
            raise exceptions.KubernetesError(
                f"The nodes of the bay can't be followed: {self._error}"
            ) from self._error

    def _take(self, seen: Mapping[str, Mapping[str, Any]]) -> None:
        """Take in the nodes as they are; look only at what has changed."""
        now = self._clock()
        with self._lock:
            for name in self._items.keys() - seen.keys():
                self._forget(name)
            for name, item in seen.items():
                if self._items.get(name) is not item:
                    self._forget(name)
                    self._keep(name, item, now)
            self._judge(now)
        self._listed.set()

    def _forget(self, name: str) -> None:
        item = self._items.pop(name, None)
        if item is not None:
            uid = item["metadata"]["uid"]
            self._counted.discard(uid)
            self._ready.discard(uid)

    def _keep(self, name: str, item: Mapping[str, Any], now: float) -> None:
        self._items[name] = item
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
