"""Refuse criteria that can never hold, before anything is created.

A criterion without data fails.  If the task itself shows that there will be no
data, no bay has to be created to find out.  Only certain cases are refused.

Rally passes a workload only to the validators of its scenario, not to those of
its criteria.  So every scenario gets the validator of this module, also the
scenarios of other packages: they write no records that could be judged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from rally.common import validation
from rally.task import scenario
from rally_openstack.task import scenario as openstack_scenario

from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.task import validator_base
from rally_magnum_scale.task.scenarios import load_arguments
from rally_magnum_scale.task.scenarios import measured

_NAME = "magnum_scale_criteria"
_NO_REGRESSION = "no_regression"
_OF_A_NEW_BAY = ("bay_create_time", "driver_lag", "node_ready_time")
_OF_EVENT = {
    disruption_records.UPDATE: "rolling_update_time",
    disruption_records.FAULT: "recovery_time",
}


@dataclasses.dataclass(frozen=True)
class CriterionRequest:
    """A criterion in the SLA section of a workload.

    :param key: its key in the task, such as ``sla.request_rate``
    """

    key: str
    criterion: str
    config: Mapping[str, Any]
    scenario: Any
    args: Mapping[str, Any]

    @property
    def measured(self) -> frozenset[str]:
        """The criteria for which the scenario measures data."""
        return measured.measured_by(self.scenario)

    def number(self, name: str) -> float | None:
        """Return a value of the configuration, if it is a number."""
        value = self.config.get(name)
        return value if isinstance(value, int | float) else None


@validation.configure(name=_NAME)
class CriteriaValidator(validator_base.Validator):
    """Check that the scenario measures data for each criterion."""

    def check(self, validated: validator_base.Validated) -> None:
        objections = map(objection, _requests(validated))
        if sentences := " ".join(filter(None, objections)):
            self.fail(sentences)


def objection(request: CriterionRequest) -> str:
    """Return why a criterion can never hold; empty if it may hold.

    Other validators refuse values of the wrong type.
    """
    for check in _CHECKS:
        if problem := check(request):
            return f"{request.key}{problem}."
    return ""


def _requests(
    validated: validator_base.Validated,
) -> Iterator[CriterionRequest]:
    for key, value in (validated.workload.get("sla") or {}).items():
        name, _, platform = key.partition("@")
        ours = {*criteria.CRITERIA, _NO_REGRESSION}
        if name in ours and platform in ("", "default"):
            yield CriterionRequest(
                f"sla.{key}",
                name,
                value if isinstance(value, dict) else {},
                validated.plugin,
                validated.arguments,
            )


def _never_measured(request: CriterionRequest) -> str:
    if request.criterion in request.measured:
        return ""
    able = measured.scenarios_that_measure(request.criterion)
    return (
        f": {request.scenario.get_name()} measures nothing that it could "
        f"judge; leave it out, or use {_any_of(able)}"
    )


def _no_such_event(request: CriterionRequest) -> str:
    needed = _OF_EVENT.get(str(request.config.get("during")))
    if needed is None or needed in request.measured:
        return ""
    able = measured.scenarios_that_measure(needed)
    return (
        f".during: {request.scenario.get_name()} has no "
        f"{request.config['during']}; leave during out, or use {_any_of(able)}"
    )


def _no_fault(request: CriterionRequest) -> str:
    during = request.config.get("during") == disruption_records.FAULT
    if request.args.get("faults") or not (
        during or request.criterion == "recovery_time"
    ):
        return ""
    return (
        f"{'.during' if during else ''}: no node is lost, as the argument "
        "faults has no entry; give at least one fault, or leave this out"
    )


def _bay_of_others(request: CriterionRequest) -> str:
    if request.criterion not in _OF_A_NEW_BAY:
        return ""
    for name in ("bay", "kubeconfig"):
        if request.args.get(name) is not None:
            return (
                f": this task does not make the bay that the argument {name} "
                "gives; leave the criterion out, or let the context "
                "bays@openstack make the bay"
            )
    return ""


def _bay_is_kept(request: CriterionRequest) -> str:
    if request.criterion == "bay_delete_time" and request.args.get("keep_bay"):
        return (
            ": the bay is not deleted, as keep_bay is true; leave one of the "
            "two out"
        )
    return ""


def _several_api_servers(request: CriterionRequest) -> str:
    masters = request.args.get("masters", 1)
    several = isinstance(masters, int) and masters > 1
    if request.criterion != "api_latency" or not several:
        return ""
    return (
        f": each of the {masters} masters counts only its own requests; leave "
        "the criterion out, or set the argument masters to 1"
    )


def _no_drain(request: CriterionRequest) -> str:
    for key in request.config:
        if key.startswith("drain_max_s") and not request.args.get(
            "drain", True
        ):
            return (
                f".{key}: no node is drained, as the argument drain is "
                "false; leave one of the two out"
            )
    return ""


def _no_cpu_of_event(request: CriterionRequest) -> str:
    key = "min_requests_per_cpu_s"
    if key not in request.config or "during" not in request.config:
        return ""
    return (
        f".{key}: the CPU time of an event is not measured, only that of a "
        "step; leave during out, or ask for min_rps_per_core"
    )


def _no_such_step(request: CriterionRequest) -> str:
    step = request.number("step")
    if step is None:
        return ""
    if "max_rate" in request.measured:
        default = load_arguments.SearchArguments.max_steps
        count = request.args.get("max_steps", default)
    else:
        plan = _plan(request.args)
        count = len(plan.steps) if plan else None
    if not isinstance(count, int) or step <= count:
        return ""
    return (
        f".step: there is no step {step:g}, only {count}; give a number from "
        f"1 to {count}, or leave step out for the last one"
    )


def _above_the_offer(request: CriterionRequest) -> str:
    """Compare a rate with the offered rate, if that is a strict maximum."""
    min_rps = request.number("min_rps")
    offer = _offer(request)
    if min_rps is None or offer is None or min_rps <= offer[1]:
        return ""
    name, offered_rps = offer
    return (
        f".min_rps: {verdicts.format_number(min_rps)} rps can't be reached "
        f"with {name} of {verdicts.format_number(offered_rps)}, as no more is "
        "served than is offered; ask for less, or offer more"
    )


def _offer(request: CriterionRequest) -> tuple[str, float] | None:
    """Return the highest offered rate, and the argument that sets it.

    There is none for random arrivals, which may exceed their mean, for a
    closed loop, and for an event, whose seconds may lie in several steps.
    """
    args = request.args
    if args.get("arrivals") == "poisson" or "during" in request.config:
        return None
    if request.criterion == "max_rate":
        most = args.get("max_rps")
        return ("max_rps", most) if isinstance(most, int | float) else None
    plan = _plan(args)
    if request.criterion != "request_rate" or plan is None:
        return None
    index = int(request.number("step") or len(plan.steps)) - 1
    if not 0 <= index < len(plan.steps):
        return None
    rate_rps = plan.steps[index].rate_rps
    return (f"steps[{index}].rate_rps", rate_rps) if rate_rps else None


def _plan(args: Mapping[str, Any]) -> steps.Plan | None:
    """Read the steps; None if they are wrong, as another validator says."""
    try:
        return steps.Plan.from_json(args["steps"])
    except (KeyError, TypeError, ValueError):
        return None


def _unknown_metric(request: CriterionRequest) -> str:
    """Check the names in ``metrics`` of ``no_regression``."""
    names = request.config.get("metrics")
    if request.criterion != _NO_REGRESSION or not isinstance(names, list):
        return ""
    for index, name in enumerate(names):
        if isinstance(name, str) and (problem := _metric(request, name)):
            return f".metrics[{index}]{problem}"
    return ""


def _metric(request: CriterionRequest, name: str) -> str:
    criterion, _, bound_and_place = name.partition(".")
    bound, _, place = bound_and_place.partition(" ")
    known = criteria.CRITERIA.get(criterion)
    if known is None:
        return (
            f": {name!r} names no criterion; begin with one of "
            f"{', '.join(criteria.CRITERIA)}"
        )
    if not known.compared:
        return f": {criterion} is not compared over runs; leave it out"
    if bound and bound not in known.bounds:
        return (
            f": {criterion} has no bound {bound!r}; use one of "
            f"{', '.join(known.bounds)}"
        )
    if "max_rate" in request.measured and known.subject == "step":
        return (
            f": the steps of a search differ from run to run, so {criterion} "
            "can't be compared; use max_rate"
        )
    config: dict[str, Any] = {bound: None}
    kind, _, number = place.partition(" ")
    if kind == "step" and number.isdecimal():
        config["step"] = int(number)
    if kind == "during":
        config["during"] = number.partition(" ")[0]
    return objection(
        dataclasses.replace(
            request, key="", criterion=criterion, config=config
        )
    ).removesuffix(".")


def _any_of(names: list[str]) -> str:
    choice = "one of " if len(names) > 1 else ""
    return choice + ", ".join(names)


_CHECKS: tuple[Callable[[CriterionRequest], str], ...] = (
    _never_measured,
    _no_such_event,
    _no_fault,
    _bay_of_others,
    _bay_is_kept,
    _several_api_servers,
    _no_drain,
    _no_cpu_of_event,
    _no_such_step,
    _above_the_offer,
    _unknown_metric,
)


def _check_every_scenario() -> None:
    """Add the validator to all scenarios, already loaded or not.

    The base class of rally-openstack has its own copy of Rally's defaults.
    """
    for base in (scenario.Scenario, openstack_scenario.OpenStackScenario):
        validation.add_default(_NAME)(base)
    for each in scenario.Scenario.get_all():
        validation.add(_NAME)(each)


_check_every_scenario()
