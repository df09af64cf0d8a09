"""Timeline of an iteration's actions as bars."""

from __future__ import annotations

from collections.abc import Sequence

from rally_magnum_scale.report import drawing
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import model

_ROW, _REST = 26.0, 60.0
_BAR = 0.62


def draw(actions: Sequence[model.AtomicAction], identifier: str) -> str:
    """Return the atomic actions of an iteration as SVG; empty without any.

    :param actions: in any order
    """
    if not actions:
        return ""
    ordered = sorted(actions, key=lambda one: one.started_at)
    begun = ordered[0].started_at
    names = list(dict.fromkeys(one.name for one in ordered))
    figure, axes = drawing.new(_ROW * len(names) + _REST)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color=drawing.COLOUR["grid"], linewidth=0.8)
    end = max(one.finished_at for one in ordered) - begun
    for one in ordered:
        row, at = names.index(one.name), one.started_at - begun
        axes.barh(
            row,
            one.duration_s,
            left=at,
            height=_BAR,
            # Actions without a duration are visible as well.
            linewidth=1,
            color=drawing.COLOUR["bad" if one.failed else "blue"],
            edgecolor=drawing.COLOUR["bad" if one.failed else "blue"],
        )
        drawing.write(
            axes,
            at + one.duration_s + end * 0.005,
            row,
            f"{formatting.seconds(one.duration_s)}{' ✘' * one.failed}",
        )
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, end * 1.08 or 1)
    drawing.name_axes(axes, "seconds since the first action began")
    return drawing.svg(
        figure, identifier, "Timeline of actions", _describe(ordered, begun)
    )


def _describe(ordered: Sequence[model.AtomicAction], begun: float) -> str:
    words = (
        f"{one.name} after {formatting.seconds(one.started_at - begun)} for "
        f"{formatting.seconds(one.duration_s)}{', failed' * one.failed}"
        for one in ordered
    )
    return f"{'; '.join(words)}."
