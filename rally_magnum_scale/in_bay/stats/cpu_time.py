"""CPU seconds from counters that are read now and then.

A node reads the counters of its pods by itself, every 10 to 20 seconds
where nothing else is set, and tells with each when that was.  Of a step is
taken what lies between two such readings, and scaled to its steady
seconds: the load is the same in all of them.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

# Of the time between two readings, how much may lie outside of the steady
# seconds, where the load was another one.
MAX_OUTSIDE_RATIO = 0.1
# What lies outside may be wrong, what is left out is only not seen.
_OUTSIDE_COST = 20.0
# Two readings that lie closer together say little about a step.
MIN_COVERED_RATIO = 0.3


@dataclasses.dataclass(frozen=True, order=True)
class Reading:
    """What a counter said at a moment.

    :param at_s: epoch seconds at which it was read, by its node's clock
    :param used_s: CPU seconds since it began
    """

    at_s: float
    used_s: float


@dataclasses.dataclass(frozen=True)
class CpuCounters:
    """What the counters of a bay said during a load.

    :param targets: name of a target's pod to its readings
    :param nodes: name of a node with pods of the load to its readings
    :param missing: why readings are missing; empty where none is known to
    """

    targets: Mapping[str, Sequence[Reading]]
    nodes: Mapping[str, Sequence[Reading]]
    missing: str = ""


@dataclasses.dataclass(frozen=True)
class Use:
    """CPU seconds over a stretch of time.

    :param used_s: all together
    :param outside_ratio: of the time between the readings, how much lay
        outside of the stretch
    :param covered_ratio: how much of the stretch lay between the readings;
        what is used in the rest is taken to be the same
    """

    used_s: float
    outside_ratio: float
    covered_ratio: float


def used_by_all(
    counters: Mapping[str, Sequence[Reading]], start_s: float, end_s: float
) -> Use | None:
    """Add up what several used over the same stretch.

    :param counters: name to its readings
    :param start_s: epoch seconds
    :param end_s: epoch seconds
    :returns: None when there is none, or one can't be told
    """
    parts = [used(one, start_s, end_s) for one in counters.values()]
    known = [one for one in parts if one is not None]
    if not parts or len(known) < len(parts):
        return None
    total_s = sum(one.used_s for one in known)
    doubt_s = sum(one.used_s * one.outside_ratio for one in known)
    return Use(
        total_s,
        doubt_s / total_s if total_s else 0.0,
        min(one.covered_ratio for one in known),
    )


def used(
    readings: Iterable[Reading], start_s: float, end_s: float
) -> Use | None:
    """Return what a counter says was used over a stretch.

    :param readings: in any order, one may have been seen several times
    :returns: None when no two readings lie well enough, or the counter
        began anew between them
    """
    margin_s = (end_s - start_s) * MAX_OUTSIDE_RATIO / (1 - MAX_OUTSIDE_RATIO)
    near = sorted(
        one
        for one in set(readings)
        if start_s - margin_s <= one.at_s <= end_s + margin_s
    )
    if any(b.used_s < a.used_s for a, b in itertools.pairwise(near)):
        return None
    pairs = (
        _Pair.of(first, last, start_s, end_s)
        for first, last in itertools.combinations(near, 2)
        if first.at_s < last.at_s
    )
    best = min((one for one in pairs if one.fits), default=None)
    if best is None:
        return None
    return Use(
        best.rate * (end_s - start_s), best.outside_ratio, best.covered_ratio
    )


@dataclasses.dataclass(frozen=True, order=True)
class _Pair:
    """Two readings from which a stretch may be told.

    :param cost: by which they are chosen: what they leave out of the
        stretch and what they take in from outside, in shares
    :param rate: CPU seconds a second between them
    """

    cost: float
    outside_ratio: float
    covered_ratio: float
    rate: float

    @classmethod
    def of(
        cls, first: Reading, last: Reading, start_s: float, end_s: float
    ) -> _Pair:
        length_s = last.at_s - first.at_s
        # Below 0 where both lie on one side of the stretch: they don't fit.
        inside_s = min(last.at_s, end_s) - max(first.at_s, start_s)
        outside = 1 - inside_s / length_s
        covered = inside_s / (end_s - start_s)
        rate = (last.used_s - first.used_s) / length_s
        cost = _OUTSIDE_COST * outside - covered
        return cls(cost, outside, covered, rate)

    @property
    def fits(self) -> bool:
        return (
            self.outside_ratio <= MAX_OUTSIDE_RATIO
            and self.covered_ratio >= MIN_COVERED_RATIO
        )
