"""Drain nodes before their removal, as ``kubectl drain`` does.

The nodes are cordoned and their pods evicted.  While a PodDisruptionBudget
forbids an eviction, it is retried.  Pods of DaemonSets and static pods stay,
since they belong to the node.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from collections.abc import Collection
from typing import Any

import kubernetes.client

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting
from rally_magnum_scale.kube import client
from rally_magnum_scale.measurement import wording

_STATIC = "kubernetes.io/config.mirror"
_OVER = ("Succeeded", "Failed")
_PROTECTED = 429
_GONE = 404


@dataclasses.dataclass(frozen=True)
class Drained:
    """The result of a drain.

    :param evicted: number of evicted pods
    :param resolution_s: seconds from the request of the last list that had
        pods to evict to the response without any; None where no list had
        pods to evict
    """

    evicted: int
    resolution_s: float | None


def drain(
    cluster: client.KubeClient,
    names: Collection[str],
    *,
    deadline_s: float,
    log: Callable[[str], None] | None = None,
) -> Drained:
    """Cordon nodes and evict their pods.

    If the removal is abandoned, the caller must :func:`uncordon` the nodes.

    :param names: of the nodes
    :param deadline_s: seconds after which the drain is given up
    :param log: callback for progress lines
    :raises KubernetesError: when the API refuses
    :raises DeadlineExceeded: with the remaining pods, and why they remain
    """
    end = time.monotonic() + deadline_s
    for number, name in enumerate(names):
        interruption.check()
        if time.monotonic() > end:
            raise exceptions.DeadlineExceeded(
                f"{len(names)} nodes to be cordoned",
                deadline_s,
                f"{number} cordoned",
            )
        _cordon(cluster, name, cordoned=True)
    left_s = max(0.0, end - time.monotonic())
    return _Evictions(cluster, frozenset(names), log).run(left_s)


def uncordon(
    cluster: client.KubeClient,
    names: Collection[str],
    log: Callable[[str], None],
) -> None:
    """Uncordon the nodes that still exist.

    This is a cleanup step after a failure: an interruption does not end it,
    and errors are only reported.

    :param names: of the nodes
    :param log: callback for a line when a node can't be uncordoned
    """
    with interruption.deferred():
        for name in names:
            try:
                _cordon(cluster, name, cordoned=False)
            except exceptions.KubernetesError as error:
                if getattr(error.__cause__, "status", None) != _GONE:
                    log(f"nodes may stay cordoned, {name} first: {error}")
                    # Each further node would take as long to fail.
                    return


def _cordon(cluster: client.KubeClient, name: str, *, cordoned: bool) -> None:
    verb = "cordon" if cordoned else "uncordon"
    with client.translate_errors(f"{verb} the node {name}"):
        client.persist(
            lambda: cluster.core.patch_node(
                name,
                {"spec": {"unschedulable": cordoned}},
                _request_timeout=client.TIMEOUT_S,
            )
        )


class _Evictions:
    """Evicts the pods of nodes, with retries, until they are gone."""

    def __init__(
        self,
        cluster: client.KubeClient,
        nodes: frozenset[str],
        log: Callable[[str], None] | None,
    ) -> None:
        self._cluster = cluster
        self._nodes = nodes
        self._log = log
        self._evicted: set[str] = set()
        self._left: dict[str, str] = {}
        # When the last list that had pods to evict was requested.
        self._full_at: float | None = None

    def run(self, deadline_s: float) -> Drained:
        """Evict until no pods are left."""
        end = time.monotonic() + deadline_s
        waiting.wait_for(
            lambda: self._poll(end),
            what=f"the pods of {len(self._nodes)} nodes to be evicted",
            deadline_s=deadline_s,
            progress=lambda: _progress(self._left),
            log=self._log,
        )
        full_at = self._full_at
        return Drained(
            len(self._evicted),
            None if full_at is None else time.monotonic() - full_at,
        )

    def _poll(self, end: float) -> bool | None:
        requested_at = time.monotonic()
        found = _pods_on(self._cluster, self._nodes)
        if found:
            self._full_at = requested_at
        before, self._left = self._left, {}
        for pod in found:
            interruption.check()
            name = _full_name(pod)
            if "deletionTimestamp" in pod["metadata"]:
                self._left[name] = "is ending"
            elif time.monotonic() > end:
                self._left[name] = before.get(name, "was not evicted yet")
            else:
                self._left[name] = self._evict(pod["metadata"])
        return None if found else True

    def _evict(self, metadata: dict[str, Any]) -> str:
        """Request the eviction of a pod; return its state in words."""
        name, namespace = metadata["name"], metadata["namespace"]
        with client.translate_errors(f"evict the pod {name}"):
            try:
                self._cluster.core.create_namespaced_pod_eviction(
                    name,
                    namespace,
                    _eviction(name, namespace),
                    _preload_content=False,
                    _request_timeout=client.TIMEOUT_S,
                ).release_conn()
            except (*client.BROKEN, kubernetes.client.ApiException) as error:
                status = getattr(error, "status", None)
                if status == _PROTECTED:
                    return "is protected, usually by a PodDisruptionBudget"
                if status == _GONE:
                    return "is gone"
                if client.transient(error) is None:
                    raise
                # The next poll retries the eviction.
                return f"could not be evicted yet ({status or error})"
        self._evicted.add(metadata["uid"])
        return "is ending"


def _eviction(name: str, namespace: str) -> Any:
    return kubernetes.client.V1Eviction(
        metadata=kubernetes.client.V1ObjectMeta(name=name, namespace=namespace)
    )


def _full_name(pod: dict[str, Any]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _pods_on(
    cluster: client.KubeClient, nodes: frozenset[str]
) -> list[dict[str, Any]]:
    """List the pods to evict from nodes, by one request."""
    with client.translate_errors("list the pods of all namespaces"):
        answer = client.persist(
            lambda: cluster.core.list_pod_for_all_namespaces(
                _preload_content=False, _request_timeout=client.TIMEOUT_S
            )
        )
        found = client.parse(answer.data).get("items", ())
    return [
        pod
        for pod in found
        if pod["spec"].get("nodeName") in nodes and _is_evictable(pod)
    ]


def _is_evictable(pod: dict[str, Any]) -> bool:
    metadata = pod["metadata"]
    owners = {one["kind"] for one in metadata.get("ownerReferences", ())}
    return (
        "DaemonSet" not in owners
        and _STATIC not in metadata.get("annotations", ())
        and pod.get("status", {}).get("phase") not in _OVER
    )


def _progress(left: dict[str, str]) -> str:
    pods = wording.few(f"{name} {why}" for name, why in left.items())
    return f"{len(left)} left: {pods}"
