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
from rally_magnum_scale.measurement import staleness


class PodStarts(following.Follower):
    """Measures the start of pods that are created after the first list.

    Both times are those at which the watch reported the change, by one
    clock, because Kubernetes' own time stamps have whole seconds.  If the
    watch reports one of them late, the time between them is too short or too
    long.

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
        self._created: dict[str, staleness.ObservedTime] = {}
        self._ready: dict[str, staleness.ObservedTime] = {}

    @property
    def seconds(self) -> list[float]:
        """Start time of each pod that became Ready, in any order.

        Empty when the pods were not followed to the end.
        """
        with self._lock:
            if self._error:
                return []
            return [
                ready.at - self._created[uid].at
                for uid, ready in self._ready.items()
                if uid in self._created
            ]

    @property
    def resolution_s(self) -> float | None:
        """By how much a time of :attr:`seconds` may be wrong, either way.

        None when no pod was timed.
        """
        with self._lock:
            return max(
                (
                    one.at - one.not_before
                    for uid, ready in self._ready.items()
                    if uid in self._created
                    for one in (self._created[uid], ready)
                ),
                default=None,
            )

    @property
    def unready(self) -> int | None:
        """Number of pods that were created and never seen Ready.

        None when the pods were not followed.
        """
        with self._lock:
            if self._error or not self.listed:
                return None
            return len(self._created.keys() - self._ready.keys())

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

    def _keep(
        self, item: Mapping[str, Any], observed: staleness.ObservedTime
    ) -> None:
        uid = item["metadata"]["uid"]
        # The creation time of a pod in the first list is unknown.
        if self.listed and uid not in self._known:
            self._created[uid] = observed
        self._known.add(uid)
        if pods.is_ready(item):
            self._ready.setdefault(uid, observed)
