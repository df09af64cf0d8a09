"""Plots over the time of a load: lines or areas, spans, gaps and events."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.report import drawing
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import series

# Distance of the axes from each edge, in pixels.
LEFT, RIGHT, TOP, BOTTOM = MARGINS = (62.0, 12.0, 50.0, 44.0)
ACROSS, DOWN = drawing.WIDTH - LEFT - RIGHT, drawing.HEIGHT - TOP - BOTTOM
# Width of a letter of the labels, in pixels.
LETTER = 6.6
# With more points, lines must be thin.
DENSE = 250
# Position between lines and legend, as a share of the height of the axes.
_LABELS_AT = 1.015
_MINUTES_FROM_S = 300
# Events within this distance, in pixels, share a mark.
_JOINED = 6.0
FLAG_HEIGHT = 16.0
# Pixels from the middle of a mark to the middle of the mark above it.
FLAG_STEP = FLAG_HEIGHT + 2
_DIGIT = 7.0
_PADDING = 9.0


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a plot, or one of several stacked areas.

    :param colour: colour of the page
    :param read: returns the value of a point, or None if it has none
    :param base: lower value of an area; None for a line
    :param width: in pixels
    :param dashes: matplotlib's name of the line style
    """

    name: str
    colour: str
    read: Callable[[series.PlotPoint], float | None]
    base: Callable[[series.PlotPoint], float] | None = None
    width: float = 2.0
    dashes: str = "-"


@dataclasses.dataclass(frozen=True)
class Plot:
    """The content of a plot.

    :param kind: ``rate``, ``latency`` or ``versions``, part of the
        identifier
    :param values: quantity of the vertical axis, in words
    :param scale: sets scale and title of the vertical axis
    """

    kind: str
    title: str
    description: str
    values: str
    lines: tuple[Line, ...]
    scale: Callable[[Any], None]
    course: series.Course

    @property
    def unit(self) -> tuple[str, int]:
        """The unit of the time axis, and its length in seconds."""
        if self.course.length_s > _MINUTES_FROM_S:
            return "minutes", 60
        return "seconds", 1


@dataclasses.dataclass(frozen=True)
class Flag:
    """A mark for one or several events; all lengths are in pixels.

    :param x: position of the line of the first event
    :param left: left edge of the mark
    :param up: distance of the mark's middle from the time axis
    :param text: number of the event, or a range of numbers
    :param title: the events in words
    """

    x: float
    left: float
    width: float
    up: float
    text: str
    title: str

    @property
    def middle(self) -> float:
        """Horizontal position of the text."""
        return self.left + self.width / 2


# The number of an event, its place on the time axis in pixels, and the event.
Spot = tuple[int, float, series.Event]


def draw(plot: Plot, identifier: str) -> str:
    """Return a plot as SVG.

    :param identifier: unique in the page; the kind is added to it
    """
    figure, axes = drawing.new(margins=MARGINS)
    unit, unit_s = plot.unit
    for line in plot.lines:
        draw_line = _draw_area if line.base else _draw_line
        draw_line(axes, line, plot.course.points, unit_s)
    plot.scale(axes)
    length = max(plot.course.length_s, 1)
    axes.set_xlim(0, length / unit_s)
    drawing.name_axes(axes, f"{unit} since the load began")
    for span in plot.course.spans:
        _shade(axes, span, unit_s, ACROSS / length)
    for start_s, end_s in plot.course.gaps:
        start, end = start_s / unit_s, end_s / unit_s
        drawing.shade(axes, start, end, "missing", "windows missing")
    marked = place_flags(_events(plot), drawing.WIDTH)
    for flag in marked:
        drawing.flag(
            axes,
            (flag.x - LEFT) * length / ACROSS / unit_s,
            flag.text,
            (flag.middle - flag.x, flag.up),
        )
    drawing.legend(axes, above=1.06)
    return drawing.svg(
        figure,
        f"{identifier}-{plot.kind}",
        plot.title,
        " ".join([plot.description, *_marks(plot, marked)]),
    )


def _marks(plot: Plot, marked: Iterable[Flag]) -> Iterator[str]:
    """Describe what is shaded and marked in a plot."""
    for span in plot.course.spans:
        if span.reasons:
            yield f"Step {span.step}: {'; '.join(span.reasons)}."
    for start_s, end_s in plot.course.gaps:
        missing_s = end_s - start_s
        yield f"From {start_s} s on, no window was read for {missing_s} s."
    for flag in marked:
        yield f"{flag.title}."


def stretches(
    line: Line, points: Sequence[series.PlotPoint]
) -> list[list[series.PlotPoint]]:
    """Split a line where seconds or values are missing."""
    there = [point for point in points if line.read(point) is not None]
    return series.connected(there)


def _draw_line(
    axes: Any, line: Line, points: Sequence[series.PlotPoint], unit_s: int
) -> None:
    dense = len(points) > DENSE
    for number, part in enumerate(stretches(line, points)):
        axes.plot(
            [point.middle_s / unit_s for point in part],
            [line.read(point) or 0.0 for point in part],
            color=drawing.COLOUR[line.colour],
            linestyle="-" if dense else line.dashes,
            linewidth=line.width / (1.8 if dense else 1),
            # A single point has no line.
            marker="" if part[1:] else ".",
            label=f"_{line.name}" if number else line.name,
        )


def _draw_area(
    axes: Any, line: Line, points: Sequence[series.PlotPoint], unit_s: int
) -> None:
    for number, part in enumerate(stretches(line, points)):
        low = [line.base(one) if line.base else 0.0 for one in part]
        high = [
            at + (line.read(one) or 0.0)
            for at, one in zip(low, part, strict=True)
        ]
        axes.fill_between(
            [*(one.start_s / unit_s for one in part), part[-1].end_s / unit_s],
            [*low, low[-1]],
            [*high, high[-1]],
            step="post",
            color=drawing.COLOUR[line.colour],
            alpha=0.55,
            linewidth=0,
            label=f"_{line.name}" if number else line.name,
        )


def _shade(
    axes: Any, span: series.PlotSpan, unit_s: int, pixels_a_second: float
) -> None:
    colour, name = "uncounted", "ramp or stop, not counted"
    if span.counted:
        colour, name = "steady", ""
    if span.reasons:
        colour, name = "bad-back", "invalid, does not count"
    start, end = span.start_s / unit_s, span.end_s / unit_s
    drawing.shade(axes, start, end, colour, name, hatched=bool(span.reasons))
    width = (span.end_s - span.start_s) * pixels_a_second
    fitting = [one for one in _labels(span) if len(one) * LETTER < width]
    if fitting:
        drawing.write(
            axes,
            (start + end) / 2,
            _LABELS_AT,
            fitting[0],
            transform=axes.get_xaxis_transform(),
            ha="center",
            va="bottom",
        )


def _labels(span: series.PlotSpan) -> Iterator[str]:
    """Return possible labels of a span, the longest first."""
    if not span.counted:
        yield span.phase
        return
    if span.reasons:
        yield f"step {span.step} does not count"
        yield f"step {span.step} ✘"
    yield f"step {span.step}"
    yield f"{span.step}"


def _events(plot: Plot) -> Iterator[Spot]:
    for number, event in enumerate(plot.course.events, 1):
        if event.at_s is not None and 0 <= event.at_s <= plot.course.length_s:
            x = LEFT + ACROSS * event.at_s / max(plot.course.length_s, 1)
            yield number, x, event


def place_flags(events: Iterable[Spot], width: float) -> list[Flag]:
    """Lay out the marks of events without overlap.

    Events within a few pixels share a mark, such as ``2-4``.  Marks that would
    still overlap are placed above one another.

    :param events: by time
    :param width: width of the whole drawing, which no mark leaves
    """
    ends: list[float] = []
    flags = []
    for group in _grouped(events):
        text = _flag_text(group)
        wide = max(FLAG_HEIGHT, len(text) * _DIGIT + _PADDING)
        x = group[0][1]
        left = round(min(max(0.0, x - wide / 2), width - wide), 1)
        free = (at for at, end in enumerate(ends) if end < left)
        level = next(free, len(ends))
        ends[level : level + 1] = [left + wide]
        title = "; ".join(map(_flag_title, group))
        flags.append(Flag(x, left, wide, level * FLAG_STEP, text, title))
    return flags


def _grouped(spots: Iterable[Spot]) -> list[list[Spot]]:
    groups: list[list[Spot]] = []
    for spot in spots:
        if groups and spot[1] - groups[-1][0][1] < _JOINED:
            groups[-1].append(spot)
        else:
            groups.append([spot])
    return groups


def _flag_text(group: Sequence[Spot]) -> str:
    first, last = group[0][0], group[-1][0]
    return str(first) if first == last else f"{first}\N{EN DASH}{last}"


def _flag_title(spot: Spot) -> str:
    number, _, event = spot
    detail = f": {event.detail}" if event.detail else ""
    at = formatting.seconds(event.at_s)
    return f"{number}. {formatting.kind(event.kind)} at {at}{detail}"
