"""The part of a workload's result in Rally that the reports are made from.

Rally checks results that it loads from a file, but not those that it passes
to an exporter.  A field that could tell of a failure is required, so that a
result that lacks it does not look like a success.
"""

from __future__ import annotations

from typing import Any

import jsonschema

from rally_magnum_scale.task import output


def _object(required: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
    }


_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
_ARRAY = {"type": "array"}
_LIST_OR_NONE = {"type": ["array", "null"]}
# An epoch second.  Its limits also exclude what is no number at all.
_STAMP = {"type": "number", "minimum": 0, "maximum": 1e12}
_STAMP_OR_NONE = {"anyOf": [_STAMP, {"type": "null"}]}
_ERROR = {**_ARRAY, "items": _TEXT}
_ERROR_OR_NONE = {**_LIST_OR_NONE, "items": _TEXT}
_ACTIONS = {
    **_LIST_OR_NONE,
    "items": _object(
        "name started_at finished_at",
        name=_TEXT,
        started_at=_STAMP,
        finished_at=_STAMP,
    ),
}
_PART_OF_CONTEXT = _object(
    "started_at finished_at error",
    started_at=_STAMP_OR_NONE,
    finished_at=_STAMP_OR_NONE,
    error=_ERROR_OR_NONE,
    atomic_actions=_ACTIONS,
)
_CONTEXT = _object(
    "plugin_name setup cleanup",
    plugin_name=_TEXT,
    setup=_PART_OF_CONTEXT,
    cleanup=_PART_OF_CONTEXT,
)
_CRITERION = _object(
    "criterion success",
    criterion=_TEXT,
    success={"type": "boolean"},
    detail=_TEXT,
)
_OUTPUT = {
    **_object("title data", title=_TEXT),
    "if": {"properties": {"title": {"const": output.TITLE}}},
    "then": {"properties": {"data": _ARRAY}},
}
_ITERATION = _object(
    "timestamp error output",
    timestamp=_STAMP_OR_NONE,
    error=_ERROR,
    atomic_actions=_ACTIONS,
    output=_object("complete", complete={**_ARRAY, "items": _OUTPUT}),
)
_WORKLOAD = _object(
    "name args sla sla_results data contexts_results",
    uuid=_TEXT,
    name=_TEXT,
    description=_TEXT,
    created_at=_TEXT,
    full_duration={"type": ["number", "null"]},
    args=_OBJECT,
    sla=_OBJECT,
    sla_results=_object(sla={**_ARRAY, "items": _CRITERION}),
    data={**_ARRAY, "items": _ITERATION},
    contexts={"type": ["object", "array", "null"]},
    contexts_results={**_LIST_OR_NONE, "items": _CONTEXT},
    runner_type={"type": ["string", "null"]},
    runner={"type": ["object", "null"]},
)
_VALIDATOR = jsonschema.Draft7Validator(_WORKLOAD)


def objection(workload: Any) -> str:
    """Return why a workload's result can't be read; empty if it can.

    :param workload: in the form that Rally passes to an exporter
    """
    error = jsonschema.exceptions.best_match(_VALIDATOR.iter_errors(workload))
    if error is None:
        return ""
    where = error.json_path.removeprefix("$").lstrip(".")
    return f"{where}: {error.message:.200}".removeprefix(": ")
