"""Figures of matplotlib as drawings that stand in a page.

Colours are the page's own: a figure is drawn in colours that stand for
variables of the style sheet, so that dark mode and paper need no second
drawing.  Text stays text.
"""

from __future__ import annotations

import html
import io
import re
from typing import Any

# What is drawn in a colour of the left is shown in the variable of the right.
_VARIABLES = {
    "#010101": "text",
    "#010102": "quiet",
    "#010103": "grid",
    "#010104": "blue",
    "#010105": "bad",
    "#010106": "good",
    "#010107": "warn",
    "#010108": "orange",
    "#010109": "violet",
    "#01010a": "offer",
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
# Of all text: as large as that of tables on a page of full width.
_FONT = 12
# A drawing is as wide as this many pixels, and shrinks on a phone.
_PIXELS_PER_INCH = 72.0


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


def write(axes: Any, x: float, y: float, text: str) -> None:
    """Write beside a point, in the coordinates of the axes."""
    axes.text(x, y, text, va="center", fontsize=_FONT, color=COLOUR["text"])


def legend(axes: Any) -> None:
    """Name the lines above the drawing, where they hide none."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
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
    for colour, name in _VARIABLES.items():
        body = body.replace(colour, f"var(--{name})")
    return (
        f'<svg {size[0] if size else ""} role="img" '
        f'aria-labelledby="{identifier}-t {identifier}-d">'
        f'<title id="{identifier}-t">{html.escape(title)}</title>'
        f'<desc id="{identifier}-d">{html.escape(description)}</desc>{body}'
    )
