"""The records of a run inside Rally's output, written and read back."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale.measurement import records

TITLE = "Records of the run"


def records_output(found: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return records as a ``complete`` output of Rally.

    Rally's stock TextArea draws it, so that a report works where this
    package is not installed.
    """
    return {
        "title": TITLE,
        "description": "One JSON object a line, as measured.",
        "chart_plugin": "TextArea",
        "data": [records.dump([dict(record)]) for record in found],
    }


def read_run(iteration: Mapping[str, Any]) -> records.Run:
    """Return the records that one iteration of Rally's results holds.

    :raises ValueError: when a line of them is no record
    """
    return records.collect(records.parse(lines(iteration)))


def lines(iteration: Mapping[str, Any]) -> list[str]:
    """Return the records of one iteration as they were written."""
    return [
        line
        for item in iteration["output"]["complete"]
        if item["title"] == TITLE
        for line in item["data"]
    ]
