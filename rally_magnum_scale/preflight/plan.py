"""What the workloads of a task will create."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import templates


@dataclasses.dataclass(frozen=True)
class BayPlan:
    """Equal bays that exist at the same time in one project.

    :param request: one of the bays, with the most nodes that it will have
    :param at_least: number of bays in at least one project, whichever projects
        the iterations choose
    :param at_most: number of bays in a project that all iterations choose
    :param replaced: number of nodes that may exist besides ``request.nodes``
        while others are replaced
    """

    request: lifecycle.BayRequest
    at_least: int
    at_most: int
    replaced: int = 0


@dataclasses.dataclass(frozen=True)
class WorkloadPlan:
    """What a workload creates, as far as the task file shows it.

    :param name: its scenario, and its position if the task has several
    :param bays: in one project
    :param templates: cluster templates that the context creates first
    :param quotas: limits that the contexts set, by service and resource
    :param new_projects: number of projects that the context ``users`` would
        create; 0 if the task wants existing users, where there are any
    :param workers: number of processes that connect to the Locust master
    """

    name: str
    bays: tuple[BayPlan, ...] = ()
    templates: tuple[templates.TemplateRequest, ...] = ()
    quotas: Mapping[tuple[str, str], int] = dataclasses.field(
        default_factory=dict
    )
    new_projects: int = 0
    workers: int = 0
