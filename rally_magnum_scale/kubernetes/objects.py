"""Create and remove objects that are given as plain dictionaries."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import kubernetes.client
import kubernetes.utils

from rally_magnum_scale import waiting
from rally_magnum_scale.kubernetes import client


def create(cluster: client.Cluster, objects: Iterable[dict[str, Any]]) -> None:
    """Create objects, in the given order.

    :param objects: each with ``apiVersion``, ``kind`` and ``metadata``
    :raises KubernetesError: at the first that the API refuses
    """
    for item in objects:
        name = f"{item['kind']} {item['metadata']['name']}"
        with client.said_clearly(f"create the {name}"):
            try:
                kubernetes.utils.create_from_dict(
                    cluster.api, item, _request_timeout=client.TIMEOUT_S
                )
            except kubernetes.utils.FailToCreateError as error:
                raise error.api_exceptions[0] from error


def service_address(cluster: client.Cluster, namespace: str, name: str) -> str:
    """Return the ClusterIP of a Service.

    :raises KubernetesError: when there is no such Service
    """
    with client.said_clearly(f"read the Service {name}"):
        service = cluster.core.read_namespaced_service(
            name, namespace, _request_timeout=client.TIMEOUT_S
        )
    return str(service.spec.cluster_ip)


def delete_namespace(
    cluster: client.Cluster,
    name: str,
    *,
    deadline_s: float,
    report: Callable[[str], None] | None = None,
) -> None:
    """Delete a namespace with all that is in it, and wait until it is gone.

    :raises DeadlineExceeded: when it does not go
    :raises KubernetesError: when the API refuses
    """
    seen = {"phase": "asked to go"}

    def poll() -> bool | None:
        with client.said_clearly(f"read the namespace {name}"):
            try:
                namespace = cluster.core.read_namespace_status(
                    name, _request_timeout=client.TIMEOUT_S
                )
            except kubernetes.client.ApiException as error:
                if error.status != 404:
                    raise
                return True
        seen["phase"] = namespace.status.phase
        return None

    _delete_namespace(cluster, name)
    waiting.wait_for(
        poll,
        what=f"the namespace {name} to be gone",
        deadline_s=deadline_s,
        progress=lambda: seen["phase"],
        report=report,
    )


def _delete_namespace(cluster: client.Cluster, name: str) -> None:
    with client.said_clearly(f"delete the namespace {name}"):
        try:
            cluster.core.delete_namespace(
                name, _request_timeout=client.TIMEOUT_S
            )
        except kubernetes.client.ApiException as error:
            if error.status != 404:
                raise
