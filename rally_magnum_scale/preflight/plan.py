"""What the workloads of a task will create."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import templates
from rally_magnum_scale.workload import pod_options


@dataclasses.dataclass(frozen=True)
class BayPlan:
    """Equal bays that exist at the same time in one project.

    :param request: one of the bays, with the most nodes that it will have
    :param at_least: number of bays in at least one project, whichever projects
        the iterations choose
    :param at_most: number of bays in a project that all iterations choose
    :param replaced: number of nodes that may exist besides ``request.nodes``
        while others are replaced
    :param capabilities: what the driver must be able to do with the bays,
        such as :data:`drivers.RESIZE`
    """

    request: lifecycle.BayRequest
    at_least: int
    at_most: int
    replaced: int = 0
    capabilities: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class PodsPlan:
    """Equal pods of one load.

    :param component: ``target``, ``worker`` or ``master``
    :param surge: number of pods that may exist besides during an update
    """

    component: str
    count: int
    options: pod_options.PodOptions
    surge: int = 0


@dataclasses.dataclass(frozen=True)
class LoadPlan:
    """Equal loads that run at the same time in one existing bay.

    :param bay: name or id of the bay in Magnum; None for a kubeconfig
    :param at_least: number of loads
    :param at_most: number of loads, if all iterations overlap
    :param spread_required: whether the pods must be spread over the nodes
    """

    bay: str | None
    pods: tuple[PodsPlan, ...]
    kubeconfig: str | None = None
    kubeconfig_context: str | None = None
    at_least: int = 1
    at_most: int = 1
    spread_required: bool = False
    secrets: bool = False
    pull_ahead: bool = False
    updated: bool = False
    removes_nodes: bool = False


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
    :param load: the load in an existing bay that the task names; None for a
        load in a bay that the task creates
    """

    name: str
    bays: tuple[BayPlan, ...] = ()
    templates: tuple[templates.TemplateRequest, ...] = ()
    quotas: Mapping[tuple[str, str], int] = dataclasses.field(
        default_factory=dict
    )
    new_projects: int = 0
    workers: int = 0
    load: LoadPlan | None = None
