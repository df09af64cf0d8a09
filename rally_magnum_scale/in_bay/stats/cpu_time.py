"""CPU seconds from counters that are read only now and then.

By default a node reads the counters of its pods every 10 to 20 seconds, and
reports the time of each reading.  The use between two readings is scaled to
the steady seconds of a step, in which the load is constant.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

# The largest share of the time between two readings that may lie outside the
# steady seconds, where the load was different.
MAX_OUTSIDE_RATIO = 0.1
# Time outside makes the value wrong; time that is left out only makes it less
# exact.
_OUTSIDE_COST = 20.0
# Two readings that cover less of a step say little about it.
MIN_COVERED_RATIO = 0.3


@dataclasses.dataclass(frozen=True, order=True)
class Reading:
    """One reading of a CPU counter.

    :param at_s: epoch second of the reading, by the clock of the node
    :param used_s: CPU seconds since the counter began
    """

    at_s: float
    used_s: float


@dataclasses.dataclass(frozen=True)
class CpuCounters:
    """The CPU counters of a bay during a load.

    :param targets: name of a target's pod to its readings
    :param nodes: name of a node with pods of the load to its readings
    :param missing: why readings are missing; empty if none is known to be
    """

    targets: Mapping[str, Sequence[Reading]]
    nodes: Mapping[str, Sequence[Reading]]
    missing: str = ""


@dataclasses.dataclass(frozen=True)
class Use:
    """CPU seconds used in a time span.

    :param used_s: CPU seconds
    :param outside_ratio: share of the time between the readings that lies
        outside the span
    :param covered_ratio: share of the span that lies between the readings;
        the rate in the rest is assumed to be the same
    """

    used_s: float
    outside_ratio: float
    covered_ratio: float


def used_by_all(
    counters: Mapping[str, Sequence[Reading]], start_s: float, end_s: float
) -> Use | None:
    """Add up the CPU seconds of several counters in one time span.

    :param counters: name to readings
    :param start_s: epoch second at which the span begins
    :param end_s: epoch second at which it ends
    :returns: None without any counter, or if the use of one is unknown
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
    """Return the CPU seconds of one counter in a time span.

    :param readings: in any order; duplicates are ignored
    :param start_s: epoch second at which the span begins
    :param end_s: epoch second at which it ends
    :returns: None if no two readings fit the span, or if the counter started
        again between them
    """
    margin_s = (end_s - start_s) * MAX_OUTSIDE_RATIO / (1 - MAX_OUTSIDE_RATIO)
    near = sorted(
        one
        for one in set(readings)
        if start_s - margin_s <= one.at_s <= end_s + margin_s
    )
    if any(b.used_s < a.used_s for a, b in itertools.pairwise(near)):
        return None
    uses = (
        _use_between(first, last, start_s, end_s)
        for first, last in itertools.combinations(near, 2)
        if first.at_s < last.at_s
    )
    fitting = [
        one
        for one in uses
        if one.outside_ratio <= MAX_OUTSIDE_RATIO
        and one.covered_ratio >= MIN_COVERED_RATIO
    ]
    return min(fitting, key=_cost) if fitting else None


def _use_between(
    first: Reading, last: Reading, start_s: float, end_s: float
) -> Use:
    """Scale the use between two readings to a span."""
    length_s = last.at_s - first.at_s
    # Below 0 if both lie on one side of the span: then they do not fit.
    inside_s = min(last.at_s, end_s) - max(first.at_s, start_s)
    rate = (last.used_s - first.used_s) / length_s
    return Use(
        rate * (end_s - start_s),
        1 - inside_s / length_s,
        inside_s / (end_s - start_s),
    )


def _cost(use: Use) -> tuple[float, ...]:
    """Return what grows with time outside the span, and time left out."""
    cost = _OUTSIDE_COST * use.outside_ratio - use.covered_ratio
    return cost, use.outside_ratio, use.covered_ratio, use.used_s
