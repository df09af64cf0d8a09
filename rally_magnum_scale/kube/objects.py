"""Create, update and delete Kubernetes objects given as dictionaries."""

from __future__ import annotations

import functools
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

import kubernetes.client
import kubernetes.utils

from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import watching

_EXISTS = 409


def create(
    cluster: client.KubeClient,
    objects: Iterable[dict[str, Any]],
    *,
    may_exist: bool = False,
) -> None:
    """Create objects in the given order.

    Retries when the API breaks off.  An object that a retry finds was
    created by the attempt that broke off.

    :param objects: each with ``apiVersion``, ``kind`` and ``metadata``
    :param may_exist: whether to ignore objects that already exist
    :raises KubernetesError: at the first object that the API refuses
    """
    for item in objects:
        name = f"{item['kind']} {item['metadata']['name']}"
        with client.translate_errors(f"create the {name}"):
            client.persist(
                functools.partial(_create, cluster, item),
                done_when=_EXISTS if may_exist else None,
                done_when_repeated=_EXISTS,
            )


def _create(cluster: client.KubeClient, item: dict[str, Any]) -> None:
    try:
        answers = kubernetes.utils.create_from_dict(
            cluster.api,
            item,
            # Skip the library's model of the response, which nobody reads.
            _preload_content=False,
            _request_timeout=client.TIMEOUT_S,
        )
    except kubernetes.utils.FailToCreateError as error:
        raise error.api_exceptions[0] from error
    for answer in answers:
        _discard(answer)


def _discard(answer: Any) -> None:
    """Free the connection of a response that nobody reads."""
    answer.drain_conn()
    answer.release_conn()


def replace_pods(
    cluster: client.KubeClient, namespace: str, deployment: dict[str, Any]
) -> None:
    """Change the pod template of a Deployment, which replaces its pods.

    :param deployment: the whole new object, with the same name
    :raises KubernetesError: when the API refuses
    """
    name = deployment["metadata"]["name"]
    change = {"spec": {"template": deployment["spec"]["template"]}}
    apps = kubernetes.client.AppsV1Api(cluster.api)
    with client.translate_errors(f"update the Deployment {name}"):
        answer = client.persist(
            lambda: apps.patch_namespaced_deployment(
                name,
                namespace,
                change,
                # Skip the library's model of the response.
                _preload_content=False,
                _request_timeout=client.TIMEOUT_S,
            )
        )
        _discard(answer)


def service_address(
    cluster: client.KubeClient, namespace: str, name: str
) -> str:
    """Return the ClusterIP of a Service.

    :raises KubernetesError: when there is no such Service
    """
    with client.translate_errors(f"read the Service {name}"):
        service = client.persist(
            lambda: cluster.core.read_namespaced_service(
                name, namespace, _request_timeout=client.TIMEOUT_S
            )
        )
    return str(service.spec.cluster_ip)


def namespaces(
    cluster: client.KubeClient, selector: str
) -> dict[str, dict[str, str]]:
    """List namespaces.

    :param selector: a label selector
    :returns: annotations of the namespaces by name
    :raises KubernetesError: when the API refuses
    """
    found, _ = watching.list_objects(
        cluster.core.list_namespace, label_selector=selector
    )
    return {
        name: item["metadata"].get("annotations") or {}
        for name, item in found.items()
    }


def delete_namespace(
    cluster: client.KubeClient,
    name: str,
    *,
    deadline_s: float,
    log: Callable[[str], None] | None = None,
) -> None:
    """Delete a namespace with its content, and wait until it is gone.

    :raises DeadlineExceeded: when the namespace is not gone in time
    :raises KubernetesError: when the API refuses
    """
    seen = {"phase": "delete requested"}

    def poll() -> bool | None:
        try:
            seen["phase"] = _phase(cluster, name)
        except exceptions.KubernetesError as error:
            cause = error.__cause__
            if cause and client.transient(cause) is None:
                raise
            seen["phase"] = str(error)
        return True if seen["phase"] == _GONE else None

    with client.translate_errors(f"delete the namespace {name}"):
        client.persist(
            lambda: cluster.core.delete_namespace(
                name, _request_timeout=client.TIMEOUT_S
            ),
            done_when=404,
        )
    waiting.wait_for(
        poll,
        what=f"the namespace {name} to be gone",
        deadline_s=deadline_s,
        progress=lambda: seen["phase"],
        log=log,
    )


_GONE = "gone"


def _phase(cluster: client.KubeClient, name: str) -> str:
    with client.translate_errors(f"read the namespace {name}"):
        try:
            namespace = cluster.core.read_namespace_status(
                name, _request_timeout=client.TIMEOUT_S
            )
        except kubernetes.client.ApiException as error:
            if error.status != 404:
                raise
            return _GONE
    return str(namespace.status.phase)
