"""Plots of one iteration: rate, latency, responses by version."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.report import drawing
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import plot
from rally_magnum_scale.report import series

# Colours of the versions; most runs have two.
_VERSION_COLOURS = ("offer", "blue", "violet", "orange")
_UNTOLD_COLOUR = "quiet"


def _latency_ms(name: str) -> Callable[[series.PlotPoint], float | None]:
    def read(point: series.PlotPoint) -> float | None:
        value_us = point.latency_us.get(name)
        return None if value_us is None else value_us / 1000

    return read


RATE_LINES = (
    # Broad, because the achieved rate covers it.
    plot.Line("offered", "offer", lambda point: point.offered_rps, width=6),
    plot.Line("achieved", "blue", lambda point: point.achieved_rps),
    plot.Line("failed", "bad", lambda point: point.failed_rps, dashes=":"),
)
LATENCY_LINES = (
    plot.Line("p50", "blue", _latency_ms("p50")),
    plot.Line("p99", "violet", _latency_ms("p99"), dashes="--"),
    plot.Line("p99.9", "orange", _latency_ms("p99_9"), dashes=":"),
)


def plots(
    run: records.Run, course: series.Course | None = None
) -> list[plot.Plot]:
    """Return the plots of one iteration; none without windows.

    :param course: its course, by default with the usual number of points
    """
    course = course or series.read(run)
    points = course.points
    if not points:
        return []
    # A rate that is always 0 is no line.
    rates = tuple(one for one in RATE_LINES if any(map(one.read, points)))
    latencies_ms = _values(LATENCY_LINES, points)
    rate = plot.Plot(
        kind="rate",
        title="Rate over time",
        description=_describe(points, rates, "requests per second"),
        values="requests per second",
        lines=rates,
        scale=drawing.rate_scale,
        course=course,
    )
    latency = plot.Plot(
        kind="latency",
        title="Latency over time, from the intended send time",
        description=_describe(points, LATENCY_LINES, "ms"),
        values="latency in ms",
        lines=LATENCY_LINES,
        scale=lambda axes: drawing.latency_scale(axes, latencies_ms),
        course=course,
    )
    return [rate, latency, *_versions(run, course)]


def _versions(run: records.Run, course: series.Course) -> list[plot.Plot]:
    """Plot the responses by version, if there can be several versions."""
    total = windows.add_counts(one.versions for one in course.points)
    names = formatting.in_order(total)
    if not names or (len(names) == 1 and not run.updates):
        return []
    return [
        plot.Plot(
            kind="versions",
            title="Responses by version of the targets",
            description=_describe_versions(course.points, names, total),
            values="share of the responses",
            lines=tuple(_share_line(names, at) for at in range(len(names))),
            scale=drawing.share_scale,
            course=course,
        )
    ]


def _share_line(names: Sequence[str], at: int) -> plot.Line:
    """Stack each version on the later versions."""
    name, later = names[at], names[at + 1 :]
    colour = _VERSION_COLOURS[at % len(_VERSION_COLOURS)]

    def read(point: series.PlotPoint) -> float | None:
        return _share(point, [name])

    def base(point: series.PlotPoint) -> float:
        return _share(point, later) or 0.0

    shown = colour if name else _UNTOLD_COLOUR
    return plot.Line(formatting.version(name), shown, read, base)


def _share(point: series.PlotPoint, names: Sequence[str]) -> float | None:
    """Return the percentage of responses from some versions."""
    total = sum(point.versions.values())
    if not total:
        return None
    return 100 * sum(point.versions.get(one, 0) for one in names) / total


def _describe_versions(
    points: Sequence[series.PlotPoint],
    names: Sequence[str],
    total: dict[str, int],
) -> str:
    parts = []
    for name in names:
        if seen := [point for point in points if point.versions.get(name)]:
            begin_s, end_s = seen[0].start_s, seen[-1].end_s
            version = formatting.version(name)
            parts.append(f"{version} from {begin_s} to {end_s} s")
    words = "; ".join(parts)
    return f"Of all responses: {formatting.shares(total)}. Seen were {words}."


def _values(
    lines: Sequence[plot.Line], points: Sequence[series.PlotPoint]
) -> list[float]:
    read = [line.read(point) for line in lines for point in points]
    return [value for value in read if value is not None]


def _describe(
    points: Sequence[series.PlotPoint], lines: Sequence[plot.Line], unit: str
) -> str:
    parts = []
    for line in lines:
        values = _values([line], [p for p in points if p.phase == "steady"])
        if values:
            parts.append(
                f"{line.name} from {formatting.number(min(values))} to "
                f"{formatting.number(max(values))} {unit}"
            )
    return "In the steady seconds: " + ("; ".join(parts) or "nothing") + "."
