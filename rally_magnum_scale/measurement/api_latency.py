"""The latency of an API server, from its own histograms.

Kubernetes' SLO bounds the p99 of each kind of request: 1 s for one that
changes an object or reads a single one, 30 s for a list (Kubernetes
scalability SLIs/SLOs, "API call latency").  Both leave out watches and
streams, which last as long as a client listens.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

# Kind of request to its verbs in the server's metrics.
KINDS = {
    "mutating": ("POST", "PUT", "PATCH", "APPLY", "DELETE"),
    "get": ("GET",),
    "list": ("LIST",),
}

# Upper bound of a bucket, in seconds, to the number of requests up to it.
Buckets = dict[float, float]


@dataclasses.dataclass(frozen=True)
class ApiCounters:
    """The counters of an API server since it was started.

    :param started_at: epoch second of its clock at which it was started;
        identifies a server, and tells whether it was restarted
    :param verbs: the buckets of each verb
    """

    started_at: float
    verbs: Mapping[str, Buckets]


def between(before: ApiCounters, after: ApiCounters) -> dict[str, Buckets]:
    """Return the buckets of the requests between two readings, by verb.

    :raises ValueError: if the readings are not from one run of one server, or
        a counter went back
    """
    if before.started_at != after.started_at:
        raise ValueError(
            "its counters were read from two API servers, or from one that "
            "restarted between the readings"
        )
    for verb, buckets in before.verbs.items():
        for bound, earlier in buckets.items():
            if after.verbs.get(verb, {}).get(bound, 0.0) < earlier:
                raise ValueError(
                    f"its counter of {verb} requests within {bound:g} s went "
                    "back between the two readings"
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
    """Return the number of requests."""
    return int(buckets.get(math.inf, 0))


@dataclasses.dataclass(frozen=True)
class Quantile:
    """A quantile of a histogram, in seconds.

    :param low_s: lower end of its bucket; the true value is above it
    :param high_s: upper end of its bucket; the true value is not above it.
        None in the last bucket, which has no upper end
    :param value_s: interpolated between both ends; None in the last bucket
    """

    low_s: float
    high_s: float | None = None
    value_s: float | None = None


def quantile(buckets: Buckets, share: float) -> Quantile | None:
    """Return a quantile and the ends of its bucket.

    It is interpolated linearly within its bucket, as Prometheus'
    ``histogram_quantile`` does, so it is only as exact as the bucket.  In the
    last bucket that function returns the lower end; here the value is None,
    because it is only known to be above that end.

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
