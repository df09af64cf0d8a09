"""The records that a page contains as downloads.

A second of a load fills about a thousand buckets, so the records of an hour
compress to 12 MB.  This is too much for a page that people forward.  If all
records together are too large, neighbouring windows are merged.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import zlib
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import histogram
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.report import histogram_sum
from rally_magnum_scale.report import model

# A page may have 3 MB; its plots and tables need far less than the rest.
MOST_BYTES = 2_500_000
# Possible lengths of a window in seconds, each a multiple of the previous.
LENGTHS_S = (1, 10, 30, 60, 300, 3600)

# Level 6 takes three times as long for 4 % less.
_GZIP_LEVEL = 5
_GZIP_HEADER = 31
_CHUNK_BYTES = 1 << 18
_HISTOGRAMS = ("latency_us", "service_us", "schedule_lag_us")


@dataclasses.dataclass(frozen=True)
class Downloads:
    """The records of all iterations.

    :param window_s: maximum length of a window in seconds; 0 if even the
        longest windows are too much, so that there are no files
    :param addresses: ``data:`` URL of each iteration, empty without records
    """

    window_s: int
    addresses: list[str]


@dataclasses.dataclass(frozen=True)
class _Line:
    """One record of an iteration.

    :param text: as it is written
    :param window: what it holds if it is a window
    :param seconds: number of windows that were merged into it
    """

    text: str
    window: windows.Window | None = None
    seconds: int = 1

    def place(self, window_s: int) -> tuple[object, ...] | None:
        """Return what merged windows have in common; None for no window."""
        one = self.window
        if one is None:
            return None
        return one.step, one.phase, one.second // window_s


def pack(
    iterations: Sequence[model.Iteration], most_bytes: int = MOST_BYTES
) -> Downloads:
    """Compress records, with the shortest windows that fit.

    :param most_bytes: maximum size of all URLs together
    """
    files = list(map(_lines, iterations))
    for window_s in LENGTHS_S:
        if window_s > 1:
            files = [list(_merge_windows(one, window_s)) for one in files]
        addresses = _addresses(files, most_bytes)
        if addresses is not None:
            return Downloads(window_s, addresses)
    return Downloads(0, [""] * len(files))


def address(media_type: str, content: bytes) -> str:
    """Return content as a ``data:`` URL."""
    encoded = base64.b64encode(content).decode()
    return f"data:{media_type};base64,{encoded}"


def _addresses(
    files: Iterable[Sequence[_Line]], most_bytes: int
) -> list[str] | None:
    """Return the URL of each file; None if they are too large together."""
    addresses = []
    for lines in files:
        text = "\n".join(one.text for one in lines)
        packed = _compress(text.encode(), most_bytes)
        if packed is None:
            return None
        addresses.append(address("application/gzip", packed) if text else "")
        most_bytes -= len(addresses[-1])
    return None if most_bytes < 0 else addresses


def _compress(content: bytes, most_bytes: int) -> bytes | None:
    """Return content as gzip; None as soon as it is known to be too large."""
    compressor = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_HEADER)
    packed = bytearray()
    for at in range(0, len(content), _CHUNK_BYTES):
        packed += compressor.compress(content[at : at + _CHUNK_BYTES])
        if len(packed) > most_bytes:
            return None
    return bytes(packed) + compressor.flush()


def _lines(iteration: model.Iteration) -> list[_Line]:
    """Return the records of an iteration.

    The windows of an iteration that can't be read stay as they are; the page
    shows its error.
    """
    texts = iteration.raw.splitlines()
    if not iteration.run.windows:
        return list(map(_Line, texts))
    seen = iter(iteration.run.windows)
    return [
        _Line(text, next(seen, None) if _is_window(text) else None)
        for text in texts
    ]


def _is_window(text: str) -> bool:
    return bool(text.strip()) and json.loads(text)["record"] == "window"


def _merge_windows(lines: Iterable[_Line], window_s: int) -> Iterator[_Line]:
    """Merge consecutive windows of each phase of a step."""
    for place, group in itertools.groupby(
        lines, lambda one: one.place(window_s)
    ):
        if place is None:
            yield from group
        else:
            yield _merged(list(group))


def _merged(lines: Sequence[_Line]) -> _Line:
    """Merge windows; ``seconds`` says how many windows the result contains."""
    seen = [one.window for one in lines if one.window]
    empty: dict[str, Any] = dict.fromkeys(_HISTOGRAMS, histogram.Histogram())
    # Only windows of one second can be merged, and sums are faster.
    plain = [
        dataclasses.replace(one, second=seen[0].second, **empty)
        for one in seen
    ]
    sums: dict[str, Any] = {
        name: histogram_sum.HistogramSum(
            getattr(one, name) for one in seen
        ).histogram()
        for name in _HISTOGRAMS
    }
    merged = dataclasses.replace(
        windows.merge(plain),
        # All windows are from the same workers.
        workers=max(one.workers for one in seen),
        **sums,
    )
    seconds = sum(one.seconds for one in lines)
    record = json.loads(lines[0].text)
    record |= {**merged.to_json(), "seconds": seconds}
    return _Line(records.dump([record]), merged, seconds)
