"""Line plots over time, computed here and written by ``plot.svg.j2``.

No plotting library fits: pygal has no shaded spans or marked events and
draws its tooltips by a script, matplotlib and plotly weigh tens of
megabytes, and drawsvg offers shapes but no axes.  What is needed is small:
lines over spans, twice, light enough to stand in the page at two widths,
coloured by the page's own style sheet so that dark mode and paper work.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_scale.measurement import records
from rally_magnum_scale.report import axis
from rally_magnum_scale.report import series
from rally_magnum_scale.report import words

LEFT, RIGHT, TOP, BOTTOM = 46.0, 12.0, 44.0, 40.0
# Wide enough for a letter of the plots' labels, in pixels.
LETTER = 6.6
# Pixels between two points below which lines are drawn thin.
DENSE = 4


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a plot.

    :param style: class of the style sheet: colour, width and dashes
    :param read: the value of a point, or None where it has none
    """

    name: str
    style: str
    read: Callable[[series.Point], float | None]


@dataclasses.dataclass(frozen=True)
class Path:
    """A line as SVG draws it."""

    name: str
    style: str
    data: str


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
    events: tuple[Mark, ...]
    x_ticks: tuple[Mark, ...]
    y_ticks: tuple[Mark, ...]
    x_title: str
    y_title: str
    dense: bool = False
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

    :param kind: ``rate`` or ``latency``, part of its identifier
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


def _latency_ms(name: str) -> Callable[[series.Point], float | None]:
    def read(point: series.Point) -> float | None:
        value_us = point.latency_us.get(name)
        return None if value_us is None else value_us / 1000

    return read


RATE_LINES = (
    Line("offered", "offered", lambda point: point.offered_rps),
    Line("achieved", "achieved", lambda point: point.achieved_rps),
    Line("failed", "failed", lambda point: point.failed_rps),
)
LATENCY_LINES = (
    Line("p50", "p50", _latency_ms("p50")),
    Line("p99", "p99", _latency_ms("p99")),
    Line("p99.9", "p99-9", _latency_ms("p99_9")),
)


def plots(run: records.Run, limit: int = series.MAX_POINTS) -> list[Plot]:
    """Return the rate and the latency of one iteration, or nothing.

    :param limit: how many points a line may have, about
    """
    points = tuple(series.points(run, limit))
    if not points:
        return []
    rates = tuple(line for line in RATE_LINES if _is_seen(line, points))
    rate = Plot(
        kind="rate",
        title="Rate over time",
        description=_describe(points, rates, "requests a second"),
        lines=rates,
        y_axis=axis.rate_axis(_values(rates, points)),
        points=points,
        spans=tuple(series.spans(run)),
        gaps=tuple(series.gaps(run)),
        events=tuple(series.events(run)),
        length_s=series.length_s(run),
    )
    latency = dataclasses.replace(
        rate,
        kind="latency",
        title="Latency over time, from the intended send time",
        description=_describe(points, LATENCY_LINES, "ms"),
        lines=LATENCY_LINES,
        y_axis=axis.latency_axis(_values(LATENCY_LINES, points)),
    )
    return [rate, latency]


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
            Path(line.name, line.style, _path(line, plot.points, x, y))
            for line in plot.lines
        ),
        bands=tuple(_bands(plot, x)),
        events=tuple(_events(plot, x)),
        x_ticks=tuple(Mark(x(one.value), one.text) for one in time.ticks),
        y_ticks=tuple(
            Mark(y(one.value), one.text) for one in plot.y_axis.ticks
        ),
        x_title=time.title,
        y_title=plot.y_axis.title,
        dense=len(plot.points) > area.across / DENSE,
    )


def _is_seen(line: Line, points: Sequence[series.Point]) -> bool:
    """Leave out what is zero throughout, such as failures."""
    return any(line.read(point) for point in points)


def _values(
    lines: Sequence[Line], points: Sequence[series.Point]
) -> list[float]:
    read = [line.read(point) for line in lines for point in points]
    return [value for value in read if value is not None]


def _describe(
    points: Sequence[series.Point], lines: Sequence[Line], unit: str
) -> str:
    parts = []
    for line in lines:
        values = _values([line], [p for p in points if p.phase == "steady"])
        if values:
            parts.append(
                f"{line.name} from {words.number(min(values))} to "
                f"{words.number(max(values))} {unit}"
            )
    return "In the steady seconds: " + ("; ".join(parts) or "nothing") + "."


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


def _events(plot: Plot, x: Callable[[float], float]) -> Iterable[Mark]:
    for number, event in enumerate(plot.events, 1):
        if event.at_s is not None and 0 <= event.at_s <= plot.length_s:
            yield Mark(x(event.at_s), str(number))
