"""Wait for and delete DaemonSets."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

import kubernetes.client

from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import pods
from rally_magnum_scale.kube import watching


def wait_for_ready(
    cluster: client.KubeClient,
    namespace: str,
    name: str,
    selector: str,
    *,
    what: str,
    deadline_s: float,
    log: Callable[[str], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Wait, by watch, until the pods of a DaemonSet are Ready on all nodes.

    :param selector: a label selector of its pods
    :param what: what the pods are, in words
    :param clock: monotonic seconds
    :returns: number of nodes
    :raises WorkloadError: when a pod fails permanently, such as for an image
        that does not exist
    :raises DeadlineExceeded: when no node accepts the pods, or not all pods
        become Ready in time
    """
    end_s = clock() + deadline_s

    def wait(judge: Callable[[Mapping[str, Any]], int], words: str) -> int:
        return _wait(
            cluster,
            namespace,
            name,
            judge,
            what=words,
            deadline_s=max(0.0, end_s - clock()),
            log=log,
        )

    wanted = wait(_wanted, f"a node to accept the {what}")
    pods.wait_for_ready(
        cluster,
        namespace,
        selector,
        wanted,
        what=what,
        controller=name,
        deadline_s=max(0.0, end_s - clock()),
        log=log,
    )
    # Nodes may have been added meanwhile.
    return wait(_all_ready, f"the {what} to be Ready on all nodes")


def delete(cluster: client.KubeClient, namespace: str, name: str) -> None:
    """Delete a DaemonSet; Kubernetes deletes its pods in the background.

    :raises KubernetesError: when the API refuses
    """
    api = kubernetes.client.AppsV1Api(cluster.api)
    with client.translate_errors(f"delete the DaemonSet {name}"):
        client.persist(
            lambda: api.delete_namespaced_daemon_set(
                name,
                namespace,
                propagation_policy="Background",
                _request_timeout=client.TIMEOUT_S,
            ),
            done_when=404,
        )


def _wait(
    cluster: client.KubeClient,
    namespace: str,
    name: str,
    judge: Callable[[Mapping[str, Any]], int],
    **options: Any,
) -> int:
    api = kubernetes.client.AppsV1Api(cluster.api)
    status: dict[str, Any] = {}

    def judge_status(seen: Mapping[str, Mapping[str, Any]]) -> int | None:
        if name not in seen:
            return None
        status.update(seen[name].get("status", {}))
        return judge(seen[name]) or None

    return watching.wait_until(
        judge_status,
        api.list_namespaced_daemon_set,
        namespace,
        selectors={"field_selector": f"metadata.name={name}"},
        progress=lambda: (
            f"{status.get('numberReady', 0)} Ready of "
            f"{status.get('desiredNumberScheduled', 0)} nodes that accept one"
        ),
        **options,
    )


def _wanted(item: Mapping[str, Any]) -> int:
    """Return how many nodes accept a pod, 0 before it is reconciled."""
    status = item.get("status", {})
    seen = status.get("observedGeneration", 0)
    current = seen >= item["metadata"].get("generation", 0)
    return int(status.get("desiredNumberScheduled", 0)) if current else 0


def _all_ready(item: Mapping[str, Any]) -> int:
    wanted = _wanted(item)
    ready = item.get("status", {}).get("numberReady", 0)
    return wanted if ready == wanted else 0
