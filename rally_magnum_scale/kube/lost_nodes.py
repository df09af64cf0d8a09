"""Nodes that are lost on purpose, as far as the Kubernetes API can do it."""

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

# Within which a node that comes back is to be Ready.
BACK_WITHIN_S = 180.0

_GONE = 404
# Of a ConfigMap that holds what brings a node back.
_LABEL = "rally-magnum-scale/lost-node"
_KEY = "node.json"
# What the API server and the kubelet write, and nobody else may.
_OF_THE_SERVER = (
    "creationTimestamp",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)


class NodeObjects:
    """Takes nodes out of a cluster, and brings them back.

    The machine goes on: its kubelet, which finds itself unknown, takes part
    again when the Node object is there again.  What it was is kept in the
    cluster, so that a later start can bring it back, too.

    :param cluster: the open Kubernetes API of the bay
    :param namespace: of the load, where nodes that are out are kept
    """

    def __init__(self, cluster: client.KubeClient, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._taken: dict[str, dict[str, Any]] = {}

    def fail(self, name: str, how: str) -> None:
        """Delete a Node object.

        :param how: ``delete``: what the API can't do is not asked of it
        :raises InvalidInput: when it is another way
        :raises KubernetesError: when the API refuses
        """
        if how != "delete":
            raise exceptions.InvalidInput(
                f"faults: a node can't be lost by {how} through a kubeconfig; "
                "use delete, or give the bay's name to Magnum with bay."
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
        taken = _to_create(json.loads(answer.data))
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
        """Bring a node back that :meth:`fail` has taken out.

        :raises KubernetesError: when the API refuses
        """
        del how
        if name in self._taken:
            objects.create(self._cluster, [self._taken[name]], may_exist=True)
            del self._taken[name]


def bring_back(
    cluster: client.KubeClient, namespace: str, report: Callable[[str], None]
) -> None:
    """Bring the nodes back that a dead run has taken out, and wait for them.

    :param namespace: of its load
    :param report: gets a line for each
    :raises KubernetesError: when the API refuses
    :raises DeadlineExceeded: when they are not Ready in time
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
        report(f"The node {names[-1]} is brought back.")
        objects.create(cluster, [node], may_exist=True)
    if names:
        wait_until_back(cluster, names, report)


def wait_until_back(
    cluster: client.KubeClient,
    names: Collection[str],
    report: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait until nodes that were lost are Ready again.

    :param names: of the nodes
    :param report: gets lines of progress
    :param clock: monotonic seconds
    :raises DeadlineExceeded: when they are not in time
    :raises KubernetesError: when the API refuses
    """
    away = sorted(names)

    def judge(items: Mapping[str, Mapping[str, Any]]) -> bool | None:
        away[:] = [
            name
            for name in sorted(names)
            if name not in items or not node_list.is_ready(items[name])
        ]
        return None if away else True

    watching.wait_until(
        judge,
        cluster.core.list_node,
        what=f"the nodes {wording.few(names)} to be Ready again",
        deadline_s=BACK_WITHIN_S,
        progress=lambda: f"{wording.few(away)} not yet",
        report=report,
        clock=clock,
    )


def forget_pods(
    cluster: client.KubeClient,
    namespace: str,
    nodes: Collection[str],
    report: Callable[[str], None],
) -> None:
    """Delete the pods of lost nodes at once: nobody there would end them.

    Nothing is raised: it is a step on the way out.

    :param namespace: of the pods
    :param nodes: names of the nodes
    :param report: gets a line when that can't be done
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
        report(f"pods of lost nodes may stay: {error}")


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
    """Return what makes a node that was there before."""
    metadata = node["metadata"]
    for key in _OF_THE_SERVER:
        metadata.pop(key, None)
    spec = node.get("spec", {})
    # The node controller's own, which it puts there again where it must.
    taints = [
        one
        for one in spec.get("taints", ())
        if not one["key"].startswith("node.kubernetes.io/")
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata,
        "spec": {**spec, "taints": taints},
    }
