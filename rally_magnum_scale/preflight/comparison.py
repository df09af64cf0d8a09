"""Compare the needs of a task's workloads with what their projects have."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

from rally_magnum_scale.preflight import have
from rally_magnum_scale.preflight import limits
from rally_magnum_scale.preflight import loads
from rally_magnum_scale.preflight import objects
from rally_magnum_scale.preflight import plan as plans
from rally_magnum_scale.preflight import rows as row_list


def compare(
    workloads: Sequence[plans.WorkloadPlan],
    open_projects: Callable[[bool], Sequence[have.Project]],
    heat_limit: int | None = None,
) -> list[row_list.Row]:
    """Compare all workloads of a task; keep the worst row of each thing.

    :param open_projects: returns the projects of a workload; it is called
        with whether Rally creates them
    :param heat_limit: max_resources_per_stack; None for Heat's default
    """
    return row_list.worst(
        dataclasses.replace(
            row, workload=workload.name if len(workloads) > 1 else ""
        )
        for workload in workloads
        for row in _rows(workload, open_projects, heat_limit)
    )


def _rows(
    workload: plans.WorkloadPlan,
    open_projects: Callable[[bool], Sequence[have.Project]],
    heat_limit: int | None,
) -> Iterator[row_list.Row]:
    load = workload.load
    if workload.bays or (load and load.bay):
        for project in open_projects(bool(workload.new_projects)):
            if workload.bays:
                yield from _rows_of_project(workload, project, heat_limit)
            if load and load.bay:
                yield from loads.check_bay(load, project)
    if load and load.kubeconfig:
        yield from loads.check_kubeconfig(load)
    yield from limits.check_workers(workload.workers)


def _rows_of_project(
    workload: plans.WorkloadPlan,
    project: have.Project,
    heat_limit: int | None,
) -> Iterator[row_list.Row]:
    bays, found = objects.resolve(workload, project)
    yield from found
    for bay in bays:
        yield from objects.check_driver(bay)
        yield from objects.check(bay, project)
    yield from limits.check_quotas(bays, project, workload.quotas)
    yield from limits.check_addresses(bays, project)
    for bay in bays:
        yield from limits.check_heat(bay, heat_limit)
