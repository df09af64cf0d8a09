"""The table of SLA criteria: their bounds, and how each value is read."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import histogram
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.measurement import staleness

# The kubelet probes once a second whether a pod is Ready.
PROBE_S = 1.0

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Bound:
    """One bound of a criterion.

    Each function takes the subject of the criterion, such as a step.

    :param read: returns the value, in ``unit``; None if there is none
    :param quantity: what the bound limits, in words
    :param missing: returns why there is no value; empty if unknown
    :param doubt: returns why the value does not count; empty if it counts
    :param infinity: describes an infinite value in words; empty if such a
        value can't be right
    :param interval: returns the interval in which the true value lies: above
        its first end, and not above its second.  A bound between the two
        can't be judged.  None if the value is judged as it is
    :param interval_reason: why the interval is not narrower
    :param resolution: returns how closely a value is measured at best, in
        ``unit``; also takes the value.  0 for a count
    """

    read: Callable[[Any], float | None]
    quantity: str
    unit: str = "s"
    at_least: bool = False
    missing: Callable[[Any], str] = lambda _: ""
    doubt: Callable[[Any], str] = lambda _: ""
    infinity: Callable[[Any], str] = lambda _: ""
    interval: Callable[[Any], Interval | None] = lambda _: None
    interval_reason: str = ""
    resolution: Callable[[Any, float], float] = lambda *_: 0.0

    @property
    def description(self) -> str:
        """What the bound limits, and on which side."""
        return f"{self.quantity}, at {'least' if self.at_least else 'most'}"

    def resolution_of(self, subject: Any, value: float) -> float:
        """Return how closely a finite value of a subject is measured."""
        low, high = self.interval(subject) or (0.0, 0.0)
        return max(high - low, self.resolution(subject, value))


@dataclasses.dataclass(frozen=True)
class Criterion:
    """A criterion of the SLA section and its bounds.

    :param subject: ``step``, ``load``, ``bay``, ``api``, ``max_rate``, a
        purpose of a change of nodes, or a kind of event: what its bounds are
        read from
    :param compared: whether its values are metrics, which are compared over
        many runs
    """

    name: str
    summary: str
    subject: str
    bounds: Mapping[str, Bound]
    compared: bool = True

    def schema(self) -> dict[str, Any]:
        """Return the closed JSON schema of its configuration."""
        properties: dict[str, Any] = {
            key: {
                "type": "number",
                "minimum": 0,
                "description": f"{bound.description}, in {bound.unit}.",
            }
            for key, bound in self.bounds.items()
        }
        if self.subject == "step":
            properties["step"] = {
                "type": "integer",
                "minimum": 1,
                "description": "Number of the judged step; default: the last.",
            }
            properties["during"] = {
                "enum": [disruption_records.UPDATE, disruption_records.FAULT],
                "description": "Judge the time of each event of this kind "
                "instead of a step.",
            }
        return {
            "type": "object",
            "properties": properties,
            "anyOf": [{"required": [key]} for key in self.bounds],
            "additionalProperties": False,
        }


def normalise(name: str) -> str:
    """Return the name of a criterion without its platform.

    Rally takes ``request_rate@default`` for ``request_rate``, and stores
    the result under the short name.
    """
    return name.partition("@")[0]


def _constant(resolution: float) -> Callable[[Any, float], float]:
    return lambda *_: resolution


def _latency(name: str) -> Bound:
    """Bound a percentile of the latency of a step, in ms."""

    def read(step: records.StepResult) -> float | None:
        value_us = step.latency_us.get(name)
        if value_us is not None:
            return value_us / 1000
        # A failed request is slower than any bound.
        return math.inf if name in step.latency_us and step.failed else None

    return Bound(
        read,
        f"{name.replace('_', '.')} of the latency from the intended send time",
        "ms",
        infinity=attrgetter("slowest"),
        resolution=_bucket_width_ms,
    )


def _bucket_width_ms(_: records.StepResult, value_ms: float) -> float:
    """Return the width of the histogram's bucket that holds a latency."""
    floor_us = histogram.bucket_floor_us(round(value_ms * 1000))
    return (histogram.bucket_top_us(floor_us) + 1 - floor_us) / 1000


_POLLED = "Magnum's API answered no poll in between"
_UNWATCHED = "the watch reported nothing in between"
_UNSEEN = "neither Magnum nor the nodes were seen in between"


def _below(value: float | None, resolution: float | None) -> Interval | None:
    """Return the interval of a time that was recorded at its upper end."""
    if value is None or resolution is None:
        return None
    return value - resolution, value


def _openstack_errors(bay: bay_records.Bay) -> int | None:
    errors = bay.openstack_errors
    return None if errors is None else sum(errors.values())


def _node_percentile(name: str) -> Bound:
    def read(bay: bay_records.Bay) -> float | None:
        return (bay.node_ready_s or {}).get(name)

    return Bound(
        read,
        f"Time to the {name} of the nodes, by the bay's own timestamps",
        missing=attrgetter("node_ready_missing"),
        doubt=lambda bay: _nodes_doubt(bay) or _timed_doubt(bay),
        interval=lambda bay: _below(read(bay), bay.node_ready_resolution_s),
        interval_reason="the clocks of bay and client are not more exact",
    )


def _times(
    prefix: str,
    name: str,
    quantities: tuple[str, str],
    per_node: Callable[[Any, float | None], float | None],
    *,
    interval_reason: str = "",
    resolution_s: float = 0.0,
    doubt: Callable[[Any], str] = lambda _: "",
) -> dict[str, Bound]:
    """Bound a time of a bay or of a change of its nodes, whole and per node.

    :param prefix: of the keys of the bounds
    :param name: the field of the time
    :param quantities: the time, and the time per node, in words
    :param per_node: divides a time of the subject by its nodes
    :param resolution_s: how closely the time is measured if its record does
        not say so
    """
    read = attrgetter(name)
    return {
        f"{prefix}max_s": Bound(
            read,
            quantities[0],
            doubt=doubt,
            interval=lambda subject: _below(
                read(subject), subject.resolution_s(name)
            ),
            interval_reason=interval_reason,
            resolution=_constant(resolution_s),
        ),
        f"{prefix}max_s_per_node": Bound(
            lambda subject: per_node(subject, read(subject)),
            quantities[1],
            "s/node",
            doubt=doubt,
            interval=lambda subject: _below(
                per_node(subject, read(subject)),
                per_node(subject, subject.resolution_s(name)),
            ),
            interval_reason=interval_reason,
            resolution=lambda subject, _: (
                per_node(subject, resolution_s) or 0.0
            ),
        ),
    }


def _bay_times(
    name: str,
    interval_reason: str,
    doubt: Callable[[bay_records.Bay], str] = lambda _: "",
) -> dict[str, Bound]:
    return _times(
        "",
        name,
        ("Time", "Time divided by the number of nodes"),
        lambda bay, time_s: bay.per_node(name, time_s),
        interval_reason=interval_reason,
        doubt=doubt,
    )


def _lag(first: str, last: str, quantity: str) -> Bound:
    """Bound how long after one time of a bay another one followed.

    The lag is 0 if they came in the other order.

    :param first: the field of the time from which the lag counts
    :param last: the field of the time at which it ends
    """

    def read(bay: bay_records.Bay) -> float | None:
        first_s: float | None = getattr(bay, first)
        last_s: float | None = getattr(bay, last)
        if first_s is None or last_s is None:
            return None
        return max(0.0, last_s - first_s)

    def interval(bay: bay_records.Bay) -> Interval | None:
        first_s, last_s = bay.resolution_s(first), bay.resolution_s(last)
        if first_s is None or last_s is None:
            return None
        lag_s = getattr(bay, last) - getattr(bay, first)
        return max(0.0, lag_s - last_s), max(0.0, lag_s + first_s)

    return Bound(
        read,
        quantity,
        doubt=_nodes_doubt,
        interval=interval,
        interval_reason=_UNSEEN,
    )


def _change_times(
    prefix: str, name: str, quantity: str, interval_reason: str
) -> dict[str, Bound]:
    return _times(
        prefix,
        name,
        (quantity, f"{quantity}, divided by the nodes added or removed"),
        bay_records.NodeChange.per_node,
        interval_reason=interval_reason,
        resolution_s=staleness.WATCH_S,
    )


def _nodes_doubt(bay: bay_records.Bay) -> str:
    """Return why the nodes that became Ready may not be all nodes."""
    if bay.nodes_real is None or bay.nodes_hollow is None:
        return "its nodes were not counted"
    found = bay.nodes_real + bay.nodes_hollow
    if found < bay.nodes:
        return f"only {found} of {bay.nodes} nodes were there"
    return ""


def _timed_doubt(bay: bay_records.Bay) -> str:
    """Return why percentiles over nodes may leave some nodes out."""
    if bay.nodes_timed is None:
        return "it is not known how many of its nodes were timed"
    if bay.nodes_timed < bay.nodes:
        return f"only {bay.nodes_timed} of {bay.nodes} nodes were timed"
    return ""


def _pod_percentile(name: str) -> Bound:
    def read(load: records.Throughput) -> float | None:
        return (load.pod_start_s or {}).get(name)

    def interval(load: records.Throughput) -> Interval | None:
        time_s, exact_s = read(load), load.pod_start_resolution_s
        if time_s is None or exact_s is None:
            return None
        return max(0.0, time_s - exact_s), time_s + exact_s

    return Bound(
        read,
        f"{name} of the time over the pods",
        doubt=_pods_doubt,
        interval=interval,
        interval_reason=_UNWATCHED,
        resolution=_constant(PROBE_S),
    )


def _pods_doubt(load: records.Throughput) -> str:
    """Return why the timed pods may not be all pods."""
    if load.pods_unready is None:
        return "it is not known whether all of the load's pods were Ready"
    if load.pods_unready:
        return f"{load.pods_unready} of the load's pods were never Ready"
    if load.pods_timed is None:
        return "it is not known how many of the load's pods were timed"
    # Besides targets and workers there is one Locust master.
    pods = load.targets + load.workers + 1
    if load.pods_timed < pods:
        return f"only {load.pods_timed} of the load's {pods} pods were timed"
    return ""


def _api_p99(kind: str, what: str) -> Bound:
    """Bound the p99 of a kind of request to the API server.

    :param what: what these requests do, in words
    """

    def interval(api: bay_records.ApiLatency) -> Interval | None:
        found = api.kinds.get(kind, {})
        low_s, high_s = found.get("p99_low_s"), found.get("p99_high_s")
        return None if low_s is None or high_s is None else (low_s, high_s)

    def missing(api: bay_records.ApiLatency) -> str:
        found = api.kinds.get(kind, {})
        low_s = found.get("p99_low_s")
        if low_s is None or found.get("p99_s") is not None:
            return api.missing
        return (
            f"the p99 lies above {low_s:g} s, in the last bucket of the API "
            "server's histogram, which has no upper end"
        )

    return Bound(
        lambda api: api.kinds.get(kind, {}).get("p99_s"),
        f"p99 of requests that {what}",
        missing=missing,
        doubt=attrgetter("missing"),
        interval=interval,
        interval_reason="the buckets of the API server's histogram are not "
        "finer",
    )


def _event_time(
    name: str,
    quantity: str,
    resolution_s: float,
    doubt: Callable[[Any], str] = lambda _: "",
) -> Bound:
    """Bound a time of a disruption.

    :param name: the field of the time
    :param resolution_s: how closely the time is measured at best
    """
    read = attrgetter(name)
    return Bound(
        read,
        quantity,
        doubt=doubt,
        interval=lambda event: _below(read(event), event.resolution_s(name)),
        interval_reason="nothing was observed in between",
        resolution=_constant(resolution_s),
    )


def _load_doubt(event: disruption_records.DisruptionRecord) -> str:
    """Return why the requests during an event do not count."""
    if event.load is None:
        return "the result of the load during this time is unknown"
    return "; ".join(event.load.reasons)


def _search_resolution(found: records.MaxRate, value: float) -> float:
    return value * found.precision


_NODES_S = "Time to the last new node Ready and the last old one gone"

_CRITERIA = (
    Criterion(
        "request_rate",
        "The rate of expected responses in the steady window of a step.",
        "step",
        {
            "min_rps": Bound(
                attrgetter("achieved_rps"), "Rate", "rps", at_least=True
            ),
            "min_rps_per_core": Bound(
                attrgetter("rps_per_core_real_nodes"),
                "Rate over all cores of the nodes that are not hollow",
                "rps/core",
                at_least=True,
            ),
            "min_rps_per_pod_core": Bound(
                attrgetter("rps_per_core"),
                "Rate over the cores that the pods could use",
                "rps/core",
                at_least=True,
            ),
            "min_requests_per_cpu_s": Bound(
                lambda step: step.requests_per_cpu_s.get("pods"),
                "Expected responses over the CPU seconds that targets and "
                "generators used",
                "req/CPU s",
                at_least=True,
                missing=attrgetter("cpu_missing"),
            ),
        },
    ),
    Criterion(
        "request_latency",
        "The latency of all requests that were due in a step, from the "
        "intended send time; one that failed is slower than any bound.",
        "step",
        {
            f"{name}_ms": _latency(name)
            for name in ("p50", "p90", "p99", "p99_9", "max")
        },
    ),
    Criterion(
        "request_errors",
        "The share of the requests due in a step that failed.",
        "step",
        {
            "max_ratio": Bound(
                attrgetter("error_ratio"),
                "Failed requests over all that were due",
                "ratio",
            )
        },
    ),
    Criterion(
        "pod_startup_time",
        "The time from the creation of a load's pods until each is Ready. "
        "Kubernetes' own SLO is a p99 of 5 s without the time to pull "
        "images: pull them ahead to compare with it.",
        "load",
        {
            f"{name}_s": _pod_percentile(name)
            for name in ("p50", "p90", "p99", "max")
        },
    ),
    Criterion(
        "api_latency",
        "How fast the API server of a bay answered, by its own metrics, "
        "from the opening of the bay to the end of the work in it. "
        "Kubernetes' own SLO is 1 s for mutating and get requests, and "
        "30 s for lists.",
        "api",
        {
            "mutating_p99_s": _api_p99("mutating", "change an object"),
            "get_p99_s": _api_p99("get", "read one object"),
            "list_p99_s": _api_p99("list", "list objects"),
        },
    ),
    Criterion(
        "max_rate",
        "The highest rate that a search found and confirmed.",
        "max_rate",
        {
            "min_rps": Bound(
                attrgetter("max_rate_rps"),
                "Highest rate at which the bounds of the search hold",
                "rps",
                at_least=True,
                resolution=_search_resolution,
            ),
            "min_rps_per_core": Bound(
                attrgetter("rps_per_core_real_nodes"),
                "The same over all cores of the nodes that are not hollow",
                "rps/core",
                at_least=True,
                resolution=_search_resolution,
            ),
        },
    ),
    Criterion(
        "bay_create_time",
        "The time from the create request until the bay is complete in "
        "Magnum and all of its nodes are Ready.",
        "bay",
        _bay_times("usable_s", _UNSEEN, _nodes_doubt),
    ),
    Criterion(
        "driver_lag",
        "How far the driver's CREATE_COMPLETE is from the moment at which "
        "the last node was Ready.",
        "bay",
        {
            "early_max_s": _lag(
                "create_s",
                "nodes_ready_s",
                "Time from CREATE_COMPLETE until the last node was Ready",
            ),
            "late_max_s": _lag(
                "nodes_ready_s",
                "create_s",
                "Time from the last node Ready until CREATE_COMPLETE",
            ),
        },
        # Of two runs with the same create time, neither is worse.
        compared=False,
    ),
    Criterion(
        "bay_delete_time",
        "The time from the delete request until the bay is gone.",
        "bay",
        _bay_times("delete_s", _POLLED),
    ),
    Criterion(
        "bay_resize_time",
        "The time from the resize request until the bay has the new size.",
        bay_records.RESIZE,
        {
            **_change_times(
                "", "magnum_s", "Time to UPDATE_COMPLETE", _POLLED
            ),
            **_change_times("nodes_", "nodes_s", _NODES_S, _UNWATCHED),
        },
    ),
    Criterion(
        "node_replace_time",
        "The time from the request to replace nodes until it is complete.",
        bay_records.REPLACE,
        {
            **_change_times("", "nodes_s", _NODES_S, _UNWATCHED),
            **_change_times(
                "drain_",
                "drain_s",
                "Time to drain the nodes to remove",
                "the API listed no pods in between",
            ),
        },
    ),
    Criterion(
        "rolling_update_time",
        "The time from the update of the targets until all are new.",
        disruption_records.UPDATE,
        {
            "max_s": _event_time(
                "all_new_s",
                "Time until as many new pods are Ready and the last old one "
                "is gone",
                PROBE_S,
            ),
            "max_s_per_target": Bound(
                attrgetter("per_target_s"),
                "The same, divided by the targets",
                "s/target",
                interval=lambda update: _below(
                    update.per_target_s,
                    update.per_target(update.resolution_s("all_new_s")),
                ),
                interval_reason=_UNWATCHED,
                resolution=lambda update, _: PROBE_S / update.targets,
            ),
        },
    ),
    Criterion(
        "recovery_time",
        "The time from a node fault until the load is served as before.",
        disruption_records.FAULT,
        {
            "max_s": _event_time(
                "recovery_s",
                "Time until the targets are Ready on other nodes and no "
                "request fails any more",
                windows.WINDOW_S,
                _load_doubt,
            ),
            "notice_max_s": _event_time(
                "noticed_s",
                "Time until Kubernetes has detected the fault",
                staleness.WATCH_S,
            ),
            "pods_max_s": _event_time(
                "pods_ready_s",
                "Time until the targets are Ready on other nodes",
                PROBE_S,
            ),
            "requests_max_s": _event_time(
                "requests_s",
                "Time until no request fails any more",
                windows.WINDOW_S,
                _load_doubt,
            ),
        },
    ),
    Criterion(
        "api_errors",
        "The requests to OpenStack that failed and were retried.",
        "bay",
        {
            "max": Bound(
                _openstack_errors,
                "Failed requests to Keystone, Magnum, Nova and Neutron",
                "requests",
            ),
        },
        compared=False,
    ),
    Criterion(
        "node_ready_time",
        "The time from the create request until the nodes are Ready.",
        "bay",
        {
            **_bay_times(
                "nodes_ready_s",
                "the last node was not seen in between",
                _nodes_doubt,
            ),
            **{f"{p}_s": _node_percentile(p) for p in ("p50", "p90", "p99")},
        },
    ),
)
CRITERIA = {criterion.name: criterion for criterion in _CRITERIA}
