"""Plots over time, computed here and written by ``plot.svg.j2``.

Distribution, timeline and trends are drawn by matplotlib (``drawing.py``).
These stand in the page once for each iteration, at two widths, since text in
a drawing shrinks with it: matplotlib takes a fifth of a second for each, a
task may have hundreds, and its SVG has no words for a shaded span or an event
that is pointed at.  What is needed is small: lines and areas over spans,
coloured by the page's own style sheet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_scale.report import areas
from rally_magnum_scale.report import axis
from rally_magnum_scale.report import flags
from rally_magnum_scale.report import series

LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 44.0, 40.0
# Wide enough for a letter of the plots' labels, in pixels.
LETTER = 6.6
# Pixels between two points below which lines are drawn thin.
DENSE = 4


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a plot, or one area of those on top of each other.

    :param style: class of the style sheet: colour, width and dashes
    :param read: the value of a point, or None where it has none
    :param base: the value that an area stands on; None for a line
    """

    name: str
    style: str
    read: Callable[[series.Point], float | None]
    base: Callable[[series.Point], float] | None = None


@dataclasses.dataclass(frozen=True)
class Path:
    """A line, or the outline of an area, as SVG draws it.

    :param style: class of the style sheet, ``line`` or ``area`` left out
    """

    name: str
    style: str
    data: str
    filled: bool = False


@dataclasses.dataclass(frozen=True)
class Band:
    """A shaded stretch of time, in pixels.

    :param style: ``steady``, ``uncounted``, ``invalid`` or ``missing``
    :param label: what stands above it; empty where it would not fit
    """

    x: float
    width: float
    style: str
    label: str
    title: str


@dataclasses.dataclass(frozen=True)
class Mark:
    """A position on an axis, in pixels, and the text beside it."""

    at: float
    text: str


@dataclasses.dataclass(frozen=True)
class Label:
    """A text inside the plot, by its middle, in pixels."""

    x: float
    y: float
    text: str


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A plot at one width, everything in pixels.

    :param dense: so many points that lines must be thin to be told apart
    """

    identifier: str
    title: str
    description: str
    width: float
    height: float
    paths: tuple[Path, ...]
    bands: tuple[Band, ...]
    events: tuple[flags.Flag, ...]
    x_ticks: tuple[Mark, ...]
    y_ticks: tuple[Mark, ...]
    x_title: str
    y_title: str
    dense: bool = False
    labels: tuple[Label, ...] = ()
    left: float = LEFT
    top: float = TOP

    @property
    def right(self) -> float:
        """Where the plot area ends."""
        return self.width - RIGHT

    @property
    def bottom(self) -> float:
        """Where the time axis lies."""
        return self.height - BOTTOM


@dataclasses.dataclass(frozen=True)
class Plot:
    """What to draw, at whatever width.

    :param kind: ``rate``, ``latency`` or ``versions``, part of its
        identifier
    """

    kind: str
    title: str
    description: str
    lines: tuple[Line, ...]
    y_axis: axis.Axis
    points: tuple[series.Point, ...]
    spans: tuple[series.Span, ...]
    gaps: tuple[tuple[int, int], ...]
    events: tuple[series.Event, ...]
    length_s: int


@dataclasses.dataclass(frozen=True)
class Area:
    """Where the lines of a drawing lie, in pixels.

    :param width: of the whole drawing
    :param height: of the whole drawing
    """

    width: float
    height: float

    @property
    def across(self) -> float:
        """Width of the area."""
        return self.width - LEFT - RIGHT

    @property
    def down(self) -> float:
        """Height of the area."""
        return self.height - TOP - BOTTOM

    def to_pixels(
        self, x_axis: axis.Axis, y_axis: axis.Axis
    ) -> tuple[Callable[[float], float], Callable[[float], float]]:
        """Return what places a value of either axis."""

        def x(value: float) -> float:
            return round(LEFT + self.across * x_axis.share(value), 1)

        def y(value: float) -> float:
            return round(TOP + self.down * (1 - y_axis.share(value)), 1)

        return x, y


def draw(plot: Plot, identifier: str, width: float, height: float) -> Drawing:
    """Lay a plot out at one width.

    :param identifier: unique in the page; the width is added to it
    :param width: of the whole drawing, in pixels
    :param height: of the whole drawing, in pixels
    """
    area = Area(width, height)
    time = axis.time_axis(plot.length_s, ticks=int(area.across / 70))
    x, y = area.to_pixels(time, plot.y_axis)

    return Drawing(
        identifier=f"{identifier}-{plot.kind}-{width:.0f}",
        title=plot.title,
        description=plot.description,
        width=width,
        height=height,
        paths=tuple(
            Path(
                line.name,
                line.style,
                (_area if line.base else _path)(line, plot.points, x, y),
                filled=line.base is not None,
            )
            for line in plot.lines
        ),
        bands=tuple(_bands(plot, x)),
        events=tuple(flags.place(_events(plot, x), width)),
        labels=tuple(_area_names(plot, x, y)),
        x_ticks=tuple(Mark(x(one.value), one.text) for one in time.ticks),
        y_ticks=tuple(
            Mark(y(one.value), one.text) for one in plot.y_axis.ticks
        ),
        x_title=time.title,
        y_title=plot.y_axis.title,
        dense=len(plot.points) > area.across / DENSE,
    )


def stretches(
    line: Line, points: Sequence[series.Point]
) -> list[list[series.Point]]:
    """Cut a line where seconds are missing or it has no value."""
    there = [point for point in points if line.read(point) is not None]
    return series.connected(there)


def _path(
    line: Line,
    points: Sequence[series.Point],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> str:
    parts = []
    for part in stretches(line, points):
        spots = [
            f"{x(point.middle_s):g} {y(line.read(point) or 0.0):g}"
            for point in part
        ]
        # A line to nowhere makes a point of its own visible.
        parts.append("M" + "L".join(spots) + ("" if part[1:] else "h0"))
    return "".join(parts)


def _area(
    line: Line,
    points: Sequence[series.Point],
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> str:
    parts = []
    # Where it is flat there is nothing to fill.
    for part in series.connected([one for one in points if line.read(one)]):
        pieces = []
        for one in part:
            low, high = _edges(line, one)
            pieces.append((x(one.start_s), x(one.end_s), y(low), y(high)))
        parts.append(areas.outline(pieces))
    return "".join(parts)


def _edges(line: Line, point: series.Point) -> tuple[float, float]:
    low = line.base(point) if line.base else 0.0
    return low, low + (line.read(point) or 0.0)


def _area_names(
    plot: Plot, x: Callable[[float], float], y: Callable[[float], float]
) -> Iterable[Label]:
    """Name each area where it is widest, if the name has room there.

    Only where it takes more than half, so that no two names meet.
    """
    half = (plot.y_axis.high - plot.y_axis.low) / 2
    for line in (one for one in plot.lines if one.base):
        large = [one for one in plot.points if (line.read(one) or 0.0) > half]
        widest: list[series.Point] = max(
            series.connected(large),
            key=lambda part: part[-1].end_s - part[0].start_s,
            default=[],
        )
        if not widest:
            continue
        left, right = x(widest[0].start_s), x(widest[-1].end_s)
        if len(line.name) * LETTER < right - left:
            level = sum(_edges(line, widest[len(widest) // 2])) / 2
            yield Label(round((left + right) / 2, 1), y(level), line.name)


def _bands(plot: Plot, x: Callable[[float], float]) -> Iterable[Band]:
    for span in plot.spans:
        style = "steady" if span.counted else "uncounted"
        text = f"step {span.step}"
        title = f"step {span.step}, {span.phase}: not counted"
        if span.counted:
            title = f"step {span.step}, steady: counted"
        if span.reasons:
            style, title = "invalid", f"{text}: {'; '.join(span.reasons)}"
        labels = _labels(span)
        yield _band(x, span.start_s, span.end_s, style, labels, title)
    for start_s, end_s in plot.gaps:
        title = f"no window was read for {end_s - start_s} s"
        yield _band(x, start_s, end_s, "missing", [], title)


def _labels(span: series.Span) -> list[str]:
    """Return what may stand above a span, the longest first."""
    if not span.counted:
        return [span.phase]
    names = [f"step {span.step}", f"{span.step}"]
    if span.reasons:
        return [f"{names[0]} does not count", f"{names[0]} ✘", *names]
    return names


def _band(
    x: Callable[[float], float],
    start_s: float,
    end_s: float,
    style: str,
    labels: Sequence[str],
    title: str,
) -> Band:
    left, right = x(start_s), x(end_s)
    fitting = [one for one in labels if len(one) * LETTER < right - left]
    label = fitting[0] if fitting else ""
    return Band(left, round(right - left, 1), style, label, title)


def _events(
    plot: Plot, x: Callable[[float], float]
) -> Iterable[tuple[int, float, series.Event]]:
    for number, event in enumerate(plot.events, 1):
        if event.at_s is not None and 0 <= event.at_s <= plot.length_s:
            yield number, x(event.at_s), event
