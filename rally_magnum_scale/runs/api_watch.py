"""Measure an API server's request latency from its own histograms."""

from __future__ import annotations

from collections.abc import Callable

from rally_magnum_scale import exceptions
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import component_metrics
from rally_magnum_scale.measurement import api_latency

Summary = dict[str, dict[str, float | None]]


class ApiWatch:
    """Reads the server's histograms at the start and at the end of the work.

    Failures are reported and recorded, never raised.

    :param cluster: the open Kubernetes API of the bay
    :param log: callback for a line when the histograms can't be read
    """

    def __init__(
        self, cluster: client.KubeClient, log: Callable[[str], None]
    ) -> None:
        self._cluster = cluster
        self._log = log
        self._missing = ""
        self._before = self._read()

    def conclude(self) -> bay_records.ApiLatency:
        """Return the latency of the requests since the watch was created."""
        after = self._read()
        if self._before is None or after is None:
            return bay_records.ApiLatency({}, {}, self._missing)
        try:
            verbs = api_latency.between(self._before, after)
        except ValueError as error:
            return bay_records.ApiLatency({}, {}, str(error))
        kinds = {
            kind: api_latency.merged(verbs, names)
            for kind, names in api_latency.KINDS.items()
        }
        return bay_records.ApiLatency(_summary(kinds), _summary(verbs))

    def _read(self) -> api_latency.ApiCounters | None:
        try:
            return component_metrics.read_api_latency(self._cluster)
        except (exceptions.KubernetesError, ValueError) as error:
            self._missing = str(error).rstrip(".")
            self._log(f"can't read the API server's latency: {error}")
            return None


def _summary(found: dict[str, api_latency.Buckets]) -> Summary:
    return {
        name: {
            "requests": api_latency.count(buckets),
            **_quantile("p50", buckets, 0.5),
            **_quantile("p99", buckets, 0.99),
        }
        for name, buckets in sorted(found.items())
        if api_latency.count(buckets)
    }


def _quantile(
    name: str, buckets: api_latency.Buckets, share: float
) -> dict[str, float | None]:
    found = api_latency.quantile(buckets, share)
    if found is None:
        return {f"{name}_s": None}
    return {
        f"{name}_s": found.value_s,
        f"{name}_low_s": found.low_s,
        f"{name}_high_s": found.high_s,
    }
