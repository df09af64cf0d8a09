"""Read the API server's histograms of its request durations."""

from __future__ import annotations

import re

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import watching
from rally_magnum_scale.measurement import api_latency

# The first metric excludes the time in queues and webhooks, as the SLO does.
# Servers before Kubernetes 1.27 have only the second metric.
_METRICS = (
    "apiserver_request_sli_duration_seconds_bucket",
    "apiserver_request_duration_seconds_bucket",
)
_STARTED = "process_start_time_seconds "
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# Streams last as long as their client listens, so their duration is no
# latency.
_STREAMS = frozenset(("log", "exec", "attach", "portforward", "proxy"))
_VERBS = frozenset(
    verb for verbs in api_latency.KINDS.values() for verb in verbs
)


def read(cluster: client.KubeClient) -> api_latency.ApiCounters:
    """Read the API server's counters.

    :raises KubernetesError: when the request fails or the metric is missing
    """
    found: dict[str, dict[str, api_latency.Buckets]] = {}
    started_at = 0.0
    with client.translate_errors("read the API server's metrics"):
        answer = cluster.stream("/metrics")
        try:
            for line in watching.lines(answer):
                text = line.decode()
                if text.startswith(_STARTED):
                    started_at = float(text[len(_STARTED) :])
                elif text.startswith(_METRICS):
                    _take(text, found)
        finally:
            answer.close()
    for metric in _METRICS:
        if metric in found:
            return api_latency.ApiCounters(started_at, found[metric])
    raise exceptions.KubernetesError(
        f"The metrics of the bay's Kubernetes API lack {_METRICS[-1]}."
    )


def _take(line: str, found: dict[str, dict[str, api_latency.Buckets]]) -> None:
    metric, _, rest = line.partition("{")
    labels, _, value = rest.rpartition("} ")
    named = dict(_LABEL.findall(labels))
    verb = named.get("verb", "")
    if verb not in _VERBS or named.get("subresource") in _STREAMS:
        return
    buckets = found.setdefault(metric, {}).setdefault(verb, {})
    bound_s = float(named["le"])
    buckets[bound_s] = buckets.get(bound_s, 0.0) + float(value)
