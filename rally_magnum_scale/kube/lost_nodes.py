"""Inject and revert node faults through the Kubernetes API alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.kube import objects
from rally_magnum_scale.kube import watching
from rally_magnum_scale.measurement import wording

# Deadline for a restored node to be Ready.
BACK_WITHIN_S = 180.0

_GONE = 404
# Label and key of the ConfigMap that keeps a deleted Node object.
_LABEL = "rally-magnum-scale/lost-node"
_KEY = "node.json"
# Metadata that only the API server may write.
_OF_THE_SERVER = (
    "creationTimestamp",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)


class NodeObjects:
    """Deletes Node objects from a cluster, and restores them.

    The machine keeps running.  Its kubelet rejoins when the Node object
    exists again.  A copy of the object is kept in the cluster, so that a
    later run can restore it.

    :param cluster: the open Kubernetes API of the bay
    :param namespace: namespace of the load, where the copies are kept
    """

    def __init__(self, cluster: client.KubeClient, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._taken: dict[str, dict[str, Any]] = {}

    def fail(self, name: str, how: str) -> None:
        """Delete a Node object.

        :param how: ``delete``, the only fault that the API can inject
        :raises InvalidInput: for any other fault
        :raises KubernetesError: when the API refuses
        """
        if how != "delete":
            raise exceptions.InvalidInput(
                f"faults: {how} is not possible through a kubeconfig; use "
                "delete, or name the bay in Magnum with bay."
            )
        core = self._cluster.core
        with client.translate_errors(f"read the node {name}"):
            answer = client.persist(
                lambda: core.read_node(
                    name,
                    _preload_content=False,
                    _request_timeout=client.TIMEOUT_S,
                )
            )
            taken = _to_create(client.parse(answer.data))
        objects.create(self._cluster, [_kept(taken, self._namespace)])
        self._taken[name] = taken
        with client.translate_errors(f"delete the node {name}"):
            client.persist(
                lambda: core.delete_node(
                    name,
                    _preload_content=False,
                    _request_timeout=client.TIMEOUT_S,
                ),
                done_when_repeated=_GONE,
            )

    def revert(self, name: str, how: str) -> None:
        """Restore a Node object that :meth:`fail` has deleted.

        :raises KubernetesError: when the API refuses
        """
        del how
        if name in self._taken:
            objects.create(self._cluster, [self._taken[name]], may_exist=True)
            del self._taken[name]


def bring_back(
    cluster: client.KubeClient, namespace: str, log: Callable[[str], None]
) -> None:
    """Restore the nodes that a crashed run has deleted, and wait for them.

    :param namespace: namespace of the crashed run's load
    :param log: callback for a line per node, and for progress lines
    :raises KubernetesError: when the API refuses
    :raises DeadlineExceeded: when the nodes are not Ready in time
    """
    names = []
    found, _ = watching.list_objects(
        cluster.core.list_namespaced_config_map,
        namespace,
        label_selector=_LABEL,
    )
    for kept in found.values():
        node = json.loads(kept["data"][_KEY])
        names.append(node["metadata"]["name"])
        log(f"The node {names[-1]} was restored.")
        objects.create(cluster, [node], may_exist=True)
    if names:
        wait_until_back(cluster, names, log)


def wait_until_back(
    cluster: client.KubeClient,
    names: Collection[str],
    log: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    known: Collection[str] | None = None,
) -> None:
    """Wait until lost nodes, or new ones in their place, are Ready.

    A driver that heals bays replaces a lost node by one of another name.

    :param names: of the nodes
    :param log: callback for progress lines
    :param clock: monotonic seconds
    :param known: names of the nodes of the bay before it lost some; None if
        that is unknown, and then no other node counts
    :raises DeadlineExceeded: when the nodes are not Ready in time
    :raises KubernetesError: when the API refuses
    """
    away = sorted(names)

    def judge(items: Mapping[str, Mapping[str, Any]]) -> bool | None:
        ready = {
            name for name, item in items.items() if node_list.is_ready(item)
        }
        new = set() if known is None else ready.difference(known)
        away[:] = sorted(set(names) - ready)
        return True if len(away) <= len(new) else None

    watching.wait_until(
        judge,
        cluster.core.list_node,
        what=f"the nodes {wording.few(sorted(names))}, or new ones in their "
        "place, to be Ready",
        deadline_s=BACK_WITHIN_S,
        progress=lambda: f"{wording.few(away)} not yet",
        log=log,
        clock=clock,
    )


def forget_pods(
    cluster: client.KubeClient,
    namespace: str,
    nodes: Collection[str],
    log: Callable[[str], None],
) -> None:
    """Delete the pods of lost nodes without a grace period.

    No kubelet would end these pods.  This is a cleanup step, so errors are
    only reported.

    :param namespace: of the pods
    :param nodes: names of the nodes
    :param log: callback for a line when a pod can't be deleted
    """
    try:
        for pod in _pods_on(cluster, namespace, nodes):
            with client.translate_errors(f"delete the pod {pod}"):
                client.persist(
                    lambda pod=pod: cluster.core.delete_namespaced_pod(  # type: ignore[misc]
                        pod,
                        namespace,
                        grace_period_seconds=0,
                        _preload_content=False,
                        _request_timeout=client.TIMEOUT_S,
                    ),
                    done_when=_GONE,
                )
    except exceptions.KubernetesError as error:
        log(f"pods of lost nodes may stay: {error}")


def _pods_on(
    cluster: client.KubeClient, namespace: str, nodes: Collection[str]
) -> Iterator[str]:
    for node in nodes:
        found, _ = watching.list_objects(
            cluster.core.list_namespaced_pod,
            namespace,
            field_selector=f"spec.nodeName={node}",
        )
        yield from found


def _kept(node: dict[str, Any], namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": f"lost-node-{node['metadata']['name']}",
            "namespace": namespace,
            "labels": {_LABEL: "true"},
        },
        "data": {_KEY: json.dumps(node)},
    }


def _to_create(node: dict[str, Any]) -> dict[str, Any]:
    """Return the object that creates a deleted node again."""
    metadata = node["metadata"]
    for key in _OF_THE_SERVER:
        metadata.pop(key, None)
    spec = node.get("spec", {})
    # The node controller adds its own taints again where needed.
    taints = [
        taint
        for taint in spec.get("taints", ())
        if not taint["key"].startswith("node.kubernetes.io/")
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata,
        "spec": {**spec, "taints": taints},
    }
