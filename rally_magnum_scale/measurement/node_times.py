"""When each node became Ready, in seconds from the request for its bay.

Like all times in records, each time here is the upper end of an interval: the
true time is longer than the time minus its resolution.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from collections.abc import Sequence

# Kubernetes truncates the time stamps of a node's conditions to whole seconds.
STAMP_S = 1.0

# By how much more synchronised clocks may differ, plus the delay until the
# watch reports what they stamped.
TOLERANCE_S = 1.0

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclasses.dataclass(frozen=True)
class Clocks:
    """How to convert the bay's clock to the clock of this host.

    :param requested_at: epoch second of this host's clock
    :param offset_s: the clock of the bay's API server minus this host's
        clock; None if unknown
    :param offset_error_s: the largest error of ``offset_s``, either way
    """

    requested_at: float
    offset_s: float | None = None
    offset_error_s: float = 0.0

    def after_request_s(self, stamp: float | None) -> float | None:
        """Return the seconds from the request to a time stamp.

        :param stamp: epoch seconds of the bay's clock
        """
        if stamp is None or self.offset_s is None:
            return None
        return stamp - self.offset_s - self.requested_at


@dataclasses.dataclass(frozen=True)
class ReadyNode:
    """When a node became Ready, by several clocks.

    :param name: of the node
    :param stamped_at: epoch second of the node's clock at which it became
        Ready; None if unknown
    :param seen_after_s: seconds of this host's monotonic clock from the
        request until the watch reported it Ready; None if it never did
    :param unready_after_s: seconds of the same clock from the request until
        the node was last known not to be Ready
    :param created_at: epoch second of the API server's clock at which the
        Node object was created; None if unknown
    """

    name: str
    stamped_at: float | None
    seen_after_s: float | None
    unready_after_s: float = 0.0
    created_at: float | None = None


@dataclasses.dataclass(frozen=True)
class Span:
    """The seconds from the request between which a node became Ready."""

    low_s: float
    high_s: float


def doubt(nodes: Iterable[ReadyNode], clocks: Clocks) -> str:
    """Return which time stamps of nodes can't be right.

    A node can't be Ready before its bay was requested, before its Node object
    was created, or while the watch reported it not Ready.  It must be Ready
    when the watch reported it Ready.

    :returns: a sentence without its full stop; empty if all may be right
    """
    faults = [fault for node in nodes if (fault := _stamp_fault(node, clocks))]
    if not faults:
        return ""
    noun = "timestamp" if len(faults) == 1 else "timestamps"
    return (
        f"{len(faults):,} impossible {noun} of nodes, such as {faults[0]}; "
        "synchronise the clocks of the nodes (NTP)"
    )


def _stamp_fault(node: ReadyNode, clocks: Clocks) -> str:
    stamped_s = clocks.after_request_s(node.stamped_at)
    if stamped_s is None:
        return ""
    created_s = clocks.after_request_s(node.created_at)
    least_s, since = max(
        (0.0, "its bay was requested"),
        (node.unready_after_s, "it was seen not Ready"),
        (
            -math.inf if created_s is None else created_s,
            "its Node object was created",
        ),
    )
    early_s = least_s - stamped_s
    late_s = stamped_s - _seen_s(node)
    stamp = f"{node.name} is Ready by its own clock"
    if early_s > STAMP_S + clocks.offset_error_s + TOLERANCE_S:
        return f"{stamp} {early_s:,.1f} s before {since}"
    if late_s > clocks.offset_error_s + TOLERANCE_S:
        return f"{stamp} {late_s:,.1f} s after it was seen Ready"
    return ""


def spans(nodes: Iterable[ReadyNode], clocks: Clocks) -> list[Span]:
    """Return the interval in which each node became Ready.

    A time stamp is more exact than the watch, so it is used if it can be
    converted to this host's clock.

    :returns: of each node with a known upper end
    """
    found = []
    for node in nodes:
        stamped_s = clocks.after_request_s(node.stamped_at)
        low_s, high_s = node.unready_after_s, _seen_s(node)
        if stamped_s is not None:
            stamp_end_s = stamped_s + STAMP_S + clocks.offset_error_s
            low_s = max(low_s, stamped_s - clocks.offset_error_s)
            high_s = min(high_s, stamp_end_s)
        # Clocks may differ a little, so the ends may cross.
        high_s = max(0.0, high_s)
        if not math.isinf(high_s):
            found.append(Span(min(low_s, high_s), high_s))
    return found


def _seen_s(node: ReadyNode) -> float:
    return math.inf if node.seen_after_s is None else node.seen_after_s


def resolution_s(found: Sequence[Span]) -> float | None:
    """Return the resolution of percentiles over nodes, in seconds.

    The true percentile is longer than the percentile minus its resolution.

    :returns: None without any node
    """
    return max((one.high_s - one.low_s for one in found), default=None)


def all_ready_after_s(found: Iterable[Span], wanted: int) -> float:
    """Return until when fewer than ``wanted`` nodes were Ready, in seconds."""
    lows = sorted(one.low_s for one in found)
    return lows[wanted - 1] if 1 <= wanted <= len(lows) else 0.0


def nearest_ranks(times: Iterable[float]) -> dict[str, float] | None:
    """Return ``p50``, ``p90``, ``p99`` and ``max`` of some times.

    A percentile is the smallest time that is not exceeded by that share of
    them (nearest rank).  So it is always one of the times.

    :returns: None without any time
    """
    ordered = sorted(times)
    if not ordered:
        return None
    return {
        name: ordered[math.ceil(share * len(ordered)) - 1]
        for name, share in PERCENTILES.items()
    }
