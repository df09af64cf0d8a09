"""Nodes that one or more tasks created and deleted per hour."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.report import drawing
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import model

HOUR_S = 3600.0
# Possible lengths of an interval; the length limits their number.
_STRETCHES_S = (60, 120, 300, 600, 900, 1800, 3600)
MOST_STRETCHES = 60
# From this length on, the axis is in hours: tasks may be nights apart.
_LONG_S = 4 * HOUR_S
_CHANGES = ("magnum.resize_bay", "magnum.replace_nodes")


@dataclasses.dataclass(frozen=True)
class Change:
    """Nodes that were created or deleted together.

    :param at: epoch seconds at which all were created, or all were gone
    :param nodes: number of nodes; below 0 if they were deleted
    """

    at: float
    nodes: int


@dataclasses.dataclass(frozen=True)
class Turnover:
    """The nodes that tasks created and deleted, in order of time.

    :param begun: start of the first iteration, in epoch seconds
    :param length_s: time until the last creation or deletion
    """

    begun: float
    length_s: float
    changes: tuple[Change, ...]

    @property
    def created(self) -> int:
        """Number of created nodes."""
        return sum(one.nodes for one in self.changes if one.nodes > 0)

    @property
    def deleted(self) -> int:
        """Number of deleted nodes."""
        return -sum(one.nodes for one in self.changes if one.nodes < 0)

    @property
    def has_course(self) -> bool:
        """Whether it lasted long enough for a plot over time."""
        return self.length_s > 2 * _STRETCHES_S[0]

    @property
    def sentence(self) -> str:
        """The turnover in a sentence."""
        hours = self.length_s / HOUR_S
        return (
            f"{self.created:,} nodes created and {self.deleted:,} deleted in "
            f"{formatting.seconds(self.length_s)}: "
            f"{formatting.number(self.created / hours)} and "
            f"{formatting.number(self.deleted / hours)} per hour, bays of "
            "contexts not counted."
        )


def find(workloads: Sequence[model.Workload]) -> Turnover | None:
    """Collect the nodes that the iterations of tasks created and deleted.

    :returns: None if there was at most one creation or deletion
    """
    iterations = [one for work in workloads for one in work.iterations]
    changes = [change for one in iterations for change in _of(one)]
    changes.sort(key=lambda change: change.at)
    starts = [one.started_at for one in iterations if one.started_at]
    if sum(one.nodes > 0 for one in changes) < 2 or not starts:
        return None
    begun = min(starts)
    return Turnover(begun, max(1.0, changes[-1].at - begun), tuple(changes))


def _of(iteration: model.Iteration) -> Iterator[Change]:
    made = [b for b in iteration.run.bays if b.made_by == "scenario"]
    changes = list(iteration.run.node_changes)
    # The number of nodes of a bay whose creation failed is unknown.
    size = 0
    for action in iteration.actions:
        at = action.finished_at
        if action.name in _CHANGES and changes:
            # A failed change also counts as far as it changed the nodes.
            change = changes.pop(0)
            if change.nodes_after is not None:
                size = change.nodes_after
            yield from _changed(at, change)
        elif action.failed:
            continue
        elif action.name == "magnum.create_bay" and made:
            size = made[0].nodes
            yield Change(at, size)
        elif action.name == "magnum.delete_bay" and size:
            yield Change(at, -size)


def _changed(at: float, change: bay_records.NodeChange) -> Iterator[Change]:
    if change.added:
        yield Change(at, change.added)
    if change.removed:
        yield Change(at, -change.removed)


def draw(found: Turnover, identifier: str) -> str:
    """Draw the nodes created and deleted per hour over the tasks, as SVG."""
    figure, axes = drawing.new()
    stretch_s = _stretch_s(found.length_s)
    count = math.ceil(found.length_s / stretch_s)
    unit, unit_s = "minutes", 60.0
    if found.length_s > _LONG_S:
        unit, unit_s = "hours", HOUR_S
    edges = [at * stretch_s / unit_s for at in range(count + 1)]
    for name, colour, width, counts in (
        # The thin line last; otherwise the broad line would hide it.
        ("deleted", "offer", 6, lambda nodes: nodes < 0),
        ("created", "blue", 2, lambda nodes: nodes > 0),
    ):
        axes.stairs(
            per_hour(found, stretch_s, count, counts),
            edges,
            color=drawing.COLOUR[colour],
            linewidth=width,
            baseline=None,
            label=name,
        )
    drawing.name_axes(axes, f"{unit} since the beginning")
    drawing.rate_scale(
        axes, f"nodes per hour, over {stretch_s // 60} min each"
    )
    axes.set_xlim(0, edges[-1])
    drawing.legend(axes)
    return drawing.svg(
        figure,
        f"{identifier}-turnover",
        "Nodes created and deleted per hour",
        found.sentence,
    )


def _stretch_s(length_s: float) -> int:
    for stretch_s in _STRETCHES_S:
        if length_s <= stretch_s * MOST_STRETCHES:
            return stretch_s
    return int(HOUR_S * math.ceil(length_s / HOUR_S / MOST_STRETCHES))


def per_hour(
    found: Turnover,
    stretch_s: int,
    count: int,
    counts: Callable[[int], bool],
) -> list[float]:
    """Return the nodes per hour in each interval.

    :param counts: whether a number of nodes counts; the number is below 0
        for deleted nodes
    """
    totals = [0] * count
    for one in found.changes:
        if counts(one.nodes):
            place = int((one.at - found.begun) / stretch_s)
            totals[min(place, count - 1)] += abs(one.nodes)
    return [total * HOUR_S / stretch_s for total in totals]
