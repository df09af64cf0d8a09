"""Write the records of a run into Rally's output, and read them back."""

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

    The output uses Rally's own TextArea chart, so that Rally's report also
    works where this package is not installed.
    """
    return {
        "title": TITLE,
        "description": "One JSON object per line, as measured.",
        "chart_plugin": "TextArea",
        "data": [records.dump([dict(record)]) for record in found],
    }


def read_run(iteration: Mapping[str, Any]) -> records.Run:
    """Return the records of one iteration in Rally's results.

    :returns: the records, with the iteration's error if Rally stored one
    :raises ValueError: when a line is not a record
    """
    run = records.collect(records.parse(lines(iteration)))
    if run.conditions:
        conditions.ConditionsRecord.from_json(run.conditions)
    error = records.describe_error(iteration.get("error") or ())
    return dataclasses.replace(run, error=error)


def planned_iterations(iteration: Mapping[str, Any]) -> int | None:
    """Return how many iterations the runner was configured to run.

    :returns: None when the records do not contain this number
    :raises ValueError: when a line of the records can't be read
    """
    found = (one for one in lines(iteration) if '"conditions"' in one)
    for record in records.parse(found):
        if record["record"] == "conditions":
            return conditions.ConditionsRecord.from_json(record).iterations
    return None


def lines(iteration: Mapping[str, Any]) -> list[str]:
    """Return the records of one iteration as unparsed lines."""
    return [
        line
        for item in iteration["output"]["complete"]
        if item["title"] == TITLE
        for line in item["data"]
    ]
