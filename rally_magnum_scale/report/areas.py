"""Outlines of areas that change at whole seconds, as SVG draws them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

# Left, right, lower edge and upper edge of a piece, in pixels.
Piece = tuple[float, float, float, float]
_Spot = tuple[float, float]


def outline(pieces: Sequence[Piece]) -> str:
    """Go along the upper edges of touching pieces, and back along the lower.

    :param pieces: from left to right, at least one
    """
    there = [
        spot
        for left, right, _, upper in pieces
        for spot in ((left, upper), (right, upper))
    ]
    back = [
        spot
        for left, right, lower, _ in reversed(pieces)
        for spot in ((right, lower), (left, lower))
    ]
    corners = _corners([*there, *back])
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in corners) + "Z"


def _corners(spots: Sequence[_Spot]) -> list[_Spot]:
    """Leave out what lies on a level line between two others."""
    around = [spots[-1], *spots, spots[0]]
    return [
        spot
        for before, spot, after in zip(
            around, spots, itertools.islice(around, 2, None), strict=False
        )
        if not before[1] == spot[1] == after[1]
    ]
