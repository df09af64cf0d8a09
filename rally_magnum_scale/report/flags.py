"""Marks of events in a plot: numbers on the time axis without overlap.

Events within a few pixels share a mark, such as ``2-4``.  Marks that would
still overlap are placed above one another.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import series

# Events within this distance, in pixels, share a mark.
JOINED = 6.0
HEIGHT = 16.0
# Pixels from the middle of a mark to the middle of the mark above it.
STEP = HEIGHT + 2
_DIGIT = 7.0
_PADDING = 9.0


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


def place(events: Iterable[Spot], width: float) -> list[Flag]:
    """Lay out the marks of events.

    :param events: by time
    :param width: width of the whole drawing, which no mark leaves
    """
    ends: list[float] = []
    flags = []
    for group in _joined(events):
        text = _text(group)
        wide = max(HEIGHT, len(text) * _DIGIT + _PADDING)
        x = group[0][1]
        left = round(min(max(0.0, x - wide / 2), width - wide), 1)
        free = (at for at, end in enumerate(ends) if end < left)
        level = next(free, len(ends))
        ends[level : level + 1] = [left + wide]
        title = "; ".join(map(_title, group))
        flags.append(Flag(x, left, wide, level * STEP, text, title))
    return flags


def _joined(spots: Iterable[Spot]) -> list[list[Spot]]:
    groups: list[list[Spot]] = []
    for spot in spots:
        if groups and spot[1] - groups[-1][0][1] < JOINED:
            groups[-1].append(spot)
        else:
            groups.append([spot])
    return groups


def _text(group: Sequence[Spot]) -> str:
    first, last = group[0][0], group[-1][0]
    return str(first) if first == last else f"{first}\N{EN DASH}{last}"


def _title(spot: Spot) -> str:
    number, _, event = spot
    detail = f": {event.detail}" if event.detail else ""
    at = formatting.seconds(event.at_s)
    return f"{number}. {formatting.kind(event.kind)} at {at}{detail}"
