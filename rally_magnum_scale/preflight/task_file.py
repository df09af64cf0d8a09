"""Read from a task file what each of its workloads will create.

Import this module after Rally's plugins are loaded: rally-openstack reads
options that only the loading registers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import pathlib
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import yaml
from rally import exceptions as rally_exceptions
from rally.cli.commands import task as rally_task
from rally.task import scenario
from rally.task import task_cfg

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import drivers
from rally_magnum_scale.bays import templates
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.preflight.plan import BayPlan
from rally_magnum_scale.preflight.plan import LoadPlan
from rally_magnum_scale.preflight.plan import PodsPlan
from rally_magnum_scale.preflight.plan import WorkloadPlan
from rally_magnum_scale.task import validator_base
from rally_magnum_scale.task.contexts import bay_groups
from rally_magnum_scale.task.contexts import bay_quotas
from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import bay_scenarios
from rally_magnum_scale.task.scenarios import existing_bay_scenario
from rally_magnum_scale.task.scenarios import load_scenarios
from rally_magnum_scale.task.scenarios import node_arguments
from rally_magnum_scale.task.scenarios import signature
from rally_magnum_scale.task.scenarios import workload_arguments
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload import pod_options

# How an error of a task file may end Rally's reading of it.
_INVALID = (
    rally_exceptions.RallyException,
    yaml.YAMLError,
    AttributeError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
)


def load(
    api: Any, task: pathlib.Path, args_file: str | None, args: str | None
) -> dict[str, Any]:
    """Render and parse a task file as ``rally task start`` does.

    :param args_file: path of a file with the task's arguments
    :param args: further arguments, as JSON or YAML
    :raises InvalidInput: when Rally would refuse the file
    """
    output = io.StringIO()
    with _refused(f"the task {task}"), contextlib.redirect_stdout(output):
        config: dict[str, Any] = rally_task._load_and_validate_task(
            api, str(task), args_file, args
        )
    return config


def read(config: Mapping[str, Any], projects: int) -> tuple[WorkloadPlan, ...]:
    """Read the workloads of a task.

    :param config: from :func:`load`
    :param projects: number of projects with existing users; 0 if Rally has
        to create them
    :raises InvalidInput: when Rally would refuse the task
    """
    with _refused("the task"):
        subtasks = task_cfg.TaskConfig(config).subtasks
    workloads = [each for one in subtasks for each in one["workloads"]]
    plans = []
    for number, workload in enumerate(workloads, 1):
        name = workload["name"]
        if len(workloads) > 1:
            name = f"{name} ({number} of {len(workloads)})"
        with _refused(name):
            _require_valid(workload)
            plans.append(_plan(name, workload, projects))
    return tuple(plans)


@contextlib.contextmanager
def _refused(what: str) -> Iterator[None]:
    try:
        yield
    except _INVALID as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise exceptions.InvalidInput(
            f"Rally can't read {what}: {reason}."
        ) from error


def _require_valid(workload: Mapping[str, Any]) -> None:
    """Check the arguments against the schema of the scenario."""
    errors = scenario.Scenario.validate(
        workload["name"], None, workload, None, vtype="syntax"
    )
    if errors:
        raise ValueError("; ".join(map(str, errors)))


def _plan(
    name: str, workload: Mapping[str, Any], existing_projects: int
) -> WorkloadPlan:
    contexts = validator_base.contexts_by_name(workload["contexts"])
    users = contexts.get("users") or {}
    new = 0
    if set(users) - {"user_choice_method"} or not existing_projects:
        new = int(users.get("tenants", 1))
    made = (contexts.get("bay_templates") or {}).get("templates") or ()
    args = workload["args"]
    return WorkloadPlan(
        name,
        bays=(
            *_bays_of_context(contexts.get("bays") or {}),
            *_bays_of_iterations(workload, new or existing_projects),
        ),
        templates=tuple(map(templates.TemplateRequest.from_json, made)),
        quotas=_planned_quotas(contexts),
        new_projects=new,
        workers=args.get("workers", 0)
        * (args.get("processes_per_worker") or 1),
        load=_load_in_existing_bay(workload),
    )


def _bays_of_context(config: Mapping[str, Any]) -> Iterator[BayPlan]:
    for group in bay_groups.read(config):
        request = group.request("", group.template, None)
        yield BayPlan(request, group.count, group.count)


def _bays_of_iterations(
    workload: Mapping[str, Any], projects: int
) -> Iterator[BayPlan]:
    kind = scenario.Scenario.get(workload["name"])
    if not issubclass(kind, base.BayScenario):
        return
    args = workload["args"]
    bay = signature.read(bay_arguments.BayArguments, args)
    request = bay.request("", bay.bay_template)
    nodes = max(request.nodes, *args.get("sizes", ()), 0)
    capabilities = []
    if "sizes" in args:
        capabilities.append(drivers.RESIZE)
        if args.get("nodegroup"):
            capabilities.append(drivers.RESIZE_NODE_GROUP)
    replaced = 0
    if issubclass(kind, bay_scenarios.ReplaceNodes):
        change = signature.read(node_arguments.ReplaceArguments, args)
        number = change.number(nodes)
        replaced = min(number, change.batch or number)
        capabilities.append(drivers.REPLACE_NODES)
    at_least, at_most = _at_once(workload, keep_bay=bay.keep_bay)
    yield BayPlan(
        dataclasses.replace(request, nodes=nodes),
        at_least=-(-at_least // projects),
        at_most=at_most,
        replaced=replaced,
        capabilities=tuple(capabilities),
    )


def _load_in_existing_bay(workload: Mapping[str, Any]) -> LoadPlan | None:
    """Return the load in a bay that the task names; None for any other."""
    kind = scenario.Scenario.get(workload["name"])
    if not issubclass(kind, existing_bay_scenario.ExistingBayScenario):
        return None
    args = workload["args"]
    which = signature.read(bay_arguments.BaySelection, args)
    if not (which.bay or which.kubeconfig):
        return None
    load = signature.read(workload_arguments.WorkloadArguments, args)
    updated = issubclass(kind, load_scenarios.RollingUpdateUnderLoadInBay)
    surge = 0
    if updated:
        update = events.RollingUpdate(**(args.get("update") or {}))
        surge = _surge(update, load.targets)
    options = pod_options.read_all(load.pods)
    at_least, at_most = _at_once(workload, keep_bay=False)
    return LoadPlan(
        bay=which.bay,
        kubeconfig=which.kubeconfig,
        kubeconfig_context=which.kubeconfig_context,
        pods=(
            PodsPlan("target", load.targets, options["target"], surge),
            PodsPlan("worker", load.workers, options["worker"]),
            PodsPlan("master", 1, options["master"]),
        ),
        at_least=at_least,
        at_most=at_most,
        spread_required=load.spread == "required",
        secrets=bool(
            load.image_pull_secret_file
            or load.tls != workload_arguments.NO_TLS
        ),
        pull_ahead=load.pull_ahead,
        updated=updated,
        removes_nodes=bool(which.kubeconfig and args.get("faults")),
    )


def _surge(update: events.RollingUpdate, targets: int) -> int:
    """Return how many new targets may exist besides the old ones."""
    if update.strategy != events.ROLLING_UPDATE:
        return 0
    if isinstance(update.max_surge, int):
        return update.max_surge
    # Kubernetes rounds up.
    return math.ceil(int(update.max_surge.rstrip("%")) * targets / 100)


def _at_once(
    workload: Mapping[str, Any], *, keep_bay: bool
) -> tuple[int, int]:
    """Return how many bays of iterations exist at once: at_least, at most."""
    runner = workload["runner"]
    planned = conditions.planned_iterations(workload["runner_type"], runner)
    if keep_bay and planned:
        return planned, planned
    running = bay_quotas.at_once(runner)
    if "rps" in runner:
        # It starts iterations whether or not others have ended.
        return 1, max(running, runner.get("max_concurrency", planned or 1))
    return running, running


def _planned_quotas(
    contexts: Mapping[str, Any],
) -> dict[tuple[str, str], int]:
    planned = {
        (service, resource): int(limit)
        for service, limits in (contexts.get("quotas") or {}).items()
        for resource, limit in limits.items()
    }
    if "bay_quotas" in contexts:
        planned["magnum", "bays"] = int(contexts["bay_quotas"]["bays"])
    return planned
