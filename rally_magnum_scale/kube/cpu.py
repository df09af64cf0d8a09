"""Read the CPU counters of a load's pods and nodes.

The kubelet of each node exports the counters with their time stamps, in a
page of a few kilobytes that the API server proxies.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import re
from collections.abc import Iterable
from collections.abc import Mapping

from rally_magnum_scale import exceptions
from rally_magnum_scale.in_bay.stats.cpu_time import Reading
from rally_magnum_scale.kube import client

# The kubelet's page for autoscalers, which has only CPU and memory.
PAGE = "metrics/resource"
# Number of nodes that are read in parallel, and the timeout of one node.
AT_ONCE = 16
TIMEOUT_S = 5.0

_LINE = re.compile(
    r"^(pod|node)_cpu_usage_seconds_total(?:\{(.*)\})? (\S+) (\d+)$",
    re.MULTILINE,
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclasses.dataclass(frozen=True)
class Readings:
    """The counters from one read of several nodes.

    :param pods: readings by name of the pod
    :param nodes: readings of the nodes' own counters by name of the node
    :param failures: error messages by name of the node
    """

    pods: Mapping[str, Reading]
    nodes: Mapping[str, Reading]
    failures: Mapping[str, str]


def read_nodes(
    cluster: client.KubeClient,
    namespace: str,
    nodes: Iterable[str],
    *,
    deadline_s: float,
) -> Readings:
    """Read the counters of nodes in parallel.

    Never raises for a node that fails: its error is in the result.

    :param namespace: of the pods
    :param nodes: names of the nodes
    :param deadline_s: seconds after which missing responses are given up
    """
    pods: dict[str, Reading] = {}
    own: dict[str, Reading] = {}
    failures: dict[str, str] = {}
    executor = concurrent.futures.ThreadPoolExecutor(AT_ONCE, "cpu")
    asked = {
        executor.submit(_page, cluster, node): node for node in set(nodes)
    }
    done, late = concurrent.futures.wait(asked, deadline_s)
    executor.shutdown(wait=False, cancel_futures=True)
    for one in done:
        try:
            found, of_node = read(one.result(), namespace)
        except (exceptions.KubernetesError, ValueError) as error:
            failures[asked[one]] = str(error)
            continue
        pods |= found
        own |= {asked[one]: of_node} if of_node else {}
    failures |= {
        asked[one]: f"The node {asked[one]} did not answer the request for "
        f"{PAGE} within {deadline_s:g} s."
        for one in late
    }
    return Readings(pods, own, failures)


def read(
    page: str, namespace: str
) -> tuple[dict[str, Reading], Reading | None]:
    """Parse the page of one node.

    :param page: in the text format of Prometheus
    :param namespace: of the wanted pods
    :returns: the pods' counters by name, and the node's counter
    :raises ValueError: when a value is not a number
    """
    pods, node = {}, None
    for kind, labels, used, at_ms in _LINE.findall(page):
        one = Reading(int(at_ms) / 1000, float(used))
        named = dict(_LABEL.findall(labels))
        if kind == "node":
            node = one
        elif named.get("namespace") == namespace:
            pods[named["pod"]] = one
    return pods, node


def _page(cluster: client.KubeClient, node: str) -> str:
    with client.translate_errors(f"read the CPU counters of the node {node}"):
        answer = cluster.core.connect_get_node_proxy_with_path(
            node,
            PAGE,
            _preload_content=False,
            _request_timeout=(TIMEOUT_S, TIMEOUT_S),
        )
        return str(answer.data.decode())
