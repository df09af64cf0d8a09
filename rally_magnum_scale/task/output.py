"""The records of a run inside Rally's output, written and read back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import conditions

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

    :returns: with the iteration's error, if Rally stored one
    :raises ValueError: when a line of them is no record
    """
    run = records.collect(records.parse(lines(iteration)))
    if run.asked:
        conditions.Asked.from_json(run.asked)
    error = records.say_error(iteration.get("error") or ())
    return dataclasses.replace(run, error=error)


def iterations_told(iteration: Mapping[str, Any]) -> int | None:
    """Return how many iterations the runner was told to run, if one says so.

    :raises ValueError: when a line of its records can't be read
    """
    found = (one for one in lines(iteration) if '"conditions"' in one)
    for record in records.parse(found):
        if record["record"] == "conditions":
            return conditions.Asked.from_json(record).iterations
    return None


def lines(iteration: Mapping[str, Any]) -> list[str]:
    """Return the records of one iteration as they were written."""
    return [
        line
        for item in iteration["output"]["complete"]
        if item["title"] == TITLE
        for line in item["data"]
    ]
