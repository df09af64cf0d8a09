"""Convert Rally's task results to the model of the report layer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import jsonschema

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.report import model
from rally_magnum_scale.task import output

PACKAGES = (
    "rally-magnum-scale",
    "rally",
    "rally-openstack",
    "python-magnumclient",
    "kubernetes",
    "locust",
)

Result = Mapping[str, Any]

# With any other status, the results may be incomplete.  Results that are
# read from a file have no status.
_WHOLE = ("finished", "", None)

# Errors whose class name adds nothing to the message.
_REDUNDANT_CLASSES = ("", "InvalidTaskConfig", "ValidationError")


def _object(required: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
    }


# The part of a workload's result that the reports are made from.  Rally checks
# results that it loads from a file, but not those that it passes to an
# exporter.  A field that could tell of a failure is required, so that a result
# that lacks it does not look like a success.
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


def read(tasks: Iterable[Result]) -> model.Report:
    """Return the report of one or more tasks.

    :param tasks: results in the form that Rally passes to an exporter
    """
    seen = [(task, _errors(task)) for task in tasks]
    environments = dict.fromkeys(str(t.get("env_name", "")) for t, _ in seen)
    workloads = [
        _workload(title, workload, ended=not errors)
        for task, errors in seen
        for title, workload in _workloads(task)
    ]
    return model.Report(
        workloads=workloads,
        created_at=", ".join(str(t.get("created_at", "")) for t, _ in seen),
        versions=_versions(workloads),
        made_with={
            name: conditions.package_version(name) for name in PACKAGES
        },
        environment=", ".join(environments),
        task=", ".join(str(t.get("uuid", "")) for t, _ in seen),
        errors=[sentence for _, errors in seen for sentence in errors],
    )


def _versions(workloads: Iterable[model.Workload]) -> dict[str, str]:
    """Return the versions from the records.

    A task may be exported much later, with other versions installed.
    """
    found: dict[str, dict[str, None]] = {}
    for workload in workloads:
        for iteration in workload.iterations:
            known = iteration.run.conditions or {}
            for name, version in known.get("versions", {}).items():
                found.setdefault(name, {})[version] = None
    return {name: ", ".join(versions) for name, versions in found.items()}


def _workloads(task: Result) -> Iterator[tuple[str, Any]]:
    """Yield the title and the result of each workload of a task.

    Whatever stands in the place of a list is a workload that can't be read,
    so that none is lost.
    """
    for subtask in _as_list(task.get("subtasks")):
        known = subtask if isinstance(subtask, dict) else {}
        title = str(known.get("title") or "")
        for workload in _as_list(known.get("workloads")):
            yield title, workload


def _as_list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _errors(task: Result) -> list[str]:
    """Return why a task did not run, or did not run to its end.

    Rally keeps the errors of a refused task in ``validation_result``.  For
    a task that failed later, Rally keeps only the status.
    """
    found = task.get("validation_result") or {}
    if not isinstance(found, dict):
        found = {"msg": str(found)}
    uuid, status = task.get("uuid", ""), task.get("status", "finished")
    if found:
        reasons = _reasons(str(found.get("msg", "")))
        kind = str(found.get("etype", ""))
        prefix = "" if kind in _REDUNDANT_CLASSES else f"{kind}: "
        return [f"Rally refused the task {uuid}: {prefix}{reasons}"]
    if status in _WHOLE:
        return []
    return [
        f"Rally stored the task {uuid} as {status}, so its results are "
        "incomplete. See the log of `rally task start` for the reason."
    ]


def _reasons(message: str) -> str:
    """Return the reasons, without the task file and the whole schema."""
    text = message.rpartition("Reason(s):")[2]
    parts = re.split(r"\n\s*(?=\w+ plugin ')", text)
    kept = [one.partition("\n\nFailed validating")[0] for one in parts]
    reasons = [" ".join(one.split()).rstrip(".") for one in kept]
    return "; ".join(filter(None, reasons)) + "."


def _workload(title: str, workload: Any, *, ended: bool) -> model.Workload:
    if unreadable := objection(workload):
        known = workload if isinstance(workload, dict) else {}
        return model.Workload(
            str(known.get("name", "")), title, unreadable=unreadable
        )
    kind, config = workload.get("runner_type"), workload.get("runner") or {}
    contexts = workload.get("contexts")
    return model.Workload(
        scenario=workload["name"],
        title=title,
        description=workload.get("description", ""),
        args=workload.get("args", {}),
        sla=workload.get("sla", {}),
        sla_results=[
            model.SlaResult(
                result["criterion"],
                result["success"],
                result.get("detail", ""),
            )
            for result in (workload.get("sla_results") or {}).get("sla", [])
        ],
        iterations=[
            _iteration(number, iteration)
            for number, iteration in enumerate(workload.get("data", []), 1)
        ],
        contexts=[*map(_context, workload.get("contexts_results") or [])],
        runner=conditions.describe_runner(kind, config) if kind else "",
        digest_of_contexts=(
            "" if contexts is None else conditions.digest_contexts(contexts)
        ),
        planned_iterations=(
            conditions.planned_iterations(kind, config) if kind else None
        ),
        ended=ended,
        uuid=workload.get("uuid", ""),
        created_at=workload.get("created_at", ""),
        duration_s=workload.get("full_duration") or 0.0,
    )


def objection(workload: Any) -> str:
    """Return why a workload's result can't be read; empty if it can.

    :param workload: in the form that Rally passes to an exporter
    """
    error = jsonschema.exceptions.best_match(_VALIDATOR.iter_errors(workload))
    if error is None:
        return ""
    where = error.json_path.removeprefix("$").lstrip(".")
    return f"{where}: {error.message:.200}".removeprefix(": ")


def _context(result: Result) -> model.ContextResult:
    setup, cleanup = result.get("setup") or {}, result.get("cleanup") or {}
    return model.ContextResult(
        name=result["plugin_name"].partition("@")[0],
        setup_s=_duration_s(setup),
        cleanup_s=_duration_s(cleanup),
        setup_error=setup.get("error") or (),
        cleanup_error=cleanup.get("error") or (),
        setup_actions=_actions(setup),
        cleanup_actions=_actions(cleanup),
    )


def _duration_s(part: Result) -> float | None:
    start, finish = part.get("started_at"), part.get("finished_at")
    return None if start is None or finish is None else finish - start


def _iteration(number: int, iteration: Result) -> model.Iteration:
    error = iteration.get("error") or ()
    try:
        run = output.read_run(iteration)
    except Exception as unread:
        # An iteration that can't be read must not hide the others.
        run = records.Run()
        error = error or (type(unread).__name__, str(unread))
    return model.Iteration(
        number=run.iteration or number,
        run=run,
        error=error,
        actions=_actions(iteration),
        started_at=iteration.get("timestamp"),
        raw="\n".join(map(str, output.lines(iteration))),
    )


def _actions(part: Result) -> list[model.AtomicAction]:
    return [
        model.AtomicAction(
            name=action["name"],
            started_at=action["started_at"],
            finished_at=action["finished_at"],
            failed=bool(action.get("failed")),
        )
        for action in part.get("atomic_actions") or []
    ]
