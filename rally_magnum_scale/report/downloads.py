"""The records that a page contains as downloads.

A second of a load fills about a thousand buckets, so the records of an hour
compress to 12 MB.  This is too much for a page that people forward.  If all
records together are too large, neighbouring windows are merged.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import itertools
import json
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import windows

# A page may have 3 MB; its plots and tables need far less than the rest.
MOST_BYTES = 2_400_000
# Possible lengths of a window in seconds, each a multiple of the previous.
LENGTHS_S = (1, 10, 30, 60, 300, 3600)


@dataclasses.dataclass(frozen=True)
class Downloads:
    """The records of all iterations.

    :param window_s: maximum length of a window in seconds; 0 if even the
        longest windows are too much, so that there are no files
    :param addresses: ``data:`` URL of each iteration, empty without records
    """

    window_s: int
    addresses: list[str]


def pack(texts: Sequence[str], most_bytes: int = MOST_BYTES) -> Downloads:
    """Compress records, with the shortest windows that fit.

    :param texts: records of each iteration, one JSON object per line
    :param most_bytes: maximum size of all URLs together
    """
    merged = list(texts)
    for window_s in LENGTHS_S:
        if window_s > 1:
            merged = [_with_longer_windows(one, window_s) for one in merged]
        addresses = [_address(one) for one in merged]
        if sum(map(len, addresses)) <= most_bytes:
            return Downloads(window_s, addresses)
    return Downloads(0, [""] * len(merged))


def _address(text: str) -> str:
    if not text:
        return ""
    packed = gzip.compress(text.encode(), 6, mtime=0)
    return address("application/gzip", packed)


def address(media_type: str, content: bytes) -> str:
    """Return content as a ``data:`` URL."""
    encoded = base64.b64encode(content).decode()
    return f"data:{media_type};base64,{encoded}"


def _with_longer_windows(text: str, window_s: int) -> str:
    """Merge windows; return records unchanged if one can't be read.

    The page shows the error of such an iteration.
    """
    try:
        return _added_up_by(text, window_s)
    except (ValueError, KeyError, TypeError, AttributeError):
        return text


def _added_up_by(text: str, window_s: int) -> str:
    """Merge consecutive windows of each phase of a step.

    The ``seconds`` of a merged window say how many windows it contains.
    """
    read = map(json.loads, text.splitlines())

    def key(record: dict[str, Any]) -> tuple[Any, ...]:
        if record.get("record") != "window":
            return (None,)
        second = record["second"] // window_s
        return record["step"], record["phase"], second

    lines: list[dict[str, Any]] = []
    for (step, *_), group in itertools.groupby(read, key):
        found = list(group)
        lines.extend(found if step is None else [_added_up(found)])
    return records.dump(lines)


def _added_up(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = found[0]
    one = windows.merge(_in_one_second(found, first["second"]))
    # All windows are from the same workers.
    workers = max(record["workers"] for record in found)
    body = dataclasses.replace(one, workers=workers).to_json()
    seconds = sum(record.get("seconds", 1) for record in found)
    return {**first, **body, "seconds": seconds}


def _in_one_second(
    found: Iterable[dict[str, Any]], second: int
) -> Iterable[windows.Window]:
    for record in found:
        read = windows.Window.from_json(record)
        yield dataclasses.replace(read, second=second)
