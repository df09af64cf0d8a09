"""Histograms of times in microseconds, with three significant digits.

The layout is the log-linear one of HdrHistogram (Gil Tene,
``hdrhistogram.org``, ``AbstractHistogram.java``) with 2,048 sub-buckets:
each value below 2,048 µs has its own bucket, and above that every power of
two is divided into 1,024 equal buckets.  So a bucket is never wider than
1/1,024 of its values, and its two ends differ by less than 0.1 %.

Empty buckets are not kept.  So a histogram is a dict ``{lowest µs of the
bucket: count}``, and histograms are merged by adding their counts.

There are two encodings.  Both list the counts by bucket number, from 0 at
0 µs.  In JSON it is a text in which a negative number skips that many empty
buckets, as in HdrHistogram's V2 encoding.  A JSON parser keeps a text as it
is, while a list becomes one object per number and takes seven times the
memory.  The packed encoding is for the Locust master, which must add up
thousands of histograms each second in Python.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Iterable
from collections.abc import Mapping

SUB_BUCKET_BITS = 11
SUB_BUCKETS = 1 << SUB_BUCKET_BITS
HALF_BITS = SUB_BUCKET_BITS - 1

# The fastest level, because workers compress between requests.
ZLIB_LEVEL = 1
COUNT_BYTES = 4

# Possessive, because a histogram is read for each second of a run.
_WRITTEN = re.compile("(?:-?[1-9][0-9]*+(?: -?[1-9][0-9]*+)*+)?")


def bucket_floor_us(value_us: int) -> int:
    """Return the lowest value, in µs, of the bucket that holds a value.

    :param value_us: a time in µs, 0 or more
    """
    # A worker does this for each measured time, so it avoids function calls.
    if value_us < SUB_BUCKETS:
        return value_us
    shift = value_us.bit_length() - SUB_BUCKET_BITS
    return (value_us >> shift) << shift


def bucket_top_us(floor_us: int) -> int:
    """Return the highest value, in µs, of a bucket.

    :param floor_us: its lowest value, from :func:`bucket_floor_us`
    """
    return floor_us + (1 << _width_bits(floor_us)) - 1


def bucket_number(floor_us: int) -> int:
    """Return the number of buckets below the one with this lowest value."""
    shift = _width_bits(floor_us)
    return (shift << HALF_BITS) + (floor_us >> shift)


def numbered_floor_us(number: int) -> int:
    """Return the lowest value of a bucket; undo :func:`bucket_number`."""
    shift = max(0, (number >> HALF_BITS) - 1)
    return (number - (shift << HALF_BITS)) << shift


def _width_bits(value_us: int) -> int:
    """Return the width of the bucket of a value, as a power of two."""
    return max(0, value_us.bit_length() - SUB_BUCKET_BITS)


class Histogram:
    """Counts of times by bucket; immutable.

    A histogram that was read from JSON keeps the text, and parses it each time
    that its counts are needed: a reader holds all windows of a run, and a
    dict takes ten times as much memory.

    :param counts: lowest µs of a bucket to the number of its values
    """

    __slots__ = ("_counts", "_written")

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self._counts = counts or {}
        self._written: str | None = None

    @property
    def counts(self) -> Mapping[int, int]:
        """Lowest µs of a bucket to the number of its values."""
        if self._written is None:
            return self._counts
        return _read(self._written)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Histogram):
            return NotImplemented
        return self.counts == other.counts

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Histogram({dict(self.counts)})"

    @classmethod
    def from_values_us(cls, values: Mapping[int, int]) -> Histogram:
        """Count raw times into buckets.

        :param values: time in µs to its number of occurrences
        :raises ValueError: if a time or a count is negative
        """
        if values and (min(values) < 0 or min(values.values()) < 0):
            raise ValueError("a time and its count can't be negative")
        counts: dict[int, int] = {}
        for value_us, count in values.items():
            floor_us = bucket_floor_us(value_us)
            counts[floor_us] = counts.get(floor_us, 0) + count
        return cls(counts)

    def merge(self, *others: Histogram) -> Histogram:
        """Return the sum of histograms; their order does not matter."""
        counts = dict(self.counts)
        for other in others:
            for floor_us, count in other.counts.items():
                counts[floor_us] = counts.get(floor_us, 0) + count
        return Histogram(counts)

    def less(self, *others: Histogram) -> Histogram:
        """Subtract histograms that were merged into this one.

        :raises ValueError: if they hold more than this one
        """
        if not others:
            return self
        counts = dict(self.counts)
        for other in others:
            for floor_us, count in other.counts.items():
                counts[floor_us] = counts.get(floor_us, 0) - count
        if any(count < 0 for count in counts.values()):
            raise ValueError(
                "a histogram holds less than is subtracted from it"
            )
        return Histogram({at: count for at, count in counts.items() if count})

    def at_least_us(self, least_us: int) -> Histogram:
        """Return the times that are certainly ``least_us`` or longer.

        A bucket that begins below ``least_us`` is left out.
        """
        return Histogram(
            {
                floor_us: count
                for floor_us, count in self.counts.items()
                if floor_us >= least_us
            }
        )

    @property
    def total(self) -> int:
        """Number of counted values."""
        return sum(self.counts.values())

    @property
    def max_us(self) -> int | None:
        """The upper end of the highest bucket, in µs; None if empty."""
        counts = self.counts
        return bucket_top_us(max(counts)) if counts else None

    def percentile_us(self, percentile: float) -> int | None:
        """Return a percentile by nearest rank: the upper end of its bucket.

        :param percentile: above 0 and up to 100, such as 99.9
        :returns: µs; None if nothing was counted
        :raises ValueError: if there is no such percentile
        """
        (found_us,) = self.percentiles_us([percentile])
        return found_us

    def percentiles_us(
        self, percentiles: Iterable[float], above: int = 0
    ) -> list[int | None]:
        """Return several percentiles, sorting the buckets only once.

        :param percentiles: each above 0 and up to 100
        :param above: number of further values, above all counted ones
        :returns: µs of each, in the given order; None for a percentile among
            the further values
        :raises ValueError: if there is no such percentile
        """
        wanted = list(percentiles)
        for percentile in wanted:
            if not 0 < percentile <= 100:
                raise ValueError(
                    f"percentile must be above 0 and up to 100: {percentile}"
                )
        ordered = sorted(self.counts.items())
        total = sum(count for _, count in ordered) + above
        return [
            _at_rank(ordered, nearest_rank(percentile, total))
            for percentile in wanted
        ]

    def to_json(self) -> str:
        """Return the counts as text; ``-n`` skips ``n`` empty buckets."""
        if self._written is not None:
            return self._written
        written: list[int] = []
        following = 0
        for number, count in self._numbered():
            if number > following:
                written.append(following - number)
            written.append(count)
            following = number + 1
        return " ".join(map(str, written))

    @classmethod
    def from_json(cls, data: str) -> Histogram:
        """Read what :meth:`to_json` wrote.

        :raises ValueError: if it is something else
        """
        if not isinstance(data, str) or not _WRITTEN.fullmatch(data):
            raise ValueError(f"Invalid histogram: {str(data)[:80]!r}.")
        read = cls()
        read._written = data
        return read

    def packed(self) -> bytes:
        """Return the counts in the encoding that :class:`PackedSum` reads.

        It has all buckets up to the last one that is not empty.  Each is a
        little-endian integer of 4 bytes.  The whole is deflated.
        """
        buckets: list[int] = []
        for number, count in self._numbered():
            buckets += [0] * (number - len(buckets))
            buckets.append(count)
        return zlib.compress(
            struct.pack(f"<{len(buckets)}I", *buckets), ZLIB_LEVEL
        )

    def _numbered(self) -> list[tuple[int, int]]:
        return [
            (bucket_number(floor_us), count)
            for floor_us, count in sorted(self.counts.items())
            if count
        ]


class PackedSum:
    """Adds up packed histograms without a Python loop over the buckets.

    The counts are the digits of one large number with the base 2**32, and
    adding such numbers adds up all buckets at once.  No digit overflows before
    a bucket has 4 billion requests.
    """

    def __init__(self) -> None:
        self._sum = 0

    def add(self, packed: bytes) -> None:
        """Add what :meth:`Histogram.packed` returned.

        :raises ValueError: if it is something else
        """
        try:
            data = zlib.decompress(packed)
        except (zlib.error, TypeError) as error:
            raise ValueError(f"Invalid packed histogram: {error}.") from error
        self._sum += int.from_bytes(data, "little")

    def histogram(self) -> Histogram:
        """Return the sum of all that was added."""
        buckets = -(-self._sum.bit_length() // (8 * COUNT_BYTES))
        data = self._sum.to_bytes(buckets * COUNT_BYTES, "little")
        return Histogram(
            {
                numbered_floor_us(number): count
                for number, count in enumerate(
                    struct.unpack(f"<{buckets}I", data)
                )
                if count
            }
        )


class _Floors(dict[int, int]):
    """Bucket number to lowest value, calculated once each."""

    def __missing__(self, number: int) -> int:
        floor_us = self[number] = numbered_floor_us(number)
        return floor_us


_FLOORS = _Floors()


def _read(written: str) -> dict[int, int]:
    # Reports read each window several times and spend most of their time here.
    counts: dict[int, int] = {}
    floors = _FLOORS
    number = 0
    for count in map(int, written.split()):
        if count > 0:
            counts[floors[number]] = count
            number += 1
        else:
            number -= count
    return counts


def nearest_rank(percentile: float, total: int) -> int:
    """Return the rank of a percentile among so many values, from 1."""
    # In floating point, 99.9 * 1000 / 100 is 999.0000000000001.  Without
    # rounding, the rank would be one too high.
    return max(1, math.ceil(round(percentile * total / 100, 6)))


def _at_rank(ordered: list[tuple[int, int]], rank: int) -> int | None:
    seen = 0
    for floor_us, count in ordered:
        seen += count
        if seen >= rank:
            return bucket_top_us(floor_us)
    return None
