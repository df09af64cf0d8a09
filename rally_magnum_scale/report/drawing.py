"""Convert matplotlib figures to SVG for a page.

A figure is drawn in placeholder colours, which are replaced by variables of
the style sheet.  So one drawing works in light mode, in dark mode and on
paper.  Text stays text.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterable
from typing import Any

# Placeholder colour of each variable of the style sheet.
COLOUR = {
    name: f"#0101{number:02x}"
    for number, name in enumerate(
        (
            "text",
            "quiet",
            "grid",
            "blue",
            "bad",
            "good",
            "warn",
            "orange",
            "violet",
            "offer",
            "steady",
            "uncounted",
            "missing",
            "bad-back",
            "page",
        ),
        1,
    )
}
_SIZE = re.compile(r'viewBox="[^"]*"')
# Removed parts: ids that would not be unique in a page, a style that would
# apply to the whole page, fonts, and an empty licence.
_NEEDLESS = re.compile(
    r"<metadata>.*?</metadata>|<style .*?</style>"
    r'|(?<=<g) id="[^"]*"|font-family: [^;]*; ',
    re.DOTALL,
)
# Hundredths of a pixel are invisible and take space.  Text is not changed.
_TAG = re.compile(r"<[^>]+>")
_LONG_NUMBER = re.compile(r"\d+\.\d{3,}")
# Font size of all text: that of tables on a page of full width.
_FONT = 12
# Size of a drawing in pixels, which are points; it scrolls on a phone.
WIDTH, HEIGHT = 1080.0, 340.0
_PIXELS_PER_INCH = 72.0
# With a larger ratio than 20, the lower percentiles would be on the zero line.
_LOG_RATIO = 20


def new(
    height: float = HEIGHT,
    margins: tuple[float, float, float, float] | None = None,
) -> tuple[Any, Any]:
    """Create a matplotlib figure with axes in the style of the page.

    Matplotlib is imported here, because Rally imports all modules with
    plugins, and draws nothing most of the time.

    :param height: in pixels
    :param margins: distance of the axes from the left, right, upper and lower
        edge in pixels; by default what their texts need
    :returns: the figure and its axes
    """
    from matplotlib import figure

    size = WIDTH / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH
    drawn = figure.Figure(
        size,
        facecolor="none",
        edgecolor="none",
        layout=None if margins else "constrained",
    )
    if margins:
        left, right, top, bottom = margins
        across, down = WIDTH - left - right, height - top - bottom
        corner = left / WIDTH, bottom / height
        axes = drawn.add_axes((*corner, across / WIDTH, down / height))
    else:
        axes = drawn.subplots()
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(COLOUR["quiet"])
    axes.tick_params(colors=COLOUR["quiet"], labelsize=_FONT)
    axes.grid(axis="y", color=COLOUR["grid"], linewidth=0.8)
    axes.set_axisbelow(True)
    return drawn, axes


def name_axes(axes: Any, x: str = "", y: str = "") -> None:
    """Set the titles of the axes; an empty title leaves the present one."""
    style = {"color": COLOUR["text"], "fontsize": _FONT}
    if x:
        axes.set_xlabel(x, **style)
    if y:
        axes.set_ylabel(y, **style)


def rate_scale(axes: Any, title: str = "requests per second") -> None:
    """Start the vertical axis at 0, and write thousands as k."""
    axes.set_ylim(0, max(axes.get_ylim()[1], 1e-9))
    thousands(axes.yaxis)
    name_axes(axes, y=title)


def thousands(axis: Any) -> None:
    """Write thousands as k and millions as M on an axis."""
    from matplotlib import ticker

    axis.set_major_formatter(ticker.EngFormatter(sep=""))


def latency_scale(axes: Any, values_ms: Iterable[float]) -> None:
    """Scale the vertical axis in ms, logarithmically if needed."""
    from matplotlib import ticker

    found = [value for value in values_ms if value > 0]
    high = max(found, default=1.0)
    low = min(found, default=high)
    title = "latency in ms"
    if high / low > _LOG_RATIO:
        title = f"{title}, logarithmic"
        axes.set_yscale("log")
        few = high / low < 10**4
        axes.yaxis.set_major_locator(
            ticker.LogLocator(subs=(1, 2, 5) if few else (1,))
        )
        axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.12g}"))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    else:
        axes.set_ylim(0, high * 1.08)
    name_axes(axes, y=title)


def share_scale(axes: Any) -> None:
    """Scale the vertical axis from 0 to 100 %."""
    from matplotlib import ticker

    axes.set_ylim(0, 100)
    axes.yaxis.set_major_locator(ticker.MultipleLocator(25))
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(symbol=" %"))
    name_axes(axes, y="share of the responses")


def shade(
    axes: Any,
    start: float,
    end: float,
    colour: str,
    name: str = "",
    *,
    hatched: bool = False,
) -> None:
    """Shade an interval of the horizontal axis behind the lines.

    :param name: for the legend, in which it appears once
    """
    _, known = axes.get_legend_handles_labels()
    axes.axvspan(
        start,
        end,
        facecolor=COLOUR[colour],
        edgecolor=COLOUR["bad"] if hatched else COLOUR[colour],
        hatch="//" if hatched else None,
        linewidth=0,
        zorder=0,
        label=f"_{name}" if not name or name in known else name,
    )


def flag(axes: Any, x: float, text: str, offset: tuple[float, float]) -> None:
    """Mark an event by a line, and by its number on the axis.

    :param x: position on the horizontal axis
    :param offset: distance in pixels from the point where the line meets
        the axis to the middle of the number
    """
    axes.axvline(x, color=COLOUR["bad"], linestyle="--", linewidth=1)
    axes.annotate(
        text,
        (x, 0),
        xycoords=axes.get_xaxis_transform(),
        xytext=offset,
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=_FONT - 1,
        fontweight="bold",
        color=COLOUR["page"],
        annotation_clip=False,
        bbox={
            "boxstyle": "round,pad=0.25,rounding_size=0.7",
            "facecolor": COLOUR["bad"],
            "edgecolor": COLOUR["page"],
        },
    )


def write(axes: Any, x: float, y: float, text: str, **options: Any) -> None:
    """Write text, by default beside a point in the coordinates of the axes.

    :param options: for matplotlib's ``Axes.text``
    """
    placed = {"va": "center", **options}
    axes.text(x, y, text, fontsize=_FONT, color=COLOUR["text"], **placed)


def legend(axes: Any, above: float = 1.0) -> None:
    """Draw the legend above the axes.

    :param above: position as a share of the height of the axes
    """
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, above),
        borderaxespad=0,
        ncols=8,
        frameon=False,
        fontsize=_FONT,
        labelcolor=COLOUR["text"],
    )


def svg(figure: Any, identifier: str, title: str, description: str) -> str:
    """Return a figure as SVG for HTML, with texts for screen readers.

    :param identifier: unique in the page
    """
    import matplotlib as mpl
    from matplotlib.backends import backend_svg

    text = io.StringIO()
    options = {"svg.fonttype": "none", "svg.hashsalt": identifier}
    # `savefig` would draw everything twice.
    with mpl.rc_context(options):
        backend_svg.FigureCanvasSVG(figure).print_svg(
            text, metadata={"Date": None, "Creator": None}
        )
    drawn = text.getvalue()
    size = _SIZE.search(drawn)
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 :]
    body = _NEEDLESS.sub("", body)
    body = _TAG.sub(lambda tag: _LONG_NUMBER.sub(_shorten, tag[0]), body)
    for name, colour in COLOUR.items():
        body = body.replace(colour, f"var(--{name})")
    return (
        f'<svg {size[0] if size else ""} role="img" '
        f'aria-labelledby="{identifier}-t {identifier}-d">'
        f'<title id="{identifier}-t">{html.escape(title)}</title>'
        f'<desc id="{identifier}-d">{html.escape(description)}</desc>{body}'
    )


def _shorten(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
