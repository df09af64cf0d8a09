"""From Rally's task results to what the report layer draws."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from importlib import metadata
from typing import Any

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


def read(tasks: Iterable[Result]) -> model.Report:
    """Return the report of one or more tasks.

    :param tasks: results as Rally hands them to an exporter
    """
    seen = list(tasks)
    return model.Report(
        workloads=[
            _workload(subtask, workload)
            for task in seen
            for subtask in task["subtasks"]
            for workload in subtask["workloads"]
        ],
        created_at=", ".join(str(t.get("created_at", "")) for t in seen),
        versions={name: metadata.version(name) for name in PACKAGES},
        environment=", ".join({str(t.get("env_name", "")) for t in seen}),
        task=", ".join(str(t.get("uuid", "")) for t in seen),
    )


def _workload(subtask: Result, workload: Result) -> model.Workload:
    return model.Workload(
        scenario=workload["name"],
        title=subtask.get("title", ""),
        description=workload.get("description", ""),
        args=workload.get("args", {}),
        sla=workload.get("sla", {}),
        sla_results=[
            model.SlaResult(
                criterion=result["criterion"],
                success=result["success"],
                detail=result.get("detail", ""),
            )
            for result in workload["sla_results"].get("sla", [])
        ],
        iterations=[
            _iteration(number, iteration)
            for number, iteration in enumerate(workload["data"], 1)
        ],
    )


def _iteration(number: int, iteration: Result) -> model.Iteration:
    run = output.read_run(iteration)
    return model.Iteration(
        number=run.iteration or number,
        run=run,
        error=iteration.get("error") or (),
        actions=list(map(_action, iteration.get("atomic_actions", []))),
        started_at=iteration.get("timestamp"),
    )


def _action(action: Result) -> model.AtomicAction:
    return model.AtomicAction(
        name=action["name"],
        started_at=action["started_at"],
        finished_at=action["finished_at"],
        failed=bool(action.get("failed")),
    )
