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

# Columns that are the same for most bays: as a note they take less room.
_FOLDED = (
    "Made by",
    "Template",
    "Masters",
    "Exact to s",
    "Stamps s",
    "Kubernetes",
    "Status",
)


def bays(seen: Sequence[model.SeenBay]) -> grids.Grid | None:
    """Return the table of bays, with one row per bay.

    :returns: None when there is no bay
    """
    if not seen:
        return None
    found = grids.Grid(
        title="Bays" if len(seen) > 1 else "Life of the bay",
        caption=(
            "Times are seconds by the monotonic clock, from the request until "
            "the end was observed. Create and delete are exact to the time "
            "between the last poll of Magnum's API before the end and the "
            "first poll after it, the longer of the two. s/node is the time "
            "until all nodes were Ready, divided by the number of nodes. p50 "
            "and p99 are over the nodes, by the bay's own time stamps, and "
            "have their resolution. MB is the peak memory of the process that "
            "ran the iteration."
            + (_HOLLOW if any(one.bay.nodes_hollow for one in seen) else "")
        ),
        head=_BAY_HEAD,
        rows=tuple(map(_bay_row, seen)),
        notes=tuple(note for one in seen for note in _bay_notes(one.bay)),
    )
    return found.trimmed().folded(_FOLDED)


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
    return grids.Grid(
        title="API server of the bay",
        caption=(
            "From the API server's own histograms, from the opening of the "
            "bay to the end of the work in it, without watches and streams. "
            "Percentiles are interpolated within a bucket, whose bounds are "
            "given in brackets. Kubernetes' SLO is a p99 of 1 s for mutating "
            "and get and 30 s for list, for each resource. Here all resources "
            "of the one server that was read are combined."
        ),
        head=("Requests", "Count", "p50 ms", "p99 ms"),
        rows=tuple(
            (
                name,
                formatting.number(one.get("requests")),
                _quantile_ms(one, "p50"),
                _quantile_ms(one, "p99"),
            )
            for name, one in rows
        )
        or (("none", "0", grids.NONE, grids.NONE),),
        notes=(f"Not measured: {found.missing}.",) if found.missing else (),
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

    :param runs: one run for each iteration
    :returns: a row for each change, or None when there is none
    """
    rows = [(run, one) for run in runs for one in run.node_changes]
    if not rows:
        return None
    found = grids.Grid(
        title="Changes of nodes",
        caption=(
            "Times are seconds by the monotonic clock from each request. "
            "Magnum s ends when UPDATE_COMPLETE was observed. Nodes s ends "
            "when a watch showed the last new node Ready and the last old "
            "node gone. s/node is nodes s divided by the number of added or "
            "removed nodes. p50 and p99 are over the new nodes. Drain s is "
            "the time before the request. Exact to s is the coarsest "
            "resolution of these times: Magnum is polled, and a watch that "
            "broke off reports late. "
            "MB is the peak memory of the process that ran the iteration."
        ),
        head=_CHANGE_HEAD,
        rows=tuple(
            _change_row(run.iteration if len(runs) > 1 else None, one)
            for run, one in rows
        ),
        notes=tuple(
            f"Change {one.number}: {one.reason}"
            for _, one in rows
            if one.failure
        ),
    )
    return found.trimmed().folded(("What", "Exact to s", "Ended"))


_CHANGE_HEAD = (
    "Change",
    "Iteration",
    "What",
    "From",
    "To",
    "To go",
    "Evicted",
    "Drain s",
    "Magnum s",
    "Nodes s",
    "s/node",
    "p50 s",
    "p99 s",
    "New",
    "Gone",
    "Stayed",
    "Exact to s",
    "Peak MB",
    "Ended",
)


def _change_row(
    iteration: int | None, change: bay_records.NodeChange
) -> tuple[str, ...]:
    ready_s = change.node_ready_s or {}
    return (
        str(change.number),
        str(iteration or ""),
        change.purpose,
        f"{change.nodes_before:,}",
        f"{change.nodes_wanted:,}",
        formatting.number(change.to_go or None),
        formatting.number(change.evicted),
        formatting.number(change.drain_s),
        formatting.number(change.magnum_s),
        formatting.number(change.nodes_s),
        grids.brief(change.per_node(change.nodes_s)),
        formatting.number(ready_s.get("p50")),
        formatting.number(ready_s.get("p99")),
        formatting.number(change.added),
        formatting.number(change.removed),
        formatting.number(change.stayed),
        formatting.brief(change.coarsest_resolution_s),
        formatting.megabytes(change.client_memory_peak_bytes),
        f"failed ({change.failure})" if change.failure else "well",
    )


_HOLLOW = (
    " Hollow nodes are Node objects without a machine; all load ran on the "
    "real nodes."
)
_BAY_HEAD = (
    "Bay",
    "Iteration",
    "Made by",
    "Template",
    "Nodes",
    "Real",
    "Hollow",
    "Masters",
    "Create s",
    "Ready s",
    "s/node",
    "p50 s",
    "p99 s",
    "Delete s",
    "Exact to s",
    "Stamps s",
    "Peak MB",
    "Kubernetes",
    "Status",
)


def _bay_row(seen: model.SeenBay) -> tuple[str, ...]:
    bay = seen.bay
    ready_s = bay.node_ready_s or {}
    kind = f" ({bay.failure})" if bay.failure else ""
    return (
        bay.name or bay.uuid,
        grids.ranges(seen.iterations),
        bay.made_by,
        formatting.template(bay),
        f"{bay.nodes:,}",
        formatting.number(bay.nodes_real),
        formatting.number(bay.nodes_hollow),
        f"{bay.masters:,}",
        formatting.number(bay.create_s),
        formatting.number(bay.nodes_ready_s),
        grids.brief(formatting.s_per_node(bay)),
        formatting.number(ready_s.get("p50")),
        formatting.number(ready_s.get("p99")),
        formatting.number(bay.delete_s),
        formatting.brief(bay.polled_resolution_s),
        formatting.brief(bay.node_ready_resolution_s),
        formatting.megabytes(bay.client_memory_peak_bytes),
        bay.kubernetes_version,
        f"{bay.status}{kind}",
    )
