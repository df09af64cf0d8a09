"""The SLA criteria as pure functions over the records of a run.

The SLA plugins, the table in the terminal and the page call
:func:`judge` and :func:`worst`; no verdict is formed anywhere else.
A criterion with no data fails, and so does one on an invalid step.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale.measurement import records


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether one bound of one criterion holds in one iteration.

    :param bound_key: the key of the bound, such as ``min_rps``
    :param at_least: True when the value must reach the bound, False when
        it must not pass it
    :param step: number of the judged step, from 1, or None
    :param value: what was measured, in ``unit``, or None
    :param reason: why there is no value, or why it does not count
    """

    criterion: str
    bound_key: str
    at_least: bool
    bound: float
    unit: str
    iteration: int
    step: int | None = None
    value: float | None = None
    reason: str = ""

    @property
    def margin(self) -> float | None:
        """How far the value is on the good side of the bound, in ``unit``."""
        if self.value is None:
            return None
        distance = self.value - self.bound
        return distance if self.at_least else -distance

    @property
    def passed(self) -> bool:
        """Tell whether the bound holds, on data that counts."""
        return not self.reason and self.margin is not None and self.margin >= 0

    def describe(self) -> str:
        """Say the verdict in one line."""
        where = "" if self.step is None else f", step {self.step}"
        side = "at least" if self.at_least else "at most"
        # Rally hands over iterations without their numbers; the records
        # have it, where there are any.
        known = f"iteration {self.iteration}"
        whence = known if self.iteration else "an iteration without records"
        return (
            f"{self.criterion} {self.bound_key}: "
            f"{format_value(self.value, self.unit)}, asked for {side} "
            f"{format_value(self.bound, self.unit)}"
            f" ({whence}{where})" + (f": {self.reason}" if self.reason else "")
        )


@dataclasses.dataclass(frozen=True)
class Bound:
    """One bound that a criterion knows.

    :param read: the value from a step or a bay, None where there is none
    :param description: what the bound is on, for the schema
    """

    unit: str
    at_least: bool
    read: Callable[[Any], float | None]
    description: str


@dataclasses.dataclass(frozen=True)
class Criterion:
    """A criterion of the SLA section and its bounds.

    :param subject: ``step`` or ``bay``: what its bounds are read from
    """

    name: str
    summary: str
    subject: str
    bounds: Mapping[str, Bound]

    def schema(self) -> dict[str, Any]:
        """Return the closed JSON schema of its configuration."""
        properties: dict[str, Any] = {
            key: {
                "type": "number",
                "minimum": 0,
                "description": f"{bound.description}, in {bound.unit}.",
            }
            for key, bound in self.bounds.items()
        }
        if self.subject == "step":
            properties["step"] = {
                "type": "integer",
                "minimum": 1,
                "description": "Number of the judged step; default: the last.",
            }
        return {
            "type": "object",
            "properties": properties,
            "anyOf": [{"required": [key]} for key in self.bounds],
            "additionalProperties": False,
        }


def _percentile_ms(name: str) -> Callable[[records.StepResult], float | None]:
    def read(step: records.StepResult) -> float | None:
        value_us = step.latency_us.get(name)
        return None if value_us is None else value_us / 1000

    return read


def _field(name: str) -> Callable[[Any], float | None]:
    return lambda subject: getattr(subject, name)


_LATENCY = "latency from the intended send time, at most"

CRITERIA = {
    criterion.name: criterion
    for criterion in (
        Criterion(
            "request_rate",
            "The rate of expected answers in the steady seconds of a step.",
            "step",
            {
                "min_rps": Bound(
                    "rps", True, _field("achieved_rps"), "Rate, at least"
                ),
                "min_rps_per_core": Bound(
                    "rps/core",
                    True,
                    _field("rps_per_core_real_nodes"),
                    "Rate over all cores of the nodes that are not hollow, "
                    "at least",
                ),
            },
        ),
        Criterion(
            "request_latency",
            "The latency of a step, from the intended send time.",
            "step",
            {
                f"{name}_ms": Bound(
                    "ms",
                    False,
                    _percentile_ms(name),
                    f"{name.replace('_', '.')} of the {_LATENCY}",
                )
                for name in ("p50", "p90", "p99", "p99_9", "max")
            },
        ),
        Criterion(
            "request_errors",
            "The share of requests in a step that failed.",
            "step",
            {
                "max_ratio": Bound(
                    "ratio",
                    False,
                    _field("error_ratio"),
                    "Failed requests over all requests, at most",
                )
            },
        ),
        Criterion(
            "bay_create_time",
            "The time from the create request to CREATE_COMPLETE.",
            "bay",
            {"max_s": Bound("s", False, _field("create_s"), "Time, at most")},
        ),
        Criterion(
            "bay_delete_time",
            "The time from the delete request until Magnum has lost the bay.",
            "bay",
            {"max_s": Bound("s", False, _field("delete_s"), "Time, at most")},
        ),
    )
}


def judge(
    criterion_name: str, config: Mapping[str, Any], run: records.Run
) -> list[Verdict]:
    """Judge one criterion on one iteration.

    :param criterion_name: a key of :data:`CRITERIA`
    :param config: its configuration in the SLA section
    :param run: the records of the iteration
    :returns: a verdict for each bound in ``config``
    """
    criterion = CRITERIA[criterion_name]
    find = _find_step if criterion.subject == "step" else _find_bay
    subject, step, reason = find(run, config.get("step"))
    verdicts = _unknown(criterion, config, run.iteration)
    for key, bound in criterion.bounds.items():
        if key not in config:
            continue
        value = None if subject is None else bound.read(subject)
        missing = "" if value is not None else "it was not measured"
        verdicts.append(
            Verdict(
                criterion=criterion_name,
                bound_key=key,
                at_least=bound.at_least,
                bound=config[key],
                unit=bound.unit,
                iteration=run.iteration,
                step=step,
                value=value,
                reason=reason or missing,
            )
        )
    return verdicts


def _unknown(
    criterion: Criterion, config: Mapping[str, Any], iteration: int
) -> list[Verdict]:
    """Fail what is asked for under a key that no bound has.

    The schema refuses such a key before a task starts; a configuration
    that was stored by another release may still hold one.
    """
    allowed = {*criterion.bounds, "step"}
    return [
        Verdict(
            criterion=criterion.name,
            bound_key=key,
            at_least=True,
            bound=config[key] if _is_number(config[key]) else math.nan,
            unit="ratio",
            iteration=iteration,
            reason=f"there is no bound {key}, only "
            + ", ".join(criterion.bounds),
        )
        for key in sorted(set(config) - allowed)
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that decides: every iteration must hold.

    The order is total, so the answer depends neither on the order of the
    iterations nor on how they were merged.

    :param verdicts: on one bound, at least one
    """
    return min(verdicts, key=_rank)


def _rank(verdict: Verdict) -> tuple[bool, bool, float, int]:
    margin = verdict.margin
    return (
        verdict.passed,
        margin is not None,
        0.0 if margin is None else margin,
        verdict.iteration,
    )


def judge_all(
    sla: Mapping[str, Any], runs: Iterable[records.Run]
) -> list[Verdict]:
    """Judge all criteria of ours on all iterations of a workload.

    :param sla: the SLA section; criteria that are not ours are left out
    :returns: the deciding verdict for each bound; with no iteration a
        verdict without a value, which fails
    """
    seen = list(runs) or [records.Run()]
    decided = []
    for name in CRITERIA:
        if name in sla:
            each = [judge(name, sla[name], run) for run in seen]
            decided += [worst(bound) for bound in zip(*each, strict=True)]
    return decided


def _find_step(
    run: records.Run, number: int | None
) -> tuple[records.StepResult | None, int | None, str]:
    if run.throughput is None or not run.throughput.steps:
        return None, number, "no load was measured"
    steps = run.throughput.steps
    chosen = len(steps) if number is None else number
    if not 1 <= chosen <= len(steps):
        return None, chosen, f"there is no step {chosen}, only {len(steps)}"
    step = steps[chosen - 1]
    return step, chosen, "; ".join(step.reasons)


def _find_bay(
    run: records.Run, _number: int | None
) -> tuple[records.Bay | None, None, str]:
    if run.bay is None:
        return None, None, "no bay was created"
    if run.bay.failure:
        return run.bay, None, f"the bay failed: {run.bay.reason}"
    return run.bay, None, ""


def format_value(value: float | None, unit: str) -> str:
    """Write a value with its unit, to four significant digits or whole."""
    if value is None:
        return "no value"
    number = format_number(value)
    return number if unit == "ratio" else f"{number} {unit}"


def format_number(value: float) -> str:
    """Write a number to four significant digits or whole, no exponent."""
    if abs(value) >= 1000 or not math.isfinite(value):
        return f"{value:,.0f}"
    if 0 < abs(value) < 1e-4:
        digits = 3 - math.floor(math.log10(abs(value)))
        return f"{value:.{digits}f}".rstrip("0")
    return f"{value:.4g}"
