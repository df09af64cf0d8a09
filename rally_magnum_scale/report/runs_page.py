"""The page over many runs: the course of each metric."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.history import change_points
from rally_magnum_scale.history import comparison
from rally_magnum_scale.history import storage
from rally_magnum_scale.measurement import metrics as run_metrics
from rally_magnum_scale.measurement import trend
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import drawing
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import page

_HEIGHT = 220.0
# The states that banners use; learning is neither good nor bad.
_SIDES = {
    comparison.NOT_WORSE: conclusion.PASS,
    comparison.LEARNING: "",
    comparison.NOT_COMPARED: conclusion.WARN,
    comparison.WORSE: conclusion.FAIL,
}
# Older runs are collapsed.
_RUNS_SHOWN = 10
# Otava compares the runs on both sides of a point, and needs some.
_FEWEST_FOR_CHANGES = 7


def render(
    runs: Sequence[storage.StoredRun], across: Sequence[str] = ()
) -> str:
    """Return the page of a history.

    :param across: conditions in which runs of one group may differ
    :returns: a complete HTML page that needs no network and no script
    """
    finds_changes = _finds_changes()
    groups = [
        _group(f"g{number}", group, tuple(across), finds_changes)
        for number, group in enumerate(storage.groups(runs, across), 1)
    ]
    template = page.environment().get_template("runs.html.j2")
    text: str = template.render(
        groups=groups,
        when=formatting.when,
        finds_changes=finds_changes,
        states=conclusion.LOOKS,
        shown=_RUNS_SHOWN,
    )
    return text


def _finds_changes() -> bool:
    """Return whether Otava is installed."""
    try:
        change_points.find(trend.Trend("", "", False, ()))
    except exceptions.MissingExtra:
        return False
    return True


def _group(
    identifier: str,
    group: Sequence[storage.StoredRun],
    across: tuple[str, ...],
    finds_changes: bool,
) -> dict[str, Any]:
    """Return comparable runs, ready for the template."""
    newest = group[-1]
    compared = comparison.compare_newest(group, comparison.Ask(across=across))
    names = dict.fromkeys(
        [
            *(one.metric for one in compared.outcome.worse),
            *(metric.name for run in group for metric in run.metrics),
        ]
    )
    trends = storage.trends(group)
    return {
        "name": newest.name,
        "conditions": newest.conditions.describe(),
        "runs": group[::-1],
        "state": conclusion.LOOKS[newest.state],
        "beside": _beside(compared.run, newest),
        "compared": compared.sentences(),
        "side": _SIDES[compared.state],
        "metrics": [
            _metric(
                f"{identifier}m{number}",
                name,
                group,
                trends.get(name, trend.Trend(name, "", False, ())),
                finds_changes,
            )
            for number, name in enumerate(names, 1)
        ],
    }


def _beside(
    compared: storage.StoredRun | None, newest: storage.StoredRun
) -> str:
    """Say which run is compared, if the newest run can't be."""
    if compared is None or compared.id == newest.id:
        return "Compared with previous runs"
    return (
        f"The run of {formatting.when(compared.at_s)}, the newest that can be "
        "compared, against previous runs"
    )


def _metric(
    identifier: str,
    name: str,
    group: Sequence[storage.StoredRun],
    known: trend.Trend,
    finds_changes: bool,
) -> dict[str, Any]:
    """Return one metric of comparable runs, ready for the template."""
    measured = [
        (run, metric)
        for run in group
        for metric in run.metrics
        if metric.name == name
    ]
    unit = measured[0][1].unit
    changes: Sequence[change_points.ChangePoint] = ()
    if finds_changes and len(known.points) >= _FEWEST_FOR_CHANGES:
        changes = change_points.find(known)
    uncounted = [
        (_date(run.at_s), metric.value)
        for run, metric in measured
        if _uncounted(run, metric)
    ]
    return {
        "name": name,
        "drawn": drawing.svg(
            _draw(unit, known.points, uncounted, changes),
            identifier,
            name,
            _describe(known.points, uncounted, changes, unit),
        ),
        "rows": [
            (
                run,
                verdicts.format_value(metric.value, metric.unit),
                _uncounted(run, metric),
            )
            for run, metric in reversed(measured)
        ],
        "changes": [_say(one, unit) for one in changes],
    }


def _uncounted(run: storage.StoredRun, metric: run_metrics.Metric) -> str:
    """Return why a value does not count; empty if it counts."""
    if run.state == storage.BROKEN:
        return "the run broke"
    return metric.reason or ("" if run.counts else "the run is invalid")


def _say(change: change_points.ChangePoint, unit: str) -> str:
    side = "worse" if change.change_ratio > 0 else "better"
    share = f"{abs(change.change_ratio):.1%} {side}"
    if math.isinf(change.change_ratio):
        # There is no share of 0.
        share = f"{side}, from 0,"
    before = verdicts.format_value(change.baseline, unit)
    after = verdicts.format_value(change.value, unit)
    return (
        f"{share} since "
        f"{formatting.when(change.since.at_s)}: {after} after {before}"
    )


def _draw(
    unit: str,
    points: Sequence[trend.Point],
    uncounted: Sequence[tuple[datetime.datetime, float]],
    changes: Sequence[change_points.ChangePoint],
) -> Any:
    figure, axes = drawing.new(_HEIGHT)
    drawing.name_axes(axes, y=unit)
    axes.plot(
        [_date(point.at_s) for point in points],
        [point.value for point in points],
        color=drawing.COLOUR["blue"],
        marker="o",
        markersize=4,
    )
    axes.plot(
        [at for at, _ in uncounted],
        [value for _, value in uncounted],
        color=drawing.COLOUR["warn"],
        linestyle="none",
        marker="x",
        markersize=7,
    )
    for change in changes:
        side = "bad" if change.change_ratio > 0 else "good"
        axes.axvline(
            _date(change.since.at_s),
            color=drawing.COLOUR[side],
            linestyle="--",
            linewidth=1.2,
        )
    axes.margins(y=0.15)
    return figure


def _describe(
    points: Sequence[trend.Point],
    uncounted: Sequence[object],
    changes: Sequence[change_points.ChangePoint],
    unit: str,
) -> str:
    if not points:
        return "No run has a value that counts."
    lowest = min(point.value for point in points)
    highest = max(point.value for point in points)
    said = (
        f"{len(points)} runs, from "
        f"{verdicts.format_value(lowest, unit)} to "
        f"{verdicts.format_value(highest, unit)}; the newest "
        f"{verdicts.format_value(points[-1].value, unit)}"
    )
    if uncounted:
        said += f"; {len(uncounted)} do not count"
    if changes:
        said += f"; the level changed {len(changes)} times"
    return f"{said}."


def _date(at_s: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at_s, datetime.UTC)
