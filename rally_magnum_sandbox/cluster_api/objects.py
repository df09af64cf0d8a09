"""Read and write the objects of Cluster API; no I/O."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from rally_magnum_sandbox.cluster_api import flavors
from rally_magnum_sandbox.cluster_api import kinds

Object = Mapping[str, Any]
CONTROL_PLANE_CONDITIONS = (
    "Ready",
    "Available",
    "MachinesReady",
    "EtcdClusterHealthy",
    "ControlPlaneComponentsHealthy",
)


def key_of(item: Object) -> str:
    """Return ``NAMESPACE/NAME``."""
    metadata = item["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}"


def cluster_key(item: Object) -> str:
    """Return ``NAMESPACE/NAME`` of the Cluster that owns an object.

    Core sets the owner, and the label of a machine, soon after the object is
    created.

    :returns: empty if the object has no Cluster yet
    """
    metadata = item["metadata"]
    name = metadata.get("labels", {}).get(kinds.CLUSTER_LABEL)
    if not has_owner(item, "Machine"):
        owners = metadata.get("ownerReferences", [])
        names = [x["name"] for x in owners if x["kind"] == "Cluster"]
        name = next(iter(names), None)
    return f"{metadata['namespace']}/{name}" if name else ""


def has_owner(item: Object, kind: str) -> bool:
    """Tell whether an object of a kind owns this one."""
    owners = item["metadata"].get("ownerReferences", [])
    return any(owner["kind"] == kind for owner in owners)


def is_deleted(item: Object) -> bool:
    """Tell whether the object's deletion was requested."""
    return "deletionTimestamp" in item["metadata"]


def has_finalizer(item: Object) -> bool:
    """Tell whether the provider's finalizer is set."""
    return kinds.FINALIZER in item["metadata"].get("finalizers", [])


def finalizers(item: Object, *, ours: bool) -> dict[str, Any]:
    """Return a patch that sets or removes the provider's finalizer."""
    present = item["metadata"].get("finalizers", [])
    others = [x for x in present if x != kinds.FINALIZER]
    wanted = [*others, kinds.FINALIZER] if ours else others
    # Of the requests of two writers, the second must fail.
    metadata = {
        "finalizers": wanted,
        "resourceVersion": item["metadata"]["resourceVersion"],
    }
    return {"metadata": metadata}


def flavor_of(item: Object) -> str:
    return str(item["spec"].get("flavor", ""))


def is_provisioned(item: Object) -> bool:
    """Tell whether the provider reported the infrastructure as complete."""
    return bool(
        item.get("status", {}).get("initialization", {}).get("provisioned")
    )


def age_s(item: Object, now: datetime.datetime) -> float:
    """Return the age of an object in seconds."""
    created = datetime.datetime.fromisoformat(
        item["metadata"]["creationTimestamp"]
    )
    return (now - created).total_seconds()


def condition(
    kind: str, reason: str, now: datetime.datetime, message: str = ""
) -> dict[str, str]:
    """Return a condition; one with a message is False.

    :param kind: such as ``Ready``
    :param reason: one word
    :param now: the time of the transition
    :param message: what failed, in words
    """
    return {
        "type": kind,
        "status": "False" if message else "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
    }


def infrastructure_status(now: datetime.datetime) -> dict[str, Any]:
    """Return the status of a complete OpenStackCluster."""
    return {
        "ready": True,
        "initialization": {"provisioned": True},
        "conditions": [condition("Ready", "Provisioned", now)],
    }


def control_plane_status(
    replicas: int, version: str, now: datetime.datetime
) -> dict[str, Any]:
    """Return the status of a control plane that is up.

    Core reads the counts of the v1beta2 contract, and magnum-capi-helm reads
    ``updatedReplicas``.
    """
    counts = ("", "ready", "available", "upToDate", "updated")
    names = [f"{x}Replicas" if x else "replicas" for x in counts]
    return {
        "initialized": True,
        "ready": True,
        "initialization": {"controlPlaneInitialized": True},
        "version": version,
        **dict.fromkeys(names, replicas),
        "unavailableReplicas": 0,
        "conditions": [
            condition(kind, "Up", now) for kind in CONTROL_PLANE_CONDITIONS
        ],
    }


def failed_control_plane_status(
    reason: str, message: str, now: datetime.datetime
) -> dict[str, Any]:
    """Return the status of a control plane that does not come."""
    return {
        "ready": False,
        "replicas": 0,
        "readyReplicas": 0,
        "updatedReplicas": 0,
        "conditions": [
            condition(kind, reason, now, message)
            for kind in ("Ready", "Available")
        ],
    }


def machine_status(
    address: str, now: datetime.datetime, *, registered: bool
) -> dict[str, Any]:
    """Return the status of a machine that runs.

    :param registered: whether its node was made; ours alone, and of no
        meaning for core
    """
    return {
        "ready": True,
        "initialization": {"provisioned": True},
        "addresses": [{"type": "InternalIP", "address": address}],
        "conditions": [condition("Ready", "Provisioned", now)],
        "registered": registered,
    }


def failed_machine_status(now: datetime.datetime) -> dict[str, Any]:
    """Return the status of a machine that never boots."""
    reason, message = "InstanceCreateFailed", flavors.NO_HOST_MESSAGE
    return {
        "ready": False,
        "conditions": [condition("Ready", reason, now, message)],
    }


def machine_node(node: Object, provider_id: str) -> dict[str, Any]:
    """Complete a hollow node as a machine's kubelet would register it.

    :param node: a Node object
    :param provider_id: of the machine; empty for a node that core can't find
    """
    spec = dict(node["spec"])
    taint = {"key": kinds.UNINITIALIZED, "effect": "NoSchedule"}
    spec["taints"] = [*spec.get("taints", []), taint]
    if provider_id:
        spec["providerID"] = provider_id
    return {**node, "spec": spec}


def kubeconfig_secret(
    cluster: str, kubeconfig: str, owner: Object
) -> dict[str, Any]:
    """Return the secret that gives core access to a bay.

    :param cluster: the key of the Cluster
    :param kubeconfig: the text
    :param owner: the object with which the secret is deleted
    """
    namespace, name = cluster.split("/")
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": kinds.SECRET_TYPE,
        "metadata": {
            "name": f"{name}-kubeconfig",
            "namespace": namespace,
            "labels": {kinds.CLUSTER_LABEL: name},
            "ownerReferences": [reference],
        },
        "stringData": {"value": kubeconfig},
    }
