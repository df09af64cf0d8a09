"""Tables of bays, node changes and API servers."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import grids
from rally_magnum_scale.report import model


def bays(seen: Sequence[model.SeenBay]) -> grids.Grid | None:
    """Return the table of bays, with one row per bay.

    :returns: None when there is no bay
    """
    caption = (
        "Times are seconds by the monotonic clock, from the request until "
        "the end was observed. Create and delete are exact to the time "
        "between the last poll of Magnum's API before the end and the "
        "first poll after it, the longer of the two. s/node is the time "
        "until all nodes were Ready, divided by the number of nodes. p50 "
        "and p99 are over the nodes, by the bay's own time stamps, and "
        "have their resolution. MB is the peak memory of the process that "
        "ran the iteration."
    )
    if any(one.bay.nodes_hollow for one in seen):
        caption += (
            " Hollow nodes are Node objects without a machine; all load ran "
            "on the real nodes."
        )
    return grids.compact(
        "Bays" if len(seen) > 1 else "Life of the bay",
        caption,
        list(map(_bay_row, seen)),
        (note for one in seen for note in _bay_notes(one.bay)),
        # As a note they take less room.
        foldable=(
            "Made by",
            "Template",
            "Masters",
            "Exact to s",
            "Stamps s",
            "Kubernetes",
            "Status",
        ),
    )


def _bay_notes(bay: bay_records.Bay) -> Iterator[str]:
    name = bay.name or bay.uuid
    if bay.failure or bay.reason:
        yield f"{name}: {formatting.failure(bay)}"
    if bay.node_ready_missing:
        yield f"{name}: {bay.node_ready_missing}."
    if bay.magnum_requests_timed_out:
        yield (
            f"{name}: of {formatting.number(bay.magnum_requests)} requests, "
            f"Magnum's API left {bay.magnum_requests_timed_out:,} unanswered; "
            "these timed out and were retried."
        )
    if bay.openstack_errors:
        counts = (
            f"{failure} ({count:,})"
            for failure, count in bay.openstack_errors.items()
        )
        yield (
            f"{name}: requests to OpenStack that failed and were retried: "
            f"{', '.join(counts)}."
        )


def api(run: records.Run) -> grids.Grid | None:
    """Return the latency table of a bay's API server.

    :returns: a row for each verb, or None when nothing was measured
    """
    found = run.api_latency
    if found is None:
        return None
    rows = [*found.kinds.items(), *found.verbs.items()]
    return grids.plain(
        "API server of the bay",
        "From the API server's own histograms, from the opening of the "
        "bay to the end of the work in it, without watches and streams. "
        "Percentiles are interpolated within a bucket, whose bounds are "
        "given in brackets. Kubernetes' SLO is a p99 of 1 s for mutating "
        "and get and 30 s for list, for each resource. Here all resources "
        "of the one server that was read are combined.",
        [
            {
                "Requests": name,
                "Count": formatting.number(one.get("requests")),
                "p50 ms": _quantile_ms(one, "p50"),
                "p99 ms": _quantile_ms(one, "p99"),
            }
            for name, one in rows or [("none", {"requests": 0})]
        ],
        [f"Not measured: {found.missing}."] if found.missing else (),
    )


def _quantile_ms(one: Mapping[str, float | None], name: str) -> str:
    value_s = one.get(f"{name}_s")
    low_s, high_s = one.get(f"{name}_low_s"), one.get(f"{name}_high_s")
    value, low, high = map(grids.milliseconds, (value_s, low_s, high_s))
    if low_s is None:
        return value
    return f"> {low}" if high_s is None else f"{value} ({low} to {high})"


def node_changes(runs: Sequence[records.Run]) -> grids.Grid | None:
    """Return the table of node changes.

    :returns: a row for each change, or None when there is none
    """
    several = len(runs) > 1
    changes = [(run, one) for run in runs for one in run.node_changes]
    return grids.compact(
        "Changes of nodes",
        "Times are seconds by the monotonic clock from each request. "
        "Magnum s ends when UPDATE_COMPLETE was observed. Nodes s ends "
        "when a watch showed the last new node Ready and the last old "
        "node gone. s/node is nodes s divided by the number of added or "
        "removed nodes. p50 and p99 are over the new nodes. Drain s is "
        "the time before the request. Exact to s is the coarsest "
        "resolution of these times: Magnum is polled, and a watch that "
        "broke off reports late. "
        "MB is the peak memory of the process that ran the iteration.",
        [
            _change_row(run.iteration if several else None, one)
            for run, one in changes
        ],
        (
            f"Change {one.number}: {one.reason}"
            for _, one in changes
            if one.failure
        ),
        foldable=("What", "Exact to s", "Ended"),
    )


def _change_row(
    iteration: int | None, change: bay_records.NodeChange
) -> grids.Row:
    ready_s = change.node_ready_s or {}
    return {
        "Change": str(change.number),
        "Iteration": str(iteration or ""),
        "What": change.purpose,
        "From": f"{change.nodes_before:,}",
        "To": f"{change.nodes_wanted:,}",
        "To go": formatting.number(change.to_go or None),
        "Evicted": formatting.number(change.evicted),
        "Drain s": formatting.number(change.drain_s),
        "Magnum s": formatting.number(change.magnum_s),
        "Nodes s": formatting.number(change.nodes_s),
        "s/node": formatting.brief(change.per_node(change.nodes_s)),
        "p50 s": formatting.number(ready_s.get("p50")),
        "p99 s": formatting.number(ready_s.get("p99")),
        "New": formatting.number(change.added),
        "Gone": formatting.number(change.removed),
        "Stayed": formatting.number(change.stayed),
        "Exact to s": formatting.brief(change.coarsest_resolution_s),
        "Peak MB": formatting.megabytes(change.client_memory_peak_bytes),
        "Ended": f"failed ({change.failure})" if change.failure else "well",
    }


def _bay_row(seen: model.SeenBay) -> grids.Row:
    bay = seen.bay
    ready_s = bay.node_ready_s or {}
    kind = f" ({bay.failure})" if bay.failure else ""
    return {
        "Bay": bay.name or bay.uuid,
        "Iteration": grids.ranges(seen.iterations),
        "Made by": bay.made_by,
        "Template": formatting.template(bay),
        "Nodes": f"{bay.nodes:,}",
        "Real": formatting.number(bay.nodes_real),
        "Hollow": formatting.number(bay.nodes_hollow),
        "Masters": f"{bay.masters:,}",
        "Create s": formatting.number(bay.create_s),
        "Ready s": formatting.number(bay.nodes_ready_s),
        "s/node": formatting.brief(formatting.s_per_node(bay)),
        "p50 s": formatting.number(ready_s.get("p50")),
        "p99 s": formatting.number(ready_s.get("p99")),
        "Delete s": formatting.number(bay.delete_s),
        "Exact to s": formatting.brief(bay.polled_resolution_s),
        "Stamps s": formatting.brief(bay.node_ready_resolution_s),
        "Peak MB": formatting.megabytes(bay.client_memory_peak_bytes),
        "Kubernetes": bay.kubernetes_version,
        "Status": f"{bay.status}{kind}",
    }
