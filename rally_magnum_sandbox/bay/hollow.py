"""Create and remove hollow nodes through the Kubernetes API."""

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
# Only a kubelet can complete a graceful deletion, and it is gone.
FORCED = "gracePeriodSeconds=0"


def post(
    client: api.ApiClient, names: Iterable[str], unready: frozenset[str]
) -> None:
    """Create hollow nodes, one after the other.

    :param client: of the bay's API server
    :param names: of the nodes
    :param unready: names of nodes that never become Ready
    :raises SandboxError: if the API server refuses a node
    """
    for name in names:
        node = control_plane.hollow_node(name, works=name not in unready)
        client.post("/api/v1/nodes", node)


def post_all(client: api.ApiClient, names: Sequence[str]) -> None:
    """Create hollow nodes in parallel.

    :raises SandboxError: if the API server refuses a node
    """
    shares = [names[number::AT_ONCE] for number in range(AT_ONCE)]
    _at_once(shares, lambda share: post(client, share, frozenset()), client)


def delete_all(client: api.ApiClient, names: Sequence[str]) -> None:
    """Delete Node objects, and then the pods on these nodes.

    The order matters: as long as the node exists, a DaemonSet recreates its
    pod.

    :raises SandboxError: if the API server refuses
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
    # The API can only select the pods of one node, or all pods.
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
