"""Read the metrics of Kubernetes' API server and kubelets.

Both export them in the text format of Prometheus.  Only the lines that are
needed go through the parser, because it takes 80 µs for a line, and an API
server has tens of thousands of lines.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

import kubernetes.client
from prometheus_client import parser
from prometheus_client import samples

from rally_magnum_scale import exceptions
from rally_magnum_scale.in_bay.stats.cpu_time import Reading
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import watching
from rally_magnum_scale.measurement import api_latency

# The first metric excludes the time in queues and webhooks, as the SLO does.
# Servers before Kubernetes 1.27 have only the second metric.
_LATENCY = (
    "apiserver_request_sli_duration_seconds_bucket",
    "apiserver_request_duration_seconds_bucket",
)
_STARTED = "process_start_time_seconds"
# Streams last as long as their client listens, so their duration is no
# latency.
_STREAMS = frozenset(("log", "exec", "attach", "portforward", "proxy"))
_VERBS = frozenset(
    verb for verbs in api_latency.KINDS.values() for verb in verbs
)

# The kubelet's page for autoscalers, which has only CPU and memory: a few
# kilobytes, which the API server proxies.
_PAGE = "metrics/resource"
_POD_CPU = "pod_cpu_usage_seconds_total"
_NODE_CPU = "node_cpu_usage_seconds_total"
# Number of nodes that are read in parallel, and the timeout of one node.
_AT_ONCE = 16
_TIMEOUT_S = 5.0


@dataclasses.dataclass(frozen=True)
class CpuUsage:
    """The CPU counters of several nodes.

    :param pods: counters by name of the pod
    :param nodes: the nodes' own counters by name of the node
    :param failures: error messages by name of the node
    """

    pods: Mapping[str, Reading]
    nodes: Mapping[str, Reading]
    failures: Mapping[str, str]


def read_api_latency(cluster: client.KubeClient) -> api_latency.ApiCounters:
    """Read the API server's histograms of its request durations.

    Behind the address of a bay with several masters, each request may reach
    another API server, and each server counts only its own requests.  So the
    counters of one server are no counters of the bay.

    :raises KubernetesError: when a request fails, a metric is missing, or the
        bay does not have exactly one API server
    :raises ValueError: when a line can't be parsed
    """
    servers = _count_api_servers(cluster)
    if servers != 1:
        raise exceptions.KubernetesError(
            f"The bay has {servers} API servers by its EndpointSlice "
            "`kubernetes`, and only the counters of a single one can be read."
        )
    found: dict[str, dict[str, api_latency.Buckets]] = {}
    started_at = None
    with client.translate_errors("read the API server's metrics"):
        answer = cluster.stream("/metrics")
        try:
            lines = (line.decode() for line in watching.lines(answer))
            for sample in _samples(lines, *_LATENCY, _STARTED):
                if sample.name == _STARTED:
                    started_at = float(sample.value)
                else:
                    _add_bucket(sample, found.setdefault(sample.name, {}))
        finally:
            answer.close()
    measured = next((found[one] for one in _LATENCY if found.get(one)), None)
    if measured is not None and started_at is not None:
        return api_latency.ApiCounters(started_at, measured)
    lacking = _LATENCY[-1] if measured is None else _STARTED
    raise exceptions.KubernetesError(
        f"The metrics of the bay's Kubernetes API lack {lacking}."
    )


def _count_api_servers(cluster: client.KubeClient) -> int:
    """Count the API servers, which list themselves in EndpointSlices."""
    with client.translate_errors("list the API servers"):
        slices = client.persist(
            lambda: kubernetes.client.DiscoveryV1Api(
                cluster.api
            ).list_namespaced_endpoint_slice(
                "default",
                label_selector="kubernetes.io/service-name=kubernetes",
            )
        )
    return len(
        {
            address
            for one in slices.items
            for endpoint in one.endpoints or ()
            for address in endpoint.addresses
        }
    )


def read_cpu_usage(
    cluster: client.KubeClient,
    namespace: str,
    nodes: Iterable[str],
    *,
    deadline_s: float,
) -> CpuUsage:
    """Read the CPU counters of nodes and their pods in parallel.

    Never raises for a node that fails: its error is in the result.

    :param namespace: of the pods
    :param nodes: names of the nodes
    :param deadline_s: seconds after which missing responses are given up
    """
    pods: dict[str, Reading] = {}
    own: dict[str, Reading] = {}
    failures: dict[str, str] = {}
    executor = concurrent.futures.ThreadPoolExecutor(_AT_ONCE, "cpu")
    requests = {
        executor.submit(_page, cluster, node): node for node in set(nodes)
    }
    done, late = concurrent.futures.wait(requests, deadline_s)
    executor.shutdown(wait=False, cancel_futures=True)
    for request in done:
        node = requests[request]
        try:
            of_pods, of_node = _parse_cpu(request.result(), namespace)
        except (exceptions.KubernetesError, ValueError) as error:
            failures[node] = str(error)
            continue
        pods |= of_pods
        own |= {node: of_node} if of_node else {}
    failures |= {
        requests[request]: f"The node {requests[request]} did not answer the "
        f"request for {_PAGE} within {deadline_s:g} s."
        for request in late
    }
    return CpuUsage(pods, own, failures)


def _samples(lines: Iterable[str], *metrics: str) -> Iterator[samples.Sample]:
    """Parse the lines of some metrics.

    :raises ValueError: when a line can't be parsed
    """
    wanted = (line for line in lines if line.startswith(metrics))
    for family in parser.text_fd_to_metric_families(wanted):
        yield from (one for one in family.samples if one.name in metrics)


def _add_bucket(
    sample: samples.Sample, verbs: dict[str, api_latency.Buckets]
) -> None:
    verb = sample.labels.get("verb", "")
    if verb in _VERBS and sample.labels.get("subresource") not in _STREAMS:
        buckets = verbs.setdefault(verb, {})
        bound_s = float(sample.labels["le"])
        buckets[bound_s] = buckets.get(bound_s, 0.0) + float(sample.value)


def _parse_cpu(
    page: str, namespace: str
) -> tuple[dict[str, Reading], Reading | None]:
    """Return the counters of the pods by name, and of the node.

    A counter without a time stamp can't be used.
    """
    pods, node = {}, None
    for sample in _samples(page.splitlines(), _POD_CPU, _NODE_CPU):
        if sample.timestamp is None:
            continue
        counter = Reading(float(sample.timestamp), float(sample.value))
        if sample.name == _NODE_CPU:
            node = counter
        elif sample.labels.get("namespace") == namespace:
            pods[sample.labels["pod"]] = counter
    return pods, node


def _page(cluster: client.KubeClient, node: str) -> str:
    with client.translate_errors(f"read the CPU counters of the node {node}"):
        answer = cluster.core.connect_get_node_proxy_with_path(
            node,
            _PAGE,
            _preload_content=False,
            _request_timeout=(_TIMEOUT_S, _TIMEOUT_S),
        )
        return str(answer.data.decode())
