"""Add up the histograms of many windows with numpy.

A page adds up some ten thousand histograms of a thousand buckets each.  With
:meth:`Histogram.merge`, this would be most of the time that a page takes.
"""

from __future__ import annotations

from collections.abc import Iterable

from rally_magnum_scale.in_bay.stats import histogram

# Sums of larger numbers could overflow 64 bits.
_MAX_COUNT = 2**40
# No bucket of a time that fits into 63 bits has a higher number.
_MAX_NUMBER = histogram.bucket_number(histogram.bucket_floor_us(2**63 - 1))


class HistogramSum:
    """The sum of histograms, as an array of counts by bucket number.

    Numpy is imported here, because Rally imports all modules with plugins,
    and draws nothing most of the time.
    """

    def __init__(self, histograms: Iterable[histogram.Histogram] = ()) -> None:
        """Add up histograms.

        :raises ValueError: when a time or a count in it is absurdly large
        """
        import numpy as np

        self._counts = np.zeros(0, dtype=np.int64)
        for text in filter(None, (one.to_json() for one in histograms)):
            written = np.fromstring(text, dtype=np.int64, sep=" ")
            # A number below zero skips so many empty buckets.
            ends = np.maximum(-written, 1).cumsum()
            sane = -_MAX_COUNT <= written.min() <= written.max() <= _MAX_COUNT
            if not sane or ends[-1] > _MAX_NUMBER + 1:
                raise ValueError(f"Invalid histogram: {text[:80]!r}.")
            if ends[-1] > len(self._counts):
                self._counts.resize(int(ends[-1]), refcheck=False)
            filled = written > 0
            self._counts[ends[filled] - 1] += written[filled]

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self._counts.sum())

    @property
    def max_us(self) -> int | None:
        """The highest value in µs, at the top of its bucket; None if empty."""
        filled = self._counts.nonzero()[0]
        return _top_us(int(filled[-1])) if len(filled) else None

    def percentiles_us(
        self, percentiles: Iterable[float], above: int = 0
    ) -> list[int | None]:
        """Return the same as :meth:`Histogram.percentiles_us`."""
        ends = self._counts.cumsum()
        total = int(ends[-1]) if len(ends) else 0
        ranks = [
            histogram.nearest_rank(one, total + above) for one in percentiles
        ]
        return [
            _top_us(int(ends.searchsorted(rank))) if rank <= total else None
            for rank in ranks
        ]

    def histogram(self) -> histogram.Histogram:
        """Return the sum as a histogram."""
        import numpy as np

        filled = self._counts.nonzero()[0]
        skipped = np.diff(filled, prepend=-1) - 1
        pairs = np.column_stack((-skipped, self._counts[filled])).ravel()
        numbers = pairs[pairs != 0].tolist()
        # One format for all numbers is faster than one call for each.
        text = "%d " * len(numbers) % tuple(numbers)
        return histogram.Histogram.from_json(text.rstrip())


def _top_us(number: int) -> int:
    return histogram.bucket_top_us(histogram.numbered_floor_us(number))
