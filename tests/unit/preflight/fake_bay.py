"""The Kubernetes API of a bay on loopback, as far as a preflight reads it."""

from __future__ import annotations

import contextlib
import pathlib
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

import kubernetes.client
import yaml

from rally_magnum_scale.kube import client
from tests.unit import loopback


class FakeBay:
    """Three nodes of 4 cores, 8 GiB and 110 pods; everything is allowed.

    :ivar url: address at which it is served
    :ivar refuse: regular expression of paths to the status that they get
    :ivar denied: actions that are not allowed, as ``verb resource``
    :ivar undecided: actions about which the server can't decide
    """

    def __init__(self) -> None:
        self.url = ""
        self.nodes = [node(f"n-{number}") for number in range(3)]
        self.pods: list[dict[str, Any]] = []
        # Those of other loads.
        self.namespaces: list[dict[str, Any]] = []
        self.config_maps: list[dict[str, Any]] = []
        self.refuse: dict[str, int] = {}
        self.denied: set[str] = set()
        self.undecided: set[str] = set()
        self.requests: list[tuple[str, str]] = []
        self.reviewed: list[dict[str, str]] = []

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        self.requests.append((method, target))
        for pattern, status in self.refuse.items():
            if re.search(pattern, target):
                return status, {"message": "no luck"}
        kind = urllib.parse.urlsplit(target).path.rpartition("/")[2]
        if kind == "selfsubjectaccessreviews":
            return 201, {"status": self._review(body)}
        items = {
            "nodes": self.nodes,
            "pods": self.pods,
            "configmaps": self.config_maps,
            "namespaces": self.namespaces,
        }[kind]
        return 200, {"metadata": {"resourceVersion": "1"}, "items": items}

    def _review(self, body: Any) -> dict[str, Any]:
        asked = body["spec"]["resourceAttributes"]
        self.reviewed.append(asked)
        names = filter(None, [asked["resource"], asked["subresource"]])
        action = f"{asked['verb']} {'/'.join(names)}"
        if action in self.undecided:
            return {"allowed": False, "evaluationError": "no webhook"}
        return {"allowed": action not in self.denied}


def node(name: str, **changes: Any) -> dict[str, Any]:
    """Return a Ready node.

    :param changes: ``labels``, ``taints``, ``unschedulable``, ``ready`` and
        allocatable resources
    """
    room = {"cpu": "4", "memory": "8Gi", "pods": "110"}
    room |= {key: changes[key] for key in room if key in changes}
    ready = str(changes.get("ready", True))
    return {
        "metadata": {"name": name, "labels": changes.get("labels", {})},
        "spec": {
            "taints": changes.get("taints"),
            "unschedulable": changes.get("unschedulable", False),
        },
        "status": {
            "allocatable": room,
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def pod(where: str, cpu: str = "1", **spec: Any) -> dict[str, Any]:
    """Return a pod that runs on a node."""
    container = {"resources": {"requests": {"cpu": cpu}}}
    return {
        "metadata": {"name": "p", "namespace": "n"},
        "spec": {"nodeName": where, "containers": [container], **spec},
    }


def kubeconfig(path: pathlib.Path, url: str) -> str:
    """Write a kubeconfig with the context ``bay``, and return its path."""
    content = {
        "current-context": "bay",
        "clusters": [{"name": "bay", "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [
            {"name": "bay", "context": {"cluster": "bay", "user": "me"}}
        ],
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


@contextlib.contextmanager
def serve() -> Iterator[FakeBay]:
    """Serve a bay at its ``url``."""
    bay = FakeBay()
    with loopback.serve(bay.answer) as bay.url:
        yield bay


@contextlib.contextmanager
def connect(url: str) -> Iterator[client.KubeClient]:
    """Open the API at an address."""
    configuration = kubernetes.client.Configuration()
    configuration.host = url
    configuration.retries = False
    with kubernetes.client.ApiClient(configuration) as api:
        yield client.KubeClient(api)
