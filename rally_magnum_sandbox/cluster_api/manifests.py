"""The manifests that make a Kubernetes a management cluster; no I/O.

Cluster API's manifests expect that core runs in a pod. Here it runs beside
the API server, so its webhooks are called by URL.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rally_magnum_sandbox.cluster_api import kinds

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
# Core finds the versions of a provider's contract by this label.
CONTRACT = {"cluster.x-k8s.io/v1beta2": kinds.VERSION}
MACHINE_TEMPLATE = kinds.Kind(
    "SandboxMachineTemplate", "sandboxmachinetemplates"
)
SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
}


@dataclass(frozen=True)
class WebhookServer:
    """Where the API server reaches core's webhooks.

    :param url: without a path
    :param authority: the certificate authority in base64
    """

    url: str
    authority: str

    def client_config(self, path: str) -> dict[str, str]:
        return {"url": f"{self.url}{path}", "caBundle": self.authority}


def core_crd(crd: Mapping[str, Any], webhooks: WebhookServer) -> Any:
    """Complete a CRD of core, so that core converts between its versions.

    :param crd: from core's sources
    """
    conversion = {
        "strategy": "Webhook",
        "webhook": {
            "conversionReviewVersions": ["v1"],
            "clientConfig": webhooks.client_config("/convert"),
        },
    }
    labels = {"cluster.x-k8s.io/provider": "cluster-api"}
    metadata = {**crd["metadata"], "labels": labels}
    spec = {**crd["spec"], "conversion": conversion}
    return {**crd, "metadata": metadata, "spec": spec}


def provider_crds() -> Iterator[dict[str, Any]]:
    """Return the CRDs of the provider; their schemas accept anything."""
    anything = {
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": True,
    }
    schema = {
        "type": "object",
        "properties": {"spec": anything, "status": anything},
    }
    for kind in (*kinds.ALL, MACHINE_TEMPLATE):
        scales = kind is kinds.CONTROL_PLANE
        version = {
            "name": kinds.VERSION,
            "served": True,
            "storage": True,
            "subresources": {
                "status": {},
                **({"scale": SCALE} if scales else {}),
            },
            "schema": {"openAPIV3Schema": schema},
        }
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{kind.plural}.{kinds.GROUP}",
                "labels": CONTRACT,
            },
            "spec": {
                "group": kinds.GROUP,
                "scope": "Namespaced",
                "names": {
                    "kind": kind.name,
                    "listKind": f"{kind.name}List",
                    "plural": kind.plural,
                    "singular": kind.name.lower(),
                    "categories": ["cluster-api"],
                },
                "versions": [version],
            },
        }


def webhook_configuration(
    document: Mapping[str, Any], webhooks: WebhookServer
) -> tuple[str, dict[str, Any]]:
    """Complete a configuration of core's admission webhooks.

    :param document: from core's sources
    :returns: its path and its content
    """
    name = f"capi-{document['metadata']['name']}"
    hooks = [
        {
            **hook,
            "clientConfig": webhooks.client_config(
                hook["clientConfig"]["service"]["path"]
            ),
        }
        for hook in document["webhooks"]
    ]
    content = {
        **document,
        "metadata": {**document["metadata"], "name": name},
        "webhooks": hooks,
    }
    plural = f"{document['kind'].lower()}s"
    return f"/apis/admissionregistration.k8s.io/v1/{plural}/{name}", content


def is_established(crd: Mapping[str, Any] | None) -> bool:
    """Tell whether the API server serves a CRD's kind."""
    # The API server writes null until it has looked at the CRD.
    conditions = (crd or {}).get("status", {}).get("conditions") or []
    return any(
        c["type"] == "Established" and c["status"] == "True"
        for c in conditions
    )
