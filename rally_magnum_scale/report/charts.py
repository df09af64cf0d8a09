"""The charts of one iteration for Rally's own report.

Only Rally's own chart types are used.  A task's report must also open where
this package is not installed, and Rally can't render a report that names an
unknown chart type.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.report import bay_grids
from rally_magnum_scale.report import event_grids
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import grids
from rally_magnum_scale.report import model
from rally_magnum_scale.report import plot
from rally_magnum_scale.report import run_plots
from rally_magnum_scale.report import searches

# With more segments, the legend would cover the chart.
MAX_PARTS = 6


def outputs(run: records.Run) -> list[dict[str, Any]]:
    """Return the ``complete`` outputs of one iteration.

    :param run: its records; charts of missing records are left out
    :returns: values for ``add_output(complete=...)``
    """
    found = _search(run.max_rate) if run.max_rate else []
    found += [_lines(one) for one in run_plots.plots(run)]
    found += map(_table, event_grids.every([run]))
    if run.throughput and run.throughput.steps:
        found.append(_steps(run, run.throughput))
        if table := grids.cores(run.throughput):
            found.append(_table(table))
    if len(run.bays) == 1:
        found.append(_life(run.bays[0]))
    elif drawn := bay_grids.bays([model.SeenBay(bay) for bay in run.bays]):
        found.append(_table(drawn))
    for table in (bay_grids.node_changes([run]), bay_grids.api(run)):
        if table:
            found.append(_table(table))
    return found


def additive(run: records.Run) -> list[dict[str, Any]]:
    """Return the ``additive`` outputs, which Rally merges over iterations.

    Rally merges them by their positions, so outputs that may be missing in
    a failed iteration must come last.

    :param run: the records of one iteration
    :returns: values for ``add_output(additive=...)``
    """
    times = [row for bay in run.bays for row in _bay_times(bay)]
    times += [row for one in run.node_changes for row in _change_times(one)]
    events = [row for one in run.updates for row in _update_times(one)]
    events += [row for one in run.faults for row in _fault_times(one)]
    steps = run.throughput.steps if run.throughput else ()
    found_rps = run.max_rate.max_rate_rps if run.max_rate else None
    found = []
    if times:
        title = "Bays of all iterations"
        origin = "From the request, as the scenario observed it."
        found.append(_statistics(title, origin, times))
    if steps:
        rate_rps = steps[-1].achieved_rps
        found.append(_rate("Rate of the last step", "achieved", rate_rps))
    if found_rps:
        found.append(_rate("Highest rate", "highest rate", found_rps))
    if events:
        title = "Updates and lost nodes of all iterations"
        origin = "From the beginning of each event."
        found.append(_statistics(title, origin, events))
    return found


def _statistics(
    title: str, origin: str, rows: list[list[Any]]
) -> dict[str, Any]:
    """Return the statistics of times over all iterations."""
    return {
        "title": title,
        "description": origin,
        "chart_plugin": "StatsTable",
        "data": rows,
    }


def _rate(title: str, name: str, rate_rps: float) -> dict[str, Any]:
    """Return a line over the iterations."""
    return {
        "title": title,
        "description": "Expected responses per second, in each iteration.",
        "chart_plugin": "Lines",
        "data": [[name, round(rate_rps, 1)]],
        "label": "requests per second",
        "axis_label": "iteration",
    }


def _search(found: records.MaxRate) -> list[dict[str, Any]]:
    table = _table(searches.grid(found))
    table["description"] = f"{searches.sentence(found)} {table['description']}"
    shown = searches.curve(found)
    if shown is None:
        return [table]
    ends = (shown.spots[0][0], shown.spots[-1][0])
    drawn = {
        "title": shown.title,
        "description": "The offered rates, and the bound.",
        "chart_plugin": "Lines",
        "data": [
            [shown.name, [[rate, round(ms, 3)] for rate, ms in shown.spots]],
            ["bound", [[rate, shown.bound_ms] for rate in ends]],
        ],
        "label": "latency in ms",
        "axis_label": "requests per second offered",
    }
    return [table, drawn]


def _bay_times(bay: bay_records.Bay) -> list[list[Any]]:
    return _times(
        "",
        ("bay created", bay.create_s),
        ("all nodes Ready", bay.nodes_ready_s),
        ("bay deleted", bay.delete_s),
    )


def _change_times(change: bay_records.NodeChange) -> list[list[Any]]:
    """Return the times of a change, named by its sizes.

    The name is then the same in all iterations.
    """
    return _times(
        f"{change.purpose} {change.number}, {change.nodes_before} to "
        f"{change.nodes_wanted} nodes: ",
        ("Magnum", change.magnum_s),
        ("nodes", change.nodes_s),
    )


def _update_times(update: disruption_records.Update) -> list[list[Any]]:
    return _times(
        f"update {update.number}, {update.targets} targets: ",
        ("new Ready", update.new_ready_s),
        ("old gone", update.old_gone_s),
    )


def _fault_times(fault: disruption_records.Fault) -> list[list[Any]]:
    how = event_grids.how(fault)
    return _times(
        f"fault {fault.number}, nodes {how}: {len(fault.nodes)}: ",
        ("noticed", fault.noticed_s),
        ("targets Ready", fault.pods_ready_s),
        ("last failure", fault.requests_s),
    )


def _times(prefix: str, *times_s: tuple[str, float | None]) -> list[list[Any]]:
    """Return name and seconds of each known time."""
    return [
        [prefix + name, value_s]
        for name, value_s in times_s
        if value_s is not None
    ]


def _table(grid: grids.Grid) -> dict[str, Any]:
    description = " ".join([grid.caption, *grid.notes])
    return _plain_table(grid.title, description, grid.head, grid.rows)


def _plain_table(
    title: str,
    description: str,
    head: Iterable[str],
    rows: Iterable[Iterable[Any]],
) -> dict[str, Any]:
    return {
        "title": title,
        "description": description,
        "chart_plugin": "Table",
        "data": {"cols": list(head), "rows": list(map(list, rows))},
    }


def _lines(drawn: plot.Plot) -> dict[str, Any]:
    stacked = any(line.base for line in drawn.lines)
    return {
        "title": drawn.title,
        "description": drawn.description,
        "chart_plugin": "StackedArea" if stacked else "Lines",
        "data": [row for line in drawn.lines for row in _rows(line, drawn)],
        "label": drawn.values,
        "axis_label": "seconds since the load began",
    }


def _rows(line: plot.Line, drawn: plot.Plot) -> list[list[Any]]:
    """Return ``[name, [[second, value], ...]]`` for each segment of a line.

    Rally's chart would draw a straight line across a gap, and a closed loop
    between two rates would look like an offered rate.
    """
    parts = plot.stretches(line, drawn.course.points)
    # Stacked areas must have the same points.
    if len(parts) > MAX_PARTS or line.base:
        parts = [[point for part in parts for point in part]]
    return [
        [
            line.name if number == 1 else f"{line.name}, part {number}",
            [[one.start_s, round(line.read(one) or 0.0, 3)] for one in part],
        ]
        for number, part in enumerate(parts, 1)
    ]


def _steps(run: records.Run, load: records.Throughput) -> dict[str, Any]:
    rows = list(map(_step_row, load.steps))
    words = [formatting.load(run), *map(formatting.answered, load.steps)]
    return _plain_table(
        "Steps",
        "Over the steady seconds of each step. Latency is measured from the "
        "intended send time, over all requests that were due. "
        + " ".join(words),
        rows[0],
        (row.values() for row in rows),
    )


def _step_row(step: records.StepResult) -> dict[str, Any]:
    closed = step.offered_rps is None
    return {
        "Step": step.step,
        "Steady seconds": step.steady_s,
        "Offered, rps": "closed loop"
        if closed
        else formatting.number(step.offered_rps),
        "Achieved, rps": formatting.number(step.achieved_rps),
        "Errors": formatting.errors(step),
        **{
            f"{name.replace('_', '.')}, ms": formatting.latency(step, name)
            for name in ("p50", "p90", "p99", "p99_9", "max")
        },
        "rps a core of the real nodes": formatting.number(
            step.rps_per_core_real_nodes
        ),
        "rps a core of the pods": formatting.number(step.rps_per_core),
        "Counts": "yes" if step.valid else f"no: {'; '.join(step.reasons)}",
    }


def _life(bay: bay_records.Bay) -> dict[str, Any]:
    peak_bytes = bay.client_memory_peak_bytes
    peak = "" if peak_bytes is None else formatting.megabytes(peak_bytes)
    per_node = formatting.seconds(formatting.s_per_node(bay))
    rows = (
        ("Nodes", formatting.nodes(bay)),
        ("Created in", formatting.bay_time(bay, "create_s")),
        ("All nodes Ready after", formatting.bay_time(bay, "nodes_ready_s")),
        ("The same for each node", per_node),
        ("Nodes Ready after", formatting.nodes_ready(bay)),
        ("Deleted in", formatting.bay_time(bay, "delete_s")),
        ("Peak memory of the plugin, MB", peak),
        ("Origin", formatting.made_by(bay)),
        ("Status", formatting.failure(bay)),
        ("Kubernetes", bay.kubernetes_version),
        ("Template", formatting.template(bay)),
    )
    return _plain_table(
        "Life of the bay",
        "Seconds from the request. Hollow nodes have no machine; all load "
        "ran on the real nodes.",
        ("What", "Value"),
        (row for row in rows if row[1]),
    )
