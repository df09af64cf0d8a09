"""Empty nodes before they go, as ``kubectl drain`` does.

No new pod comes to them, and those there are evicted: a PodDisruptionBudget
may forbid that for a while, and then it is asked for again.  Pods of
DaemonSets and static pods stay, since they belong to the node.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Collection
from typing import Any

import kubernetes.client

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting
from rally_magnum_scale.kubernetes import client

_STATIC = "kubernetes.io/config.mirror"
_OVER = ("Succeeded", "Failed")
_HELD_BACK = 429
_GONE = 404
_MOST_NAMED = 3


def drain(
    cluster: client.Cluster,
    names: Collection[str],
    *,
    deadline_s: float,
    report: Callable[[str], None] | None = None,
) -> int:
    """Cordon nodes and evict their pods.

    Whoever gives the change up :func:`uncordons <uncordon>` them.

    :param names: of the nodes
    :param deadline_s: seconds after which it is given up
    :param report: gets lines of progress
    :returns: how many pods were evicted
    :raises KubernetesError: when the API refuses
    :raises DeadlineExceeded: with the pods that did not go, and why
    """
    for name in names:
        _cordon(cluster, name, cordoned=True)
    return _empty(cluster, frozenset(names), deadline_s, report)


def uncordon(cluster: client.Cluster, names: Collection[str]) -> None:
    """Let pods come to nodes again, as far as these are still there.

    An interruption does not end it, and nothing is raised: it is a step on
    the way out of a failure.
    """
    with interruption.deferred():
        for name in names:
            try:
                _cordon(cluster, name, cordoned=False)
            except exceptions.KubernetesError as error:
                if getattr(error.__cause__, "status", None) != _GONE:
                    # It was waited for: the others need not be tried.
                    return


def _cordon(cluster: client.Cluster, name: str, *, cordoned: bool) -> None:
    with client.said_clearly(f"cordon the node {name}"):
        client.persist(
            lambda: cluster.core.patch_node(
                name,
                {"spec": {"unschedulable": cordoned}},
                _request_timeout=client.TIMEOUT_S,
            )
        )


def _empty(
    cluster: client.Cluster,
    nodes: frozenset[str],
    deadline_s: float,
    report: Callable[[str], None] | None,
) -> int:
    evicted: set[str] = set()
    left: dict[str, str] = {}

    def poll() -> int | None:
        found = _pods_on(cluster, nodes)
        left.clear()
        for pod in found:
            metadata = pod["metadata"]
            going = "deletionTimestamp" in metadata
            why = "is ending" if going else _evict(cluster, metadata)
            left[f"{metadata['namespace']}/{metadata['name']}"] = why
            if why != _BY_BUDGET:
                evicted.add(metadata["uid"])
        return None if found else len(evicted)

    waiting.wait_for(
        poll,
        what=f"the pods of {len(nodes)} nodes to be evicted",
        deadline_s=deadline_s,
        progress=lambda: _progress(left),
        report=report,
    )
    return len(evicted)


_BY_BUDGET = "is held back by a PodDisruptionBudget"


def _evict(cluster: client.Cluster, metadata: dict[str, Any]) -> str:
    """Ask for the end of a pod; return what becomes of it."""
    name, namespace = metadata["name"], metadata["namespace"]
    body = kubernetes.client.V1Eviction(
        metadata=kubernetes.client.V1ObjectMeta(name=name, namespace=namespace)
    )
    with client.said_clearly(f"evict the pod {name}"):
        try:
            cluster.core.create_namespaced_pod_eviction(
                name,
                namespace,
                body,
                _preload_content=False,
                _request_timeout=client.TIMEOUT_S,
            ).release_conn()
        except kubernetes.client.ApiException as error:
            if error.status == _HELD_BACK:
                return _BY_BUDGET
            # What can't be asked now is asked at the next look.
            if error.status != _GONE and not client.may_pass(error):
                raise
    return "is ending"


def _pods_on(
    cluster: client.Cluster, nodes: frozenset[str]
) -> list[dict[str, Any]]:
    """List the pods that must leave some nodes, by one request."""
    with client.said_clearly("list the pods of all namespaces"):
        answer = client.persist(
            lambda: cluster.core.list_pod_for_all_namespaces(
                _preload_content=False, _request_timeout=client.TIMEOUT_S
            )
        )
        found = json.loads(answer.data)["items"]
    return [
        pod
        for pod in found
        if pod["spec"].get("nodeName") in nodes and _must_leave(pod)
    ]


def _must_leave(pod: dict[str, Any]) -> bool:
    metadata = pod["metadata"]
    owners = {one["kind"] for one in metadata.get("ownerReferences", ())}
    return (
        "DaemonSet" not in owners
        and _STATIC not in metadata.get("annotations", ())
        and pod.get("status", {}).get("phase") not in _OVER
    )


def _progress(left: dict[str, str]) -> str:
    told = [f"{name} {why}" for name, why in sorted(left.items())]
    more = len(told) - _MOST_NAMED
    return f"{len(told)} left: {', '.join(told[:_MOST_NAMED])}" + (
        f" and {more} more" if more > 0 else ""
    )
