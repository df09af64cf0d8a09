"""The part of a workload's result in Rally that the reports are made from.

Rally checks results that it loads from a file, but not those that it passes
to an exporter.  A field that could tell of a failure is required, so that a
result that lacks it does not look like a success.
"""

from __future__ import annotations

from typing import Any

import jsonschema

from rally_magnum_scale.task import output

_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}
# An epoch second.  Its limits also exclude what is no number at all.
_STAMP = {"type": "number", "minimum": 0, "maximum": 1e12}
_STAMP_OR_NONE = {"anyOf": [_STAMP, {"type": "null"}]}
_ERROR = {"type": "array", "items": _TEXT}
_ERROR_OR_NONE = {**_ERROR, "type": ["array", "null"]}
_ACTIONS = {
    "type": ["array", "null"],
    "items": {
        "type": "object",
        "properties": {
            "name": _TEXT,
            "started_at": _STAMP,
            "finished_at": _STAMP,
        },
        "required": ["name", "started_at", "finished_at"],
    },
}
_PART_OF_CONTEXT = {
    "type": "object",
    "properties": {
        "started_at": _STAMP_OR_NONE,
        "finished_at": _STAMP_OR_NONE,
        "error": _ERROR_OR_NONE,
        "atomic_actions": _ACTIONS,
    },
    "required": ["started_at", "finished_at", "error"],
}
_CONTEXT = {
    "type": "object",
    "properties": {
        "plugin_name": _TEXT,
        "setup": _PART_OF_CONTEXT,
        "cleanup": _PART_OF_CONTEXT,
    },
    "required": ["plugin_name", "setup", "cleanup"],
}
_CRITERION = {
    "type": "object",
    "properties": {
        "criterion": _TEXT,
        "success": {"type": "boolean"},
        "detail": _TEXT,
    },
    "required": ["criterion", "success"],
}
_OUTPUT = {
    "type": "object",
    "properties": {"title": _TEXT},
    "required": ["title", "data"],
    "if": {"properties": {"title": {"const": output.TITLE}}},
    "then": {"properties": {"data": {"type": "array"}}},
}
_ITERATION = {
    "type": "object",
    "properties": {
        "timestamp": _STAMP_OR_NONE,
        "error": _ERROR,
        "atomic_actions": _ACTIONS,
        "output": {
            "type": "object",
            "properties": {
                "complete": {
                    "type": "array",
                    "items": _OUTPUT,
                }
            },
            "required": ["complete"],
        },
    },
    "required": ["timestamp", "error", "output"],
}
_WORKLOAD = {
    "type": "object",
    "properties": {
        "uuid": _TEXT,
        "name": _TEXT,
        "description": _TEXT,
        "created_at": _TEXT,
        "full_duration": {"type": ["number", "null"]},
        "args": _OBJECT,
        "sla": _OBJECT,
        "sla_results": {
            "type": "object",
            "properties": {"sla": {"type": "array", "items": _CRITERION}},
        },
        "data": {"type": "array", "items": _ITERATION},
        "contexts": {"type": ["object", "array", "null"]},
        "contexts_results": {"type": ["array", "null"], "items": _CONTEXT},
        "runner_type": {"type": ["string", "null"]},
        "runner": {"type": ["object", "null"]},
    },
    "required": [
        "name",
        "args",
        "sla",
        "sla_results",
        "data",
        "contexts_results",
    ],
}
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
