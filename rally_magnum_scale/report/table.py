"""The SLA table for a terminal, in plain text.

Rally prints one line for the whole SLA of a task.  This table shows the
measured values, the bounds and the margins.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.report import bay_grids
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import event_grids
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import grids
from rally_magnum_scale.report import model
from rally_magnum_scale.report import searches
from rally_magnum_scale.report import turnover

WIDTH = 100
_GAP = "  "
_STEP_HEAD = (
    "Step",
    "Offered",
    "Achieved",
    "Errors",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "max ms",
    "rps/core",
    "rps/pod core",
    "Counts",
)


def render(report: model.Report, width: int = WIDTH) -> str:
    """Return the verdicts, the steps and the lives of the bays as text.

    :param width: columns of the terminal; text is wrapped to this width, and
        the table omits columns to fit
    """
    blocks = [_workload(one, width) for one in report.workloads]
    if ladder := grids.ladder(report.workloads):
        told = _wrap(f"{ladder.title}. {ladder.caption}", width)
        blocks.insert(0, "\n".join([told, *_grid_lines(ladder, width)]))
    if turned := turnover.find(report.workloads):
        blocks.append(_wrap(turned.sentence, width))
    closing = conclusion.conclude(report.workloads, report.errors).sentence
    return "\n\n".join([*blocks, _wrap(closing, width)]) + "\n"


def _workload(workload: model.Workload, width: int) -> str:
    runs = [one.numbered_run for one in workload.iterations]
    heading = workload.scenario
    if workload.title:
        heading += f": {workload.title}"
    lines = [_wrap(heading, width), "", *_verdict_lines(workload, width)]
    lines += _notes(conclusion.reasons(workload.verdicts()), width)
    remarks = (
        *conclusion.cleanup_errors(workload),
        *conclusion.differences(workload),
    )
    lines += [_wrap(f"! {one}.", width) for one in remarks]
    lines += _context_lines(workload, width)
    spread, seen = grids.spread(workload), workload.bays()
    lines += _captioned(spread, spread.caption if spread else "", width)
    if len(seen) == 1:
        lines += ["", _wrap(_life(seen[0].bay), width, indent=2)]
    else:
        bays = bay_grids.bays(seen)
        lines += _captioned(bays, "Seconds from the request.", width)
    changes = bay_grids.node_changes(runs)
    lines += _captioned(changes, "Seconds from each request.", width)
    for events in event_grids.every(runs):
        caption = "Seconds from the beginning of each event."
        lines += _captioned(events, caption, width)
    several = len(workload.iterations) > 1
    for iteration in workload.iterations:
        lines += _iteration_lines(iteration, several, width)
    return "\n".join(lines)


def _context_lines(workload: model.Workload, width: int) -> list[str]:
    """Return errors of contexts, and the times of contexts with bays."""
    texts = [
        f"The context {one.name} failed: "
        f"{records.describe_error(one.setup_error)}"
        if one.setup_error
        else formatting.context(one)
        for one in workload.contexts
        if one.setup_error or one.name == "bays"
    ]
    wrapped = [_wrap(one, width, indent=2) for one in texts]
    return ["", *wrapped] if wrapped else []


def _captioned(grid: grids.Grid | None, caption: str, width: int) -> list[str]:
    if grid is None:
        return []
    head = _wrap(f"{grid.title}. {caption}", width)
    return ["", head, *_grid_lines(grid, width)]


def _grid_lines(grid: grids.Grid, width: int) -> list[str]:
    return [*_split(grid, width), *_notes(grid.notes, width)]


def _notes(sentences: Iterable[str], width: int) -> list[str]:
    return [_wrap(f"- {one}", width, indent=2) for one in sentences]


def _split(grid: grids.Grid, width: int) -> list[str]:
    """Lay out a table; split a wide table into parts below each other.

    Each part begins with the first column, which identifies the row.
    """
    rows = [grid.head, *grid.rows]
    widths = [max(map(display_width, c)) for c in zip(*rows, strict=True)]
    lines: list[str] = []
    for part in _parts(widths, width):
        cells = [[row[at] for at in part] for row in rows]
        lines += _fit(cells[0], cells[1:], (), width)
    return lines


def _parts(widths: Sequence[int], width: int) -> list[list[int]]:
    """Divide columns into parts that fit the width."""
    parts = [[0]]
    for at in range(1, len(widths)):
        taken = [*parts[-1], at]
        room = sum(widths[i] for i in taken) + len(_GAP) * (len(taken) - 1)
        if room > width and len(parts[-1]) > 1:
            parts.append([0, at])
        else:
            parts[-1].append(at)
    return parts


def _verdict_lines(workload: model.Workload, width: int) -> list[str]:
    rows = list(map(_verdict_row, workload.verdicts()))
    others = workload.other_results()
    if not rows and not others:
        return ["The SLA section is empty."]
    if not any(row["Bay"] for row in rows):
        rows = [{k: v for k, v in row.items() if k != "Bay"} for row in rows]
    lines = []
    if rows:
        cells = [tuple(row.values()) for row in rows]
        lines = _fit(tuple(rows[0]), cells, ("Margin", "Where", "Bay"), width)
    for one in others:
        mark = formatting.stored_outcome(one)
        mark = mark if one.success else mark.upper()
        text = f"{mark}{_GAP}{one.criterion}: {one.detail}"
        lines.append(_wrap(text, width, indent=7))
    return lines


def _verdict_row(verdict: verdicts.Verdict) -> grids.Row:
    outcome = formatting.outcome(verdict)
    sign = ">=" if verdict.at_least else "<="
    # The unit is shown only with the measured value, if there is one.
    unit = verdict.unit if verdict.value is None else "ratio"
    return {
        "": outcome if verdict.passed else outcome.upper(),
        "Bound": f"{verdict.criterion} {verdict.bound_key}",
        "Where": verdict.place,
        "Bay": verdict.bay,
        "Measured": verdict.measured,
        "Required": f"{sign} {verdicts.format_value(verdict.bound, unit)}",
        "Margin": formatting.margin(verdict),
        "Margin %": formatting.margin_percent(verdict),
    }


def _iteration_lines(
    iteration: model.Iteration, several: bool, width: int
) -> list[str]:
    lines = [""]
    if several:
        lines.append(f"Iteration {iteration.number}")
    if iteration.error:
        text = f"Failed: {records.describe_error(iteration.error)}"
        lines.append(_wrap(text, width, indent=2))
    if found := iteration.run.max_rate:
        steps = searches.grid(found)
        lines += [
            _wrap(searches.sentence(found), width, indent=2),
            _wrap(f"{steps.title}. {steps.caption}", width, indent=2),
            *_fit(steps.head, steps.rows, ("Why", "Steady s"), width),
            "",
        ]
    if load := iteration.run.throughput:
        lines.append(_wrap(formatting.load(iteration.run), width, indent=2))
        # The page has the kinds of errors; a line has only room for a count.
        rows = list(map(_step_row, load.steps))
        lines += _fit(_STEP_HEAD, rows, ("rps/pod core", "rps/core"), width)
        lines += _notes(
            filter(None, map(formatting.answered, load.steps)), width
        )
        if cores := grids.cores(load):
            # The page explains the columns.
            lines += ["", cores.title, *_grid_lines(cores, width), ""]
        lines += [_wrap(formatting.requests(iteration.run), width, indent=2)]
    return lines if lines[several + 1 :] else []


def _life(bay: bay_records.Bay) -> str:
    origin = formatting.made_by(bay)
    parts = [f"Bay of {formatting.nodes(bay)}{origin and f', {origin}'}"]
    for name, done, missing in (
        ("create_s", "created in", "not created"),
        ("nodes_ready_s", "all nodes Ready after", "nodes not all Ready"),
        ("delete_s", "deleted in", "not deleted"),
    ):
        told = f"{done} {formatting.bay_time(bay, name)}"
        there = getattr(bay, name) is not None
        parts.append(told if there else "" if origin else missing)
    if each_s := formatting.s_per_node(bay):
        parts.append(f"{formatting.seconds(each_s)} a node")
    parts.append(formatting.nodes_ready(bay))
    if bay.client_memory_peak_bytes is not None:
        peak = formatting.megabytes(bay.client_memory_peak_bytes)
        parts.append(f"the plugin used {peak} MB at most")
    if bay.failure or bay.reason:
        parts.append(formatting.failure(bay))
    return "; ".join(part for part in parts if part).rstrip(".") + "."


def _step_row(step: records.StepResult) -> tuple[str, ...]:
    latency = (
        formatting.latency(step, name)
        for name in ("p50", "p99", "p99_9", "max")
    )
    closed = step.offered_rps is None
    return (
        str(step.step),
        "closed" if closed else formatting.number(step.offered_rps),
        formatting.number(step.achieved_rps),
        formatting.number(step.failed),
        *latency,
        formatting.number(step.rps_per_core_real_nodes),
        formatting.number(step.rps_per_core),
        "yes" if step.valid else "NO",
    )


def _fit(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    spare: Sequence[str],
    width: int,
) -> list[str]:
    """Lay out a table; with fewer columns, or as lines, if it is too wide.

    :param spare: heads of the columns that can be omitted, in this order
    """
    for count in range(len(spare) + 1):
        gone = spare[:count]
        kept = [i for i, name in enumerate(head) if name not in gone]
        lines = _columns([[row[i] for i in kept] for row in (head, *rows)])
        if max(map(display_width, lines)) <= width:
            return lines
    return [
        _wrap(_GAP.join(cell for cell in row if cell), width, indent=4)
        for row in rows
    ]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align cells: words to the left, numbers to the right."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(display_width, column)) for column in columns]
    right = [grids.is_figures(column[1:]) for column in columns]
    return [
        _GAP.join(
            _pad(cell, width, flush)
            for cell, width, flush in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    ]


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - display_width(text))
    return space + text if right else text + space


def display_width(text: str) -> int:
    """Return how many columns a text takes in a terminal."""
    return sum(
        0
        if unicodedata.combining(letter)
        else 2
        if unicodedata.east_asian_width(letter) in "WF"
        else 1
        for letter in text
    )


def _wrap(text: str, width: int, indent: int = 0) -> str:
    return textwrap.fill(text, width, subsequent_indent=" " * indent)
