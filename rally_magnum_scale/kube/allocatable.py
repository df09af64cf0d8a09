"""Read how much room the nodes of a bay have for further pods."""

from __future__ import annotations

import dataclasses
from collections.abc import Container
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from kubernetes.utils import quantity

from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import nodes
from rally_magnum_scale.kube import watching

RESOURCES = ("pods", "cpu", "memory")

Amounts = Mapping[str, Decimal]

_NOTHING: Amounts = dict.fromkeys(RESOURCES, Decimal(0))

# Effects of a taint that keep pods away.
_REPELLING = ("NoSchedule", "NoExecute")

_UNSCHEDULABLE = {
    "key": "node.kubernetes.io/unschedulable",
    "effect": "NoSchedule",
}

# If it exists, an autoscaler may add nodes.
_AUTOSCALER_STATUS = "metadata.name=cluster-autoscaler-status"
_KARPENTER = "karpenter.sh/"


@dataclasses.dataclass(frozen=True)
class NodeRoom:
    """A Ready node and its room.

    :param free: by resource, what is allocatable and not requested
    """

    name: str
    labels: Mapping[str, str]
    taints: Sequence[Mapping[str, str]]
    free: Amounts

    def accepts(
        self,
        node_selector: Mapping[str, str],
        tolerations: Sequence[Mapping[str, Any]],
    ) -> bool:
        """Return whether a pod may be scheduled to the node, if it fits.

        :param node_selector: of the pod
        :param tolerations: of the pod, in the form of Kubernetes
        """
        return node_selector.items() <= self.labels.items() and all(
            any(_tolerates(each, taint) for each in tolerations)
            for taint in self.taints
            if taint.get("effect") in _REPELLING
        )


def read_nodes(cluster: client.KubeClient) -> list[NodeRoom]:
    """Return the Ready nodes as if they ran no pods.

    :raises KubernetesError: when the API refuses or breaks off
    """
    items, _ = watching.list_objects(cluster.core.list_node)
    with client.translate_errors("read the nodes"):
        return [_room(item) for item in items.values() if nodes.is_ready(item)]


def without_pods(
    cluster: client.KubeClient,
    rooms: Iterable[NodeRoom],
    ignored: Container[str] = (),
) -> list[NodeRoom]:
    """Return nodes less what their pods request.

    Pods of a priority below 0 are not counted, because pods of a load, whose
    priority is 0, may take their place.

    :param rooms: from :func:`read_nodes`
    :param ignored: namespaces whose pods are not counted
    :raises KubernetesError: when the API refuses or breaks off
    """
    taken: dict[str, list[Amounts]] = {}
    with client.translate_errors("list the pods of all namespaces"):
        answer = cluster.core.list_pod_for_all_namespaces(
            field_selector="status.phase!=Succeeded,status.phase!=Failed",
            _preload_content=False,
            _request_timeout=client.TIMEOUT_S,
        )
        for pod in client.parse(answer.data).get("items", ()):
            if pod["metadata"]["namespace"] in ignored:
                continue
            if pod["spec"].get("priority", 0) >= 0:
                name = pod["spec"].get("nodeName", "")
                taken.setdefault(name, []).append(_requests_of(pod["spec"]))
    return [
        dataclasses.replace(
            room, free=_less(room.free, _sum(taken.get(room.name, ())))
        )
        for room in rooms
    ]


def may_grow(cluster: client.KubeClient, rooms: Iterable[NodeRoom]) -> bool:
    """Return whether an autoscaler may add nodes for further pods.

    :param rooms: from :func:`read_nodes`
    :raises KubernetesError: when the API refuses or breaks off
    """
    if any(key.startswith(_KARPENTER) for one in rooms for key in one.labels):
        return True
    found, _ = watching.list_objects(
        cluster.core.list_config_map_for_all_namespaces,
        field_selector=_AUTOSCALER_STATUS,
    )
    return bool(found)


def _room(item: Mapping[str, Any]) -> NodeRoom:
    spec = item.get("spec", {})
    taints = list(spec.get("taints", ()))
    if spec.get("unschedulable"):
        taints.append(_UNSCHEDULABLE)
    return NodeRoom(
        item["metadata"]["name"],
        item["metadata"].get("labels", {}),
        taints,
        _amounts(item.get("status", {}).get("allocatable", {})),
    )


def _tolerates(
    toleration: Mapping[str, Any], taint: Mapping[str, str]
) -> bool:
    """Compare as Kubernetes does (its function ToleratesTaint)."""
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return (toleration.get("value") or "") == (taint.get("value") or "")


def _requests_of(spec: Mapping[str, Any]) -> Amounts:
    """Return what the scheduler reserves for a pod.

    Containers that run before the others reserve what they need if that is
    more than all others need together.
    """
    first = spec.get("initContainers", ())
    sidecars = [one for one in first if one.get("restartPolicy") == "Always"]
    lasting = _sum(map(_requested, [*sidecars, *spec.get("containers", ())]))
    beside = _sum(map(_requested, sidecars))
    before = [
        _sum([_requested(one), beside]) for one in first if one not in sidecars
    ]
    most = {
        name: max(amount, *(one[name] for one in before), Decimal(0))
        for name, amount in lasting.items()
    }
    of_pod = spec.get("resources", {}).get("requests", {})
    most |= {
        name: amount
        for name, amount in _amounts(of_pod).items()
        if name in of_pod
    }
    overhead = _amounts(spec.get("overhead", {}))
    return {**_sum([most, overhead]), "pods": Decimal(1)}


def _requested(container: Mapping[str, Any]) -> Amounts:
    return _amounts(container.get("resources", {}).get("requests", {}))


def _amounts(given: Mapping[str, str]) -> Amounts:
    return {
        name: Decimal(quantity.parse_quantity(given.get(name, "0")))
        for name in RESOURCES
    }


def _sum(amounts: Iterable[Amounts]) -> dict[str, Decimal]:
    total = dict(_NOTHING)
    for one in amounts:
        for name in RESOURCES:
            total[name] += one[name]
    return total


def _less(free: Amounts, taken: Amounts) -> Amounts:
    return {name: free[name] - taken[name] for name in RESOURCES}
