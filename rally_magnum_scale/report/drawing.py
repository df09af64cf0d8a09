"""Figures of matplotlib as drawings that stand in a page.

Colours are the page's own: a figure is drawn in colours that stand for
variables of the style sheet, so that dark mode and paper need no second
drawing.  Text stays text.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterable
from typing import Any

# What is drawn in a colour of the left is shown in the variable of the right.
_VARIABLES = {
    f"#0101{number:02x}": name
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
COLOUR = {name: colour for colour, name in _VARIABLES.items()}
_SIZE = re.compile(r'viewBox="[^"]*"')
# Ids that would stand twice in a page, a style that would reach all of it,
# fonts that are the page's to choose, and an empty licence.
_NEEDLESS = (
    re.compile(r"<metadata>.*?</metadata>", re.DOTALL),
    re.compile(r"<style .*?</style>", re.DOTALL),
    re.compile(r'(?<=<g) id="[^"]*"'),
    re.compile(r"font-family: [^;]*; "),
)
# A hundredth of a pixel can't be seen, and weighs; text is left alone.
_TAG = re.compile(r"<[^>]+>")
_LONG_NUMBER = re.compile(r"\d+\.\d{3,}")
# Of all text: as large as that of tables on a page of full width.
_FONT = 12
# A drawing is as wide as this many pixels, and scrolls on a phone.
_PIXELS_PER_INCH = 72.0
# Beyond a factor of 20 the lower percentiles lie flat on the zero line.
_LOG_RATIO = 20


def new(width: float, height: float) -> Any:
    """Begin a figure of matplotlib.

    Matplotlib is imported here: Rally imports all that has plugins, and
    draws nothing most of the time.

    :param width: in pixels
    :param height: in pixels
    """
    from matplotlib import figure

    return figure.Figure(
        figsize=(width / _PIXELS_PER_INCH, height / _PIXELS_PER_INCH),
        layout="constrained",
    )


def framed(
    width: float,
    height: float,
    left: float,
    right: float,
    top: float,
    bottom: float,
) -> tuple[Any, Any]:
    """Begin a figure whose lines lie at a known place.

    :param width: in pixels, as all others
    :param left: from that edge to where the lines lie; likewise the others
    :returns: the figure and its axes
    """
    figure = new(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes(
        (
            left / width,
            bottom / height,
            (width - left - right) / width,
            (height - top - bottom) / height,
        )
    )
    style(axes)
    return figure, axes


def style(axes: Any) -> None:
    """Give axes the look of the page."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(COLOUR["quiet"])
    axes.tick_params(colors=COLOUR["quiet"], labelsize=_FONT)
    axes.grid(axis="y", color=COLOUR["grid"], linewidth=0.8)
    axes.set_axisbelow(True)


def name_axes(axes: Any, x: str = "", y: str = "") -> None:
    """Say what the axes count."""
    axes.set_xlabel(x, color=COLOUR["text"], fontsize=_FONT)
    axes.set_ylabel(y, color=COLOUR["text"], fontsize=_FONT)


def rate_scale(axes: Any, title: str = "requests a second") -> None:
    """Let the vertical axis begin at 0 and write thousands as k."""
    axes.set_ylim(0, max(axes.get_ylim()[1], 1e-9))
    thousands(axes.yaxis)
    name_axes(axes, axes.get_xlabel(), title)


def thousands(axis: Any) -> None:
    """Let an axis write thousands as k, and millions as M."""
    from matplotlib import ticker

    axis.set_major_formatter(ticker.EngFormatter(sep=""))


def latency_scale(axes: Any, values_ms: Iterable[float]) -> None:
    """Let the vertical axis count ms, logarithmic where values need it."""
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
        axes.yaxis.set_major_formatter(ticker.FuncFormatter(_plainly))
        axes.yaxis.set_minor_locator(ticker.NullLocator())
    else:
        axes.set_ylim(0, high * 1.08)
    name_axes(axes, axes.get_xlabel(), title)


def _plainly(value: float, _place: int) -> str:
    return f"{value:,.12g}"


def share_scale(axes: Any) -> None:
    """Let the vertical axis go from 0 to 100 %."""
    from matplotlib import ticker

    axes.set_ylim(0, 100)
    axes.yaxis.set_major_locator(ticker.MultipleLocator(25))
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(symbol=" %"))
    name_axes(axes, axes.get_xlabel(), "share of the answers")


def shade(
    axes: Any,
    start: float,
    end: float,
    colour: str,
    name: str = "",
    *,
    hatched: bool = False,
) -> None:
    """Shade a stretch behind the lines.

    :param start: on the horizontal axis
    :param end: likewise
    :param name: for the legend, where it stands once
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


def head(axes: Any, x: float, y: float, text: str) -> None:
    """Write above the lines.

    :param x: on the horizontal axis
    :param y: as a share of the height of the lines
    """
    axes.text(
        x,
        y,
        text,
        transform=axes.get_xaxis_transform(),
        ha="center",
        va="bottom",
        fontsize=_FONT,
        color=COLOUR["text"],
    )


def flag(axes: Any, x: float, text: str, offset: tuple[float, float]) -> None:
    """Mark an event by a line, and by its number on the axis.

    :param x: on the horizontal axis
    :param offset: of the number's middle from where the line meets the
        axis, in pixels
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


def write(axes: Any, x: float, y: float, text: str) -> None:
    """Write beside a point, in the coordinates of the axes."""
    axes.text(x, y, text, va="center", fontsize=_FONT, color=COLOUR["text"])


def legend(axes: Any, above: float = 1.0) -> None:
    """Name the lines above the drawing, where they hide none.

    :param above: where, as a share of the height of the lines
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
    """Return a figure as SVG to stand in HTML.

    :param identifier: unique in the page
    :param title: what it shows, for who can't see it
    :param description: what it shows, in words
    """
    import matplotlib as mpl

    text = io.StringIO()
    options = {"svg.fonttype": "none", "svg.hashsalt": identifier}
    with mpl.rc_context(options):
        figure.savefig(
            text,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None},
        )
    drawn = text.getvalue()
    size = _SIZE.search(drawn)
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 :]
    for part in _NEEDLESS:
        body = part.sub("", body)
    body = _TAG.sub(lambda tag: _LONG_NUMBER.sub(_shorten, tag[0]), body)
    for colour, name in _VARIABLES.items():
        body = body.replace(colour, f"var(--{name})")
    return (
        f'<svg {size[0] if size else ""} role="img" '
        f'aria-labelledby="{identifier}-t {identifier}-d">'
        f'<title id="{identifier}-t">{html.escape(title)}</title>'
        f'<desc id="{identifier}-d">{html.escape(description)}</desc>{body}'
    )


def _shorten(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
