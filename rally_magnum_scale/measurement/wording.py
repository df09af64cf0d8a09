"""Wording that messages of several layers share."""

from __future__ import annotations

from collections.abc import Iterable

# A longer list would drown the sentence.
MOST_NAMED = 3


def few(texts: Iterable[str]) -> str:
    """Join the first few texts in order, and count the others."""
    ordered = sorted(texts)
    more = len(ordered) - MOST_NAMED
    named = ", ".join(ordered[:MOST_NAMED])
    return f"{named} and {more} more" if more > 0 else named
