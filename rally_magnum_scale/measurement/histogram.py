"""Times in microseconds, counted in buckets of three significant digits.

The layout is the log-linear one of HdrHistogram (Gil Tene,
``hdrhistogram.org``, ``AbstractHistogram.java``) with 2,048 sub-buckets:
values below 2,048 µs have a bucket each, and from there on every power of
two is cut into 1,024 equal buckets.  A bucket is therefore never wider
than 1/1,024 of its values, and its two ends differ by less than 0.1 %.

Only buckets that hold something are kept, so a histogram is a dict
``{lowest µs of the bucket: count}`` that merges by adding and travels as
JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any

SUB_BUCKET_BITS = 11
SUB_BUCKETS = 1 << SUB_BUCKET_BITS


def bucket_floor_us(value_us: int) -> int:
    """Return the lowest value, in µs, of the bucket that holds a value.

    :param value_us: a time in µs, 0 or more
    """
    if value_us < SUB_BUCKETS:
        return value_us
    shift = value_us.bit_length() - SUB_BUCKET_BITS
    return (value_us >> shift) << shift


def bucket_top_us(floor_us: int) -> int:
    """Return the highest value, in µs, of the bucket that begins there.

    :param floor_us: what :func:`bucket_floor_us` returned
    """
    if floor_us < SUB_BUCKETS:
        return floor_us
    return floor_us + (1 << (floor_us.bit_length() - SUB_BUCKET_BITS)) - 1


@dataclass(frozen=True)
class Histogram:
    """How many times fell into which bucket.

    :param counts: lowest µs of a bucket to how many values it holds
    """

    counts: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def from_values_us(cls, values: Mapping[int, int]) -> Histogram:
        """Count raw times into buckets.

        :param values: a time in µs to how often it was seen
        :raises ValueError: for a time or a count below zero
        """
        _check(values)
        counts: dict[int, int] = {}
        for value_us, count in values.items():
            floor_us = bucket_floor_us(value_us)
            counts[floor_us] = counts.get(floor_us, 0) + count
        return cls(counts)

    def merge(self, *others: Histogram) -> Histogram:
        """Add histograms up; nothing is lost, whatever the order."""
        counts = dict(self.counts)
        for other in others:
            for floor_us, count in other.counts.items():
                counts[floor_us] = counts.get(floor_us, 0) + count
        return Histogram(counts)

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts.values())

    @property
    def max_us(self) -> int | None:
        """The highest value in µs, at the top of its bucket; None if empty."""
        return bucket_top_us(max(self.counts)) if self.counts else None

    def percentile_us(self, percentile: float) -> int | None:
        """Return a percentile by nearest rank, at the top of its bucket.

        :param percentile: above 0 and up to 100, such as 99.9
        :returns: µs, or None when nothing was counted
        :raises ValueError: when there is no such percentile
        """
        return self.percentiles_us([percentile])[0]

    def percentiles_us(self, percentiles: Iterable[float]) -> list[int | None]:
        """Return several percentiles, for one sorting of the buckets.

        :param percentiles: each above 0 and up to 100
        :returns: µs for each, in the order asked for
        :raises ValueError: when there is no such percentile
        """
        asked = list(percentiles)
        for percentile in asked:
            if not 0 < percentile <= 100:
                raise ValueError(
                    f"percentile must be above 0 and up to 100: {percentile}"
                )
        total, ordered = self.total, sorted(self.counts.items())
        return [
            _at_rank(ordered, _nearest_rank(percentile, total))
            for percentile in asked
        ]

    def to_json(self) -> dict[str, int]:
        """Return ``{"lowest µs": count}``, lowest first."""
        return {str(us): count for us, count in sorted(self.counts.items())}

    @classmethod
    def from_json(cls, data: Mapping[Any, int]) -> Histogram:
        """Read what :meth:`to_json` wrote; keys may be integers as well.

        The keys are taken as they are, lowest values of their buckets: a
        master reads thousands of histograms a second.

        :raises ValueError: for a key that is no time or a negative count
        """
        counts = dict(zip(map(int, data), data.values(), strict=True))
        _check(counts)
        return cls(counts)


def _check(counts: Mapping[int, int]) -> None:
    if counts and (min(counts) < 0 or min(counts.values()) < 0):
        raise ValueError("a time and its count can't be negative")


def _nearest_rank(percentile: float, total: int) -> int:
    # 99.9 * 1000 / 100 is 999.0000000000001 in floating point: without
    # rounding, the rank would be one too high.
    return max(1, math.ceil(round(percentile * total / 100, 6)))


def _at_rank(ordered: list[tuple[int, int]], rank: int) -> int | None:
    seen = 0
    for floor_us, count in ordered:
        seen += count
        if seen >= rank:
            return bucket_top_us(floor_us)
    return None
