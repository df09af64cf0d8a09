"""Measure the time from pods' creation to Ready by one watch."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import following
from rally_magnum_scale.kube import pods


class PodStarts(following.Follower):
    """Measures the start of pods that are created after the first list.

    Both times are those at which the watch reported the change, by one
    clock, because Kubernetes' own time stamps have whole seconds.

    :param cluster: the open Kubernetes API of the bay
    :param namespace: of the pods
    :param selector: a label selector of the pods
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        cluster: client.KubeClient,
        namespace: str,
        selector: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            "pods",
            cluster.core.list_namespaced_pod,
            namespace,
            clock=clock,
            label_selector=selector,
        )
        self._known: set[str] = set()
        self._created_at: dict[str, float] = {}
        self._ready_at: dict[str, float] = {}

    @property
    def seconds(self) -> list[float]:
        """Start time of each pod that became Ready, in any order.

        Empty when the pods were not followed to the end.
        """
        with self._lock:
            if self._error:
                return []
            return [
                ready_at - self._created_at[uid]
                for uid, ready_at in self._ready_at.items()
                if uid in self._created_at
            ]

    @property
    def unready(self) -> int | None:
        """Number of pods that were created and never seen Ready.

        None when the pods were not followed.
        """
        with self._lock:
            if self._error or not self.listed:
                return None
            return len(self._created_at.keys() - self._ready_at.keys())

    def wait_reported(self, deadline_s: float) -> None:
        """Wait until this watch has reported all created pods as Ready.

        Another watch may have reported them earlier.  Pods that this watch
        does not report in time count as not Ready.
        """
        with contextlib.suppress(exceptions.DeadlineExceeded):
            waiting.wait_for(
                lambda: None if self.unready else True,
                what="the watch of the pods",
                deadline_s=deadline_s,
                interval_s=0.02,
            )

    def _keep(self, item: Mapping[str, Any], now: float) -> None:
        uid = item["metadata"]["uid"]
        # The creation time of a pod in the first list is unknown.
        if self.listed and uid not in self._known:
            self._created_at[uid] = now
        self._known.add(uid)
        if pods.is_ready(item):
            self._ready_at.setdefault(uid, now)
