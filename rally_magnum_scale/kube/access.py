"""Ask the Kubernetes API of a bay what its user may do."""

from __future__ import annotations

import dataclasses

import kubernetes.client

from rally_magnum_scale.kube import client


@dataclasses.dataclass(frozen=True)
class Action:
    """An action on objects of one kind.

    :param verb: such as ``create``
    :param resource: such as ``pods`` or ``pods/log``
    :param group: API group; empty for the core group
    """

    verb: str
    resource: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"


def is_allowed(
    cluster: client.KubeClient, action: Action, namespace: str = ""
) -> bool | None:
    """Return whether the user may carry out an action.

    Nothing is stored in the bay.

    :param namespace: of the objects, which need not exist; empty for objects
        of the whole cluster
    :returns: None if the API server can't tell
    :raises KubernetesError: when the API refuses or breaks off
    """
    resource, _, subresource = action.resource.partition("/")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {
            "resourceAttributes": {
                "verb": action.verb,
                "group": action.group,
                "resource": resource,
                "subresource": subresource,
                "namespace": namespace,
            }
        },
    }
    api = kubernetes.client.AuthorizationV1Api(cluster.api)
    with client.translate_errors("review the user's rights"):
        answer = api.create_self_subject_access_review(
            review,
            _preload_content=False,
            _request_timeout=(client.SILENCE_S, client.SILENCE_S),
        )
        status = client.parse(answer.data).get("status", {})
        if "allowed" not in status:
            raise ValueError("status.allowed is missing")
    if status["allowed"] is True:
        return True
    return None if status.get("evaluationError") else False
