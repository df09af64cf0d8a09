"""The records that a page takes along, to be downloaded from it.

A second of a load fills about a thousand buckets, so an hour as it was
measured packs to 12 MB: too much for a page that people forward.  Where
all together would be too much, neighbouring windows are added up.
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

# Of a page, whose plots and tables are far below the rest of 3 MB.
MOST_BYTES = 2_400_000
# Seconds of a window, each a multiple of the one before it.
LENGTHS_S = (1, 10, 30, 60, 300, 3600)


@dataclasses.dataclass(frozen=True)
class Downloads:
    """The records of all iterations.

    :param window_s: seconds of a window in them at most; 0 where even the
        longest were too much, and there are no files
    :param addresses: ``data:`` of each iteration, empty without records
    """

    window_s: int
    addresses: list[str]


def pack(texts: Sequence[str], most_bytes: int = MOST_BYTES) -> Downloads:
    """Pack records, as finely as there is room for.

    :param texts: of each iteration, a JSON object a line
    :param most_bytes: of all addresses together
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
    """Return content as a ``data:`` address."""
    encoded = base64.b64encode(content).decode()
    return f"data:{media_type};base64,{encoded}"


def _with_longer_windows(text: str, window_s: int) -> str:
    """Add up windows; leave records as they are where one can't be read.

    The page says of such an iteration what is wrong with it.
    """
    try:
        return _added_up_by(text, window_s)
    except (ValueError, KeyError, TypeError, AttributeError):
        return text


def _added_up_by(text: str, window_s: int) -> str:
    """Add up the windows of each phase of a step that follow each other.

    What is added up says in ``seconds`` how many it was.
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
    # The same workers made all of them.
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
