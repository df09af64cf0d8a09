"""Words that sentences about many things share."""

from __future__ import annotations

from collections.abc import Iterable

# So many are told; more would drown the sentence.
MOST_NAMED = 3


def few(texts: Iterable[str]) -> str:
    """Tell the first of some texts in order, and how many more there are."""
    ordered = sorted(texts)
    more = len(ordered) - MOST_NAMED
    told = ", ".join(ordered[:MOST_NAMED])
    return f"{told} and {more} more" if more > 0 else told
