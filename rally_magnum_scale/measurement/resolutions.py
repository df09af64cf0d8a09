"""How closely each metric is measured, from the way it is measured.

A difference below its resolution is none.  What is not in the table is
counted, not timed, and so is exact: rates, shares and CPU seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from rally_magnum_scale.in_bay.stats import histogram
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import criteria

# A watch tells of an event when it happens.
WATCH_S = 0.001
# How often the kubelet asks a target whether it is Ready, and how long a
# window of requests is.
PROBE_S = WINDOW_S = 1.0
# Upper bounds of the buckets of apiserver_request_duration_seconds in
# Kubernetes (staging/src/k8s.io/apiserver/pkg/endpoints/metrics/metrics.go).
API_BUCKETS_S = (
    *(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0),
    *(3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)

Resolution = Callable[[records.Run, float], float]


def find(
    criterion: str, bound_key: str, run: records.Run, value: float
) -> float:
    """Return how closely a value was measured, in the unit of its bound.

    :param run: the records that the value was read from
    """
    known = BY_BOUND.get((criterion, bound_key))
    return known(run, value) if known else 0.0


def _constant(resolution: float) -> Resolution:
    return lambda *_: resolution


def _coarsest(known: Iterable[float | None]) -> float:
    """Return the highest resolution; 0 where none is known."""
    return max(filter(None, known), default=0.0)


def _of_bay(name: str) -> Resolution:
    def find(run: records.Run, value: float) -> float:
        del value
        return _coarsest(bay.resolution_s(name) for bay in run.bays)

    return find


def _of_bay_per_node(name: str) -> Resolution:
    def find(run: records.Run, value: float) -> float:
        del value
        return _coarsest(
            criteria.divide_by_nodes(bay, name, bay.resolution_s(name))
            for bay in run.bays
        )

    return find


def _stamp_s(run: records.Run, value: float) -> float:
    del value
    return _coarsest(bay.node_ready_resolution_s for bay in run.bays)


def _of_change(name: str) -> Resolution:
    def find(run: records.Run, value: float) -> float:
        del value
        return _coarsest(one.resolution_s(name) for one in run.node_changes)

    return find


def _per_changed(of_change: Resolution) -> Resolution:
    """Divide the resolution of a time by the nodes that came or went."""

    def divided(run: records.Run, value: float) -> float:
        fewest = min(filter(None, (one.changed for one in run.node_changes)))
        return of_change(run, value) / fewest

    return divided


def _per_target(run: records.Run, value: float) -> float:
    del value
    return PROBE_S / min(filter(None, (one.targets for one in run.updates)))


def _api_bucket_s(run: records.Run, value: float) -> float:
    """Return the width of the bucket; the last one is as wide as it is."""
    del run
    lower_s = 0.0
    for upper_s in API_BUCKETS_S:
        if value <= upper_s:
            return upper_s - lower_s
        lower_s = upper_s
    return value


def _latency_bucket_ms(run: records.Run, value: float) -> float:
    del run
    floor_us = histogram.bucket_floor_us(round(value * 1000))
    return (histogram.bucket_top_us(floor_us) + 1 - floor_us) / 1000


def _search(run: records.Run, value: float) -> float:
    return value * run.max_rate.precision if run.max_rate else 0.0


def _timed() -> Iterator[tuple[str, str, Resolution]]:
    for criterion, name in (
        ("bay_create_time", "create_s"),
        ("bay_delete_time", "delete_s"),
        ("node_ready_time", "nodes_ready_s"),
    ):
        yield criterion, "max_s", _of_bay(name)
        yield criterion, "max_s_per_node", _of_bay_per_node(name)
    for name in ("p50", "p90", "p99"):
        yield "node_ready_time", f"{name}_s", _stamp_s
    for name in ("p50", "p90", "p99", "max"):
        yield "pod_startup_time", f"{name}_s", _constant(PROBE_S)
    for name in ("p50", "p90", "p99", "p99_9", "max"):
        yield "request_latency", f"{name}_ms", _latency_bucket_ms
    for name in ("mutating", "get", "list"):
        yield "api_latency", f"{name}_p99_s", _api_bucket_s
    for criterion, prefix, of_change in (
        ("bay_resize_time", "", _of_change("magnum_s")),
        ("bay_resize_time", "nodes_", _constant(WATCH_S)),
        ("node_replace_time", "", _constant(WATCH_S)),
        ("node_replace_time", "drain_", _of_change("drain_s")),
    ):
        yield criterion, f"{prefix}max_s", of_change
        yield criterion, f"{prefix}max_s_per_node", _per_changed(of_change)
    yield "rolling_update_time", "max_s", _constant(PROBE_S)
    yield "rolling_update_time", "max_s_per_target", _per_target
    yield "recovery_time", "max_s", _constant(WINDOW_S)
    yield "recovery_time", "notice_max_s", _constant(WATCH_S)
    yield "recovery_time", "pods_max_s", _constant(PROBE_S)
    yield "recovery_time", "requests_max_s", _constant(WINDOW_S)
    yield "max_rate", "min_rps", _search
    yield "max_rate", "min_rps_per_core", _search


# Criterion and key of a bound to the resolution of what is bounded.
BY_BOUND: Mapping[tuple[str, str], Resolution] = {
    (criterion, key): found for criterion, key, found in _timed()
}
