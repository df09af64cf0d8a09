"""Criteria that can never hold, refused before anything is created.

A criterion without data fails.  Where the task itself shows that there will
be none, that need not cost a bay.  Only what is certain is refused.

Rally hands a workload to the validators of its scenario alone, not to those
of its criteria.  So every scenario gets the validator of this module, those
of other packages too: they leave no records that we could judge.
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
from rally_magnum_scale.task.scenarios import measured
from rally_magnum_scale.task.scenarios import search_arguments

_NAME = "magnum_scale_criteria"
_NO_REGRESSION = "no_regression"
_OF_EVENT = {
    disruption_records.UPDATE: "rolling_update_time",
    disruption_records.FAULT: "recovery_time",
}


@dataclasses.dataclass(frozen=True)
class CriterionRequest:
    """A criterion as a workload asks for it.

    :param key: where the task asks for it, such as ``sla.request_rate``
    :param criterion: its name without a platform
    :param asked: its configuration
    :param scenario: class of the scenario
    :param args: of the scenario
    """

    key: str
    criterion: str
    asked: Mapping[str, Any]
    scenario: Any
    args: Mapping[str, Any]

    @property
    def measured(self) -> frozenset[str]:
        """The criteria that the scenario can give data to."""
        return measured.measured_by(self.scenario)

    def number(self, name: str) -> float | None:
        """Return what is asked for under a key, if it is a number."""
        value = self.asked.get(name)
        return value if isinstance(value, int | float) else None


@validation.configure(name=_NAME)
class CriteriaValidator(validation.Validator):
    """Check that each criterion of ours can get data from the scenario."""

    def validate(
        self,
        context: Any,
        config: dict[str, Any],
        plugin_cls: Any,
        plugin_cfg: Any,
    ) -> None:
        """Fail with a sentence for each that can't, which names the key."""
        del context, plugin_cfg
        said = [objection(one) for one in _requests(config, plugin_cls)]
        if any(said):
            self.fail(" ".join(filter(None, said)))


def objection(request: CriterionRequest) -> str:
    """Say why a criterion can never hold; empty where it may.

    What has the wrong type is refused by other validators.
    """
    for check in _CHECKS:
        if said := check(request):
            return f"{request.key}{said}."
    return ""


def _requests(
    config: Mapping[str, Any], scenario_cls: Any
) -> Iterator[CriterionRequest]:
    for key, asked in (config.get("sla") or {}).items():
        name, _, platform = key.partition("@")
        ours = {*criteria.CRITERIA, _NO_REGRESSION}
        if name in ours and platform in ("", "default"):
            yield CriterionRequest(
                f"sla.{key}",
                name,
                asked if isinstance(asked, dict) else {},
                scenario_cls,
                config.get("args") or {},
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
    needed = _OF_EVENT.get(str(request.asked.get("during")))
    if needed is None or needed in request.measured:
        return ""
    able = measured.scenarios_that_measure(needed)
    return (
        f".during: {request.scenario.get_name()} has no "
        f"{request.asked['during']}; leave during out, or use {_any_of(able)}"
    )


def _no_fault(request: CriterionRequest) -> str:
    during = request.asked.get("during") == disruption_records.FAULT
    if request.args.get("faults") or not (
        during or request.criterion == "recovery_time"
    ):
        return ""
    return (
        f"{'.during' if during else ''}: no node is lost, as the argument "
        "faults has no entry; give at least one fault, or leave this out"
    )


def _bay_of_others(request: CriterionRequest) -> str:
    if request.criterion not in ("bay_create_time", "node_ready_time"):
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
    if request.criterion != "bay_delete_time":
        return ""
    if not request.args.get("keep_bay"):
        return ""
    return (
        ": the bay is not deleted, as keep_bay is true; leave one of the two "
        "out"
    )


def _no_drain(request: CriterionRequest) -> str:
    if request.args.get("drain", True):
        return ""
    for key in request.asked:
        if key.startswith("drain_max_s"):
            return (
                f".{key}: no node is drained, as the argument drain is "
                "false; leave one of the two out"
            )
    return ""


def _no_cpu_of_event(request: CriterionRequest) -> str:
    key = "min_requests_per_cpu_s"
    if key not in request.asked or "during" not in request.asked:
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
        default = search_arguments.SearchArguments.max_steps
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
    """Compare with the offer, where it can't be passed by chance."""
    asked_rps = request.number("min_rps")
    offer = _offer(request)
    if asked_rps is None or offer is None:
        return ""
    name, offered_rps = offer
    if asked_rps <= offered_rps:
        return ""
    return (
        f".min_rps: {verdicts.format_number(asked_rps)} rps can't be reached "
        f"with {name} of {verdicts.format_number(offered_rps)}, as no more is "
        "served than is offered; ask for less, or offer more"
    )


def _offer(request: CriterionRequest) -> tuple[str, float] | None:
    """Return what is offered at most, and the argument that says so.

    The mean of random arrivals can be passed; a closed loop has no offer;
    and the seconds of an event may lie in several steps.
    """
    args, asked = request.args, request.asked
    if args.get("arrivals") == "poisson" or "during" in asked:
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
    """Read the steps, which another validator refuses if they are wrong."""
    try:
        return steps.Plan.from_json(args["steps"])
    except (KeyError, TypeError, ValueError):
        return None


def _unknown_metric(request: CriterionRequest) -> str:
    """Check the metrics that ``no_regression`` is to compare."""
    names = request.asked.get("metrics")
    if request.criterion != _NO_REGRESSION or not isinstance(names, list):
        return ""
    for index, name in enumerate(names):
        if isinstance(name, str) and (said := _metric(request, name)):
            return f".metrics[{index}]{said}"
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
    asked: dict[str, Any] = {bound: None}
    kind, _, number = place.partition(" ")
    if kind == "step" and number.isdecimal():
        asked["step"] = int(number)
    if kind == "during":
        asked["during"] = number.partition(" ")[0]
    return objection(
        dataclasses.replace(request, key="", criterion=criterion, asked=asked)
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
    _no_drain,
    _no_cpu_of_event,
    _no_such_step,
    _above_the_offer,
    _unknown_metric,
)


def _check_every_scenario() -> None:
    """Add the validator to all scenarios, here already or still to come.

    rally-openstack's base class has a copy of Rally's defaults.
    """
    for base in (scenario.Scenario, openstack_scenario.OpenStackScenario):
        validation.add_default(_NAME)(base)
    for each in scenario.Scenario.get_all():
        validation.add(_NAME)(each)


_check_every_scenario()
