"""Hollow nodes: they are made and removed through the Kubernetes API."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import control_plane

AT_ONCE = 8
# Its kubelet is gone, and would have to confirm a graceful end.
FORCED = "gracePeriodSeconds=0"


def post(
    client: api.ApiClient, names: Iterable[str], silent: frozenset[str]
) -> None:
    """Make hollow nodes, one after the other.

    :param client: of the bay's API server
    :param names: of the nodes
    :param silent: those among them that never become Ready
    :raises SandboxError: when the API server refuses one
    """
    for name in names:
        node = control_plane.hollow_node(name, works=name not in silent)
        client.post("/api/v1/nodes", node)


def post_all(client: api.ApiClient, names: Sequence[str]) -> None:
    """Make hollow nodes, several at once.

    :raises SandboxError: when the API server refuses one
    """
    shares = [names[number::AT_ONCE] for number in range(AT_ONCE)]
    _at_once(shares, lambda share: post(client, share, frozenset()), client)


def delete_all(client: api.ApiClient, names: Sequence[str]) -> None:
    """Delete Node objects, and then the pods that ran on them.

    In this order: a DaemonSet makes its pod anew as long as the node is
    there.

    :raises SandboxError: when the API server refuses
    """

    def delete(paths: Sequence[str]) -> None:
        for path in paths:
            client.delete(path)

    nodes = [f"/api/v1/nodes/{name}" for name in names]
    _at_once([nodes[i::AT_ONCE] for i in range(AT_ONCE)], delete, client)
    pods = [_path(pod) for pod in _pods_on(client, frozenset(names))]
    _at_once([pods[i::AT_ONCE] for i in range(AT_ONCE)], delete, client)


def _pods_on(
    client: api.ApiClient, names: frozenset[str]
) -> list[dict[str, Any]]:
    # The API can select one node's pods, or all.
    found = json.loads(client.get("/api/v1/pods"))["items"]
    return [pod for pod in found if pod["spec"].get("nodeName") in names]


def _path(pod: dict[str, Any]) -> str:
    metadata = pod["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    return f"/api/v1/namespaces/{namespace}/pods/{name}?{FORCED}"


def _at_once(
    shares: Sequence[Sequence[str]],
    work: Callable[[Sequence[str]], None],
    client: api.ApiClient,
) -> None:
    def do(share: Sequence[str]) -> None:
        try:
            work(share)
        finally:
            client.close()

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(do, share) for share in shares if share]:
            done.result()
