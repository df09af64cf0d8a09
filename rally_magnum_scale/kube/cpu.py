"""What the pods of a load used of CPU, by the counters of their nodes.

The kubelet of each node tells them through the API server, with the time
at which it read each: a page of some kilobytes that is there already.
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

# The kubelet's, for autoscalers: CPU and memory and nothing else.
PAGE = "metrics/resource"
# How many nodes are asked at once, and how long one of them may take.
AT_ONCE = 16
TIMEOUT_S = 5.0

_LINE = re.compile(
    r"^(pod|node)_cpu_usage_seconds_total(?:\{(.*)\})? (\S+) (\d+)$",
    re.MULTILINE,
)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclasses.dataclass(frozen=True)
class Look:
    """What nodes told when they were asked once.

    :param pods: name of a pod to what its counter said
    :param nodes: name of a node to what its own counter said
    :param failures: why nodes told nothing, by their names
    """

    pods: Mapping[str, Reading]
    nodes: Mapping[str, Reading]
    failures: Mapping[str, str]


def look(
    cluster: client.KubeClient,
    namespace: str,
    nodes: Iterable[str],
    *,
    deadline_s: float,
) -> Look:
    """Ask nodes, many at once, for their counters.

    Nothing is raised: what is missing is missing.

    :param namespace: of the pods
    :param nodes: their names
    :param deadline_s: seconds after which no answer is waited for any more
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
        asked[one]: f"The node {asked[one]} was asked for {PAGE} and did not "
        f"answer within {deadline_s:g} s."
        for one in late
    }
    return Look(pods, own, failures)


def read(
    page: str, namespace: str
) -> tuple[dict[str, Reading], Reading | None]:
    """Read the page of one node.

    :param page: in the text format of Prometheus
    :param namespace: of the pods that are asked for
    :returns: name of a pod to its counter, and the counter of the node
    :raises ValueError: when a figure is none
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
