"""Wait for the pods of a load, detect failures, and count usable cores."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import kubernetes.client
from kubernetes.utils import quantity

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.kube import watching

# Reasons of a waiting container that are permanent.
HOPELESS = (
    "ErrImageNeverPull",
    "ImagePullBackOff",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "CrashLoopBackOff",
)

# A registry that limits the rate of pulls serves the image later.
_PULL_REASONS = ("ErrImagePull", "ImagePullBackOff")
_RATE_LIMITED = re.compile(
    r"too\s*many\s*requests|\b429\b|rate.?limit", re.IGNORECASE
)

# Why a controller may not create a pod, however often it tries: the words of
# Kubernetes' ResourceQuota, PodSecurity and LimitRanger, and of webhooks.
_FORBIDDEN = re.compile(
    r"exceeded quota|failed quota|violates PodSecurity"
    r"|is forbidden: (maximum|minimum) |denied the request"
)

LOG_TAIL_LINES = 5


def wait_for_ready(
    cluster: client.KubeClient,
    namespace: str,
    selector: str,
    count: int,
    *,
    what: str,
    deadline_s: float,
    controller: str = "",
    log: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Wait, by watch, until a number of pods is Ready.

    :param selector: a label selector
    :param controller: name of the object for which Kubernetes creates the
        pods, such as a Job; empty if there is none
    :param what: what the pods are, in words, such as ``nginx targets``
    :returns: the pods, as the API's objects; a pod that has already
        succeeded counts as Ready
    :raises WorkloadError: when a pod fails permanently, or may not be created
    :raises DeadlineExceeded: with the number of Ready pods
    """
    found: list[dict[str, Any]] = []

    def judge(
        seen: Mapping[str, dict[str, Any]],
    ) -> list[dict[str, Any]] | None:
        nonlocal found
        found = list(seen.values())
        for pod in found:
            refuse_hopeless(pod, what)
        _refuse_failed(cluster, namespace, found, what, count)
        up = sum(is_ready(pod) or _phase(pod) == "Succeeded" for pod in found)
        return found if up >= count else None

    def refusal() -> str:
        if not controller or len(found) >= count:
            return ""
        return _refusal(cluster, namespace, controller)

    def refuse_forbidden() -> None:
        reason = refusal()
        if _FORBIDDEN.search(reason):
            raise exceptions.WorkloadError(
                f"Kubernetes creates {len(found)} of {count} {what}: {reason}",
                reason=reason,
            )

    return watching.wait_until(
        judge,
        cluster.core.list_namespaced_pod,
        namespace,
        selectors={"label_selector": selector},
        what=f"{count} {what} to be Ready",
        deadline_s=deadline_s,
        progress=lambda: ", ".join(
            filter(None, [_progress(found, count), refusal()])
        ),
        on_silence=refuse_forbidden,
        log=log,
    )


def get(
    cluster: client.KubeClient, namespace: str, selector: str
) -> list[dict[str, Any]]:
    """Return the pods that match a label selector.

    :raises KubernetesError: when the API refuses
    """
    found, _ = watching.list_objects(
        cluster.core.list_namespaced_pod, namespace, label_selector=selector
    )
    return list(found.values())


def refuse_failed(
    cluster: client.KubeClient,
    namespace: str,
    selector: str,
    count: int,
    what: str,
) -> None:
    """Raise when so many pods have failed that their Job has given up.

    :param count: number of pods of the Job, and of failures that it allows
    :raises WorkloadError: with the end of the log of a failed pod
    :raises KubernetesError: when the API refuses
    """
    found = get(cluster, namespace, selector)
    _refuse_failed(cluster, namespace, found, what, count)


def refuse_hopeless(pod: Mapping[str, Any], what: str) -> None:
    """Raise when a container of a pod can't start, however long it waits.

    :param pod: one of the API's objects
    :param what: what the pod is, in words
    :raises WorkloadError: with Kubernetes' reason
    """
    for container in pod.get("status", {}).get("containerStatuses", []):
        waiting_state = container.get("state", {}).get("waiting") or {}
        if _is_hopeless(waiting_state):
            raise exceptions.WorkloadError(
                f"The pod {pod['metadata']['name']} of the {what} can't "
                f"start with the image {container['image']}: "
                f"{waiting_state['reason']}, "
                f"{waiting_state.get('message', 'no message')}"
            )


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod is Ready."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(
        c["type"] == "Ready" and c["status"] == "True" for c in conditions
    )


def has_ended(cluster: client.KubeClient, namespace: str, name: str) -> bool:
    """Return whether all containers of a pod have ended or it is gone."""
    try:
        pod = cluster.core.read_namespaced_pod_status(
            name, namespace, _request_timeout=client.TIMEOUT_S
        )
    except kubernetes.client.ApiException as error:
        if error.status != 404:
            raise
        return True
    return pod.status.phase in ("Succeeded", "Failed")


def proxy_get(
    cluster: client.KubeClient, namespace: str, name: str, port: int, path: str
) -> str:
    """Send a GET request to a pod through the API server.

    :param path: with a leading slash
    :returns: the body of the response
    :raises KubernetesError: when the API server can't reach the pod
    """
    with client.translate_errors(f"reach the pod {name}"):
        answer = cluster.core.connect_get_namespaced_pod_proxy_with_path(
            f"{name}:{port}",
            namespace,
            path.lstrip("/"),
            _preload_content=False,
            _request_timeout=client.TIMEOUT_S,
        )
        return str(answer.data.decode())


def usable_cores(
    pods: Iterable[Mapping[str, Any]],
    nodes: Iterable[node_list.Node],
    cpus: Mapping[str, frozenset[int]] | None = None,
) -> float:
    """Return the cores that pods can use together.

    On each node, this is the minimum of the sum of their CPU limits, the
    node's allocatable cores, and the number of processors that they see.

    :param pods: scheduled pods, as the API's objects
    :param nodes: the nodes of the bay
    :param cpus: processors that a pod sees by its name, as far as known
    """
    allocatable = {node.name: node.cores for node in nodes}
    by_node: dict[str, list[Mapping[str, Any]]] = {}
    for pod in pods:
        name = pod["spec"].get("nodeName")
        if name in allocatable:
            by_node.setdefault(name, []).append(pod)
    return sum(
        min(_wanted(found, cpus or {}), allocatable[name])
        for name, found in by_node.items()
    )


def _wanted(
    pods: Sequence[Mapping[str, Any]], cpus: Mapping[str, frozenset[int]]
) -> float:
    """Return the cores that pods of a node of unlimited size can use."""
    seen = [cpus.get(pod["metadata"]["name"]) for pod in pods]
    total = sum(
        _limit(pod) if own is None else min(_limit(pod), len(own))
        for pod, own in zip(pods, seen, strict=True)
    )
    known = [own for own in seen if own is not None]
    # A pod whose processors are unknown may see any processor.
    if len(known) < len(seen):
        return total
    return min(total, len(frozenset[int]().union(*known)))


def node_names(pods: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the nodes that pods run on."""
    return {
        pod["spec"]["nodeName"] for pod in pods if pod["spec"].get("nodeName")
    }


def addresses(pods: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the addresses of the Ready pods.

    :raises WorkloadError: when a pod has none
    """
    found = []
    for pod in filter(is_ready, pods):
        if not pod["status"].get("podIP"):
            raise exceptions.WorkloadError(
                f"The pod {pod['metadata']['name']} is Ready but has no "
                "address; send the requests to the Service of the targets "
                "(target_address: service)."
            )
        found.append(pod["status"]["podIP"])
    return found


def _limit(pod: Mapping[str, Any]) -> float:
    limits = [
        container.get("resources", {}).get("limits", {}).get("cpu")
        for container in pod["spec"]["containers"]
    ]
    if None in limits:
        return float("inf")
    return float(sum(map(quantity.parse_quantity, limits)))


def _is_hopeless(waiting_state: Mapping[str, str]) -> bool:
    reason = waiting_state.get("reason")
    if reason in _PULL_REASONS and _RATE_LIMITED.search(
        waiting_state.get("message", "")
    ):
        return False
    return reason in HOPELESS


def _progress(found: Iterable[Mapping[str, Any]], count: int) -> str:
    pods = list(found)
    text = f"{sum(map(is_ready, pods))} of {count} Ready"
    for pod in pods:
        name = pod["metadata"]["name"]
        for condition in pod.get("status", {}).get("conditions", []):
            if condition["type"] == "PodScheduled" and (
                condition["status"] == "False"
            ):
                why = condition.get("message") or condition.get("reason")
                return f"{text}, {name} is not scheduled: {why}"
        for state in _waiting_states(pod):
            why = filter(None, (state["reason"], state.get("message")))
            return f"{text}, {name} does not run yet: {', '.join(why)}"
    return text


def _waiting_states(pod: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return why containers of a pod do not run, as far as it is known."""
    found = (
        container.get("state", {}).get("waiting") or {}
        for container in pod.get("status", {}).get("containerStatuses", [])
    )
    return [state for state in found if "reason" in state]


def _refuse_failed(
    cluster: client.KubeClient,
    namespace: str,
    found: Iterable[Mapping[str, Any]],
    what: str,
    count: int,
) -> None:
    """Raise for failed pods that no controller will replace.

    A Job replaces as many pods as it has, since its ``backoffLimit`` is set
    to this number.
    """
    failed = [pod for pod in found if _phase(pod) == "Failed"]
    for pod in failed:
        if len(failed) > count or not pod["metadata"].get("ownerReferences"):
            _raise_failed(cluster, namespace, pod, what)


def _refusal(
    cluster: client.KubeClient, namespace: str, controller: str
) -> str:
    """Return why a controller last failed to create a pod; empty if unknown.

    A Deployment's pods are created for its ReplicaSet, whose name continues
    that of the Deployment.  A Job has no condition for this, only events.
    """
    try:
        events, _ = watching.list_objects(
            cluster.core.list_namespaced_event,
            namespace,
            field_selector="reason=FailedCreate",
        )
    except exceptions.KubernetesError as error:
        return str(error)
    own = [
        event
        for event in events.values()
        if event["involvedObject"]["name"].startswith(controller)
    ]
    if not own:
        return ""
    last = max(own, key=lambda event: event.get("lastTimestamp", ""))
    return " ".join(str(last.get("message", "")).split())


def _phase(pod: Mapping[str, Any]) -> str:
    return str(pod.get("status", {}).get("phase", ""))


def _raise_failed(
    cluster: client.KubeClient,
    namespace: str,
    pod: Mapping[str, Any],
    what: str,
) -> None:
    name = pod["metadata"]["name"]
    container, ended = _ending(pod)
    tail = _log_tail(cluster, namespace, name, container) if container else ""
    raise exceptions.WorkloadError(
        f"The pod {name} of the {what} failed: {ended}; "
        + (f"its log ended with: {tail}" if tail else "it left no log")
    )


def _ending(pod: Mapping[str, Any]) -> tuple[str, str]:
    """Return the failed container, or an empty string, and how it ended."""
    status = pod["status"]
    for container in (
        *status.get("initContainerStatuses", []),
        *status.get("containerStatuses", []),
    ):
        ended = container.get("state", {}).get("terminated")
        if ended and ended["exitCode"] != 0:
            return container["name"], (
                f"its container {container['name']} ended with exit code "
                f"{ended['exitCode']} ({ended.get('reason', 'no reason')})"
            )
    reason = status.get("reason", "no reason")
    return "", f"{reason}, {status.get('message', 'no message')}"


def _log_tail(
    cluster: client.KubeClient, namespace: str, name: str, container: str
) -> str:
    """Return the end of a log, or an empty string if it can't be read."""
    try:
        answer = cluster.core.read_namespaced_pod_log(
            name,
            namespace,
            container=container,
            tail_lines=LOG_TAIL_LINES,
            _preload_content=False,
            _request_timeout=(client.TIMEOUT_S[0], client.SILENCE_S),
        )
        return str(answer.data.decode(errors="replace")).strip()
    except (*client.BROKEN, kubernetes.client.ApiException):
        return ""
