"""How fast an API server answered, from its own histograms.

Kubernetes' SLO bounds the p99 of each kind of request: 1 s for one that
changes an object or reads a single one, 30 s for a list (Kubernetes
scalability SLIs/SLOs, "API call latency").  Watches and streams, which last
as long as someone listens, are left out there and here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

# Kinds of request, and the verbs that they have in the server's metrics.
KINDS = {
    "mutating": ("POST", "PUT", "PATCH", "APPLY", "DELETE"),
    "get": ("GET",),
    "list": ("LIST",),
}

# Upper bound of a bucket in seconds to how many were at most so long.
Buckets = dict[float, float]


@dataclasses.dataclass(frozen=True)
class ApiCounters:
    """What a server has counted since it was started.

    :param started_at: when it was started, in epoch seconds of its clock:
        tells servers apart, and one from itself before it was restarted
    :param verbs: the buckets of each verb
    """

    started_at: float
    verbs: Mapping[str, Buckets]


def between(before: ApiCounters, after: ApiCounters) -> dict[str, Buckets]:
    """Return the buckets of what came between two readings, by verb.

    :raises ValueError: when they are not of one server
    """
    if before.started_at != after.started_at:
        raise ValueError(
            "its counters were read from two API servers, or from one that "
            "was started anew meanwhile"
        )
    return {
        verb: {
            bound: count - before.verbs.get(verb, {}).get(bound, 0.0)
            for bound, count in buckets.items()
        }
        for verb, buckets in after.verbs.items()
    }


def merged(verbs: Mapping[str, Buckets], names: tuple[str, ...]) -> Buckets:
    """Add up the buckets of some verbs."""
    total: Buckets = {}
    for name in names:
        for bound, count in verbs.get(name, {}).items():
            total[bound] = total.get(bound, 0.0) + count
    return total


def count(buckets: Buckets) -> int:
    """Return how many requests there were."""
    return int(buckets.get(math.inf, 0))


@dataclasses.dataclass(frozen=True)
class Quantile:
    """A quantile of a histogram, in seconds.

    :param low_s: lower end of its bucket; the truth lies above it
    :param high_s: upper end of its bucket; the truth lies not above it.
        None in the last bucket, which has none
    :param value_s: interpolated between them; None in the last bucket
    """

    low_s: float
    high_s: float | None = None
    value_s: float | None = None


def quantile(buckets: Buckets, share: float) -> Quantile | None:
    """Return a quantile and the bucket that it lies in.

    Within a bucket it is interpolated evenly, as Prometheus'
    ``histogram_quantile`` does, so it is as exact as the bucket is narrow.
    Beyond the last bound, where that function returns the bound, nothing is
    known but that it lies above it.

    :param share: such as 0.99
    :returns: None without any request
    """
    total = buckets.get(math.inf, 0.0)
    if not total:
        return None
    rank = share * total
    lower_s = below = 0.0
    for bound_s, at_most in sorted(buckets.items()):
        if at_most >= rank:
            if math.isinf(bound_s):
                return Quantile(lower_s)
            part = (rank - below) / (at_most - below)
            value_s = lower_s + (bound_s - lower_s) * part
            return Quantile(lower_s, bound_s, value_s)
        lower_s, below = bound_s, at_most
    return Quantile(lower_s)
