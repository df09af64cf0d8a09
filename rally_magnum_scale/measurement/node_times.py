"""When each node became Ready, counted from the request for its bay."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

# Kubernetes stamps a node's conditions with whole seconds.
STAMP_RESOLUTION_S = 1.0

PERCENTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


@dataclasses.dataclass(frozen=True)
class ReadyNode:
    """What two clocks say of one node that is Ready.

    :param stamped_at: epoch seconds of the bay's clock, as the bay noted
        it, or None
    :param seen_after_s: seconds of our monotonic clock from the request
        until we saw it Ready, or None
    """

    stamped_at: float | None
    seen_after_s: float | None


def after_request_s(
    node: ReadyNode, requested_at: float, offset_s: float | None
) -> float | None:
    """Return the seconds from the request for the bay to the node's Ready.

    The bay's own stamp is nearer to the truth than the moment in which we
    saw it, but clocks differ and are set: a node can't have been Ready
    before it was asked for, nor after we saw it Ready.

    :param requested_at: epoch seconds of our clock
    :param offset_s: the bay's clock minus ours, None if it is unknown
    :returns: None when neither clock says anything
    """
    if node.stamped_at is None or offset_s is None:
        return node.seen_after_s
    stamped_after_s = node.stamped_at - offset_s - requested_at
    latest = math.inf if node.seen_after_s is None else node.seen_after_s
    return max(0.0, min(stamped_after_s, latest))


def percentiles(
    nodes: Iterable[ReadyNode], requested_at: float, offset_s: float | None
) -> dict[str, float] | None:
    """Return ``p50``, ``p90``, ``p99`` and ``max`` over the nodes.

    :param requested_at: as for :func:`after_request_s`, as ``offset_s`` is
    :returns: None when nothing is known of any node
    """
    return nearest_ranks(
        after
        for node in nodes
        if (after := after_request_s(node, requested_at, offset_s)) is not None
    )


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
