"""When each node became Ready, counted from the request for its bay.

Every time here is the upper end of what is known, as all times in records
are: the truth lies above the time minus its resolution.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from collections.abc import Sequence

# Kubernetes stamps a node's conditions with whole seconds, and leaves out
# the rest.
STAMP_S = 1.0

# By how much more clocks may differ that are kept in time, and the moment in
# which we see what they stamp.
TOLERANCE_S = 1.0

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclasses.dataclass(frozen=True)
class Clocks:
    """How the bay's clock is read on ours.

    :param requested_at: epoch seconds of our clock when the bay was asked for
    :param offset_s: the clock of the bay's API server minus ours, None if it
        is unknown
    :param offset_error_s: how far off that may be, either way
    """

    requested_at: float
    offset_s: float | None = None
    offset_error_s: float = 0.0

    def after_request_s(self, stamp: float | None) -> float | None:
        """Return the seconds from the request to a stamp, by our clock.

        :param stamp: epoch seconds of the bay's clock
        """
        if stamp is None or self.offset_s is None:
            return None
        return stamp - self.offset_s - self.requested_at


@dataclasses.dataclass(frozen=True)
class ReadyNode:
    """What several clocks say of one node that is Ready.

    :param stamped_at: epoch seconds of the node's clock, as the node noted
        it, or None
    :param seen_after_s: seconds of our monotonic clock from the request
        until we saw it Ready, or None
    :param unready_after_s: seconds of our monotonic clock from the request
        to when it was not Ready for certain
    :param created_at: epoch seconds of the API server's clock at which the
        Node object was made, or None
    """

    name: str
    stamped_at: float | None
    seen_after_s: float | None
    unready_after_s: float = 0.0
    created_at: float | None = None


@dataclasses.dataclass(frozen=True)
class Span:
    """Between which seconds after the request a node became Ready."""

    low_s: float
    high_s: float


def doubt(nodes: Iterable[ReadyNode], clocks: Clocks) -> str:
    """Say which time stamps of nodes can't be right.

    A node was not Ready before its bay was asked for, nor before its Node
    object was made, nor while we saw it not Ready; and it was Ready by the
    time we saw it.

    :returns: a sentence without its full stop; empty when all may be right
    """
    faults = [fault for node in nodes if (fault := _stamp_fault(node, clocks))]
    if not faults:
        return ""
    noun = "node has a time stamp" if len(faults) == 1 else "nodes have stamps"
    return (
        f"{len(faults):,} {noun} that can't be right, such as {faults[0]}; "
        "keep the clocks of the nodes in time (NTP)"
    )


def _stamp_fault(node: ReadyNode, clocks: Clocks) -> str:
    stamped_s = clocks.after_request_s(node.stamped_at)
    if stamped_s is None:
        return ""
    created_s = clocks.after_request_s(node.created_at)
    least_s, since = max(
        (0.0, "its bay was asked for"),
        (node.unready_after_s, "it was seen not Ready"),
        (-math.inf if created_s is None else created_s, "its node was made"),
    )
    latest_s = math.inf if node.seen_after_s is None else node.seen_after_s
    early_s = least_s - stamped_s
    late_s = stamped_s - latest_s
    said = f"{node.name} is Ready by its own clock"
    if early_s > STAMP_S + clocks.offset_error_s + TOLERANCE_S:
        return f"{said} {early_s:,.1f} s before {since}"
    if late_s > clocks.offset_error_s + TOLERANCE_S:
        return f"{said} {late_s:,.1f} s after it was seen Ready"
    return ""


def spans(nodes: Iterable[ReadyNode], clocks: Clocks) -> list[Span]:
    """Return between which seconds each node became Ready.

    A stamp is nearer to the truth than the moment in which we saw it, and
    is taken where it can be moved onto our clock.

    :returns: of each node of which something is known
    """
    known = (_span(node, clocks) for node in nodes)
    return [span for span in known if span is not None]


def _span(node: ReadyNode, clocks: Clocks) -> Span | None:
    stamped_s = clocks.after_request_s(node.stamped_at)
    seen_s = math.inf if node.seen_after_s is None else node.seen_after_s
    low_s, high_s = node.unready_after_s, seen_s
    if stamped_s is not None:
        low_s = max(low_s, stamped_s - clocks.offset_error_s)
        high_s = min(high_s, stamped_s + STAMP_S + clocks.offset_error_s)
    # What little the clocks may contradict each other leaves no gap.
    high_s = max(0.0, high_s)
    return None if math.isinf(high_s) else Span(min(low_s, high_s), high_s)


def resolution_s(found: Sequence[Span]) -> float | None:
    """Return how exact percentiles over some nodes are, in seconds.

    Each percentile lies above what is told by less than that.
    """
    return max((one.high_s - one.low_s for one in found), default=None)


def all_ready_after_s(found: Iterable[Span], wanted: int) -> float:
    """Return the seconds before which so many nodes were not Ready.

    :param wanted: how many
    """
    lows = sorted(one.low_s for one in found)
    return lows[wanted - 1] if 1 <= wanted <= len(lows) else 0.0


def nearest_ranks(times: Iterable[float]) -> dict[str, float] | None:
    """Return ``p50``, ``p90``, ``p99`` and ``max`` of some times.

    A percentile is the smallest time by which that share of them was over
    (nearest rank): it is always a time that was measured.

    :returns: None without any time
    """
    ordered = sorted(times)
    if not ordered:
        return None
    return {
        name: ordered[math.ceil(share * len(ordered)) - 1]
        for name, share in PERCENTILES.items()
    }
