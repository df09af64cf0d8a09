"""The settings of a search for the highest rate, and the verdict on a step.

The Locust master judges with this module in the bay.  The scenario reads the
verdicts on the host.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any
from typing import Self

from rally_magnum_scale.in_bay.stats import checks
from rally_magnum_scale.in_bay.stats import json_record
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import steps

LATENCY_BOUNDS = ("p50_ms", "p90_ms", "p99_ms", "p99_9_ms", "max_ms")
ERROR_BOUND = "max_error_ratio"
BOUNDS = (*LATENCY_BOUNDS, ERROR_BOUND)

# A step does not reach its offered rate if less than this share of its due
# requests gets the expected response in time.
REACHED_RATIO = 0.99

ESTIMATE = "estimate"
SEARCH = "search"
CONFIRM = "confirm"

# Why a step does not hold: a bound is exceeded, the offered rate is not
# reached, or the values do not count, as those of a generator at its limit.
BY_BOUND = "bound"
BY_OFFER = "offer"
BY_INVALID = "invalid"


@dataclasses.dataclass(frozen=True)
class Search:
    """The bounds and limits of a search.

    :param bounds: keys of :data:`BOUNDS` to the highest value that holds
    :param start_rps: the first rate; None to begin with a closed loop, which
        estimates the capacity of the target
    :param min_rps: lowest rate to try; None for a hundredth of the first rate
    :param max_rps: highest rate to try; None for no limit
    :param precision: largest final distance between the highest rate that
        holds and the lowest rate that fails, as a share of the former
    :param step_s: steady seconds of a step
    :param ramp_s: seconds of the ramp before each step
    :param confirm_s: steady seconds of a confirming step, which lasts at
        least ``step_s``
    :param max_steps: largest number of steps
    :raises ValueError: names the wrong key
    """

    bounds: Mapping[str, float]
    start_rps: float | None = None
    min_rps: float | None = None
    max_rps: float | None = None
    precision: float = 0.05
    step_s: int = 10
    ramp_s: int = 2
    confirm_s: int = 30
    max_steps: int = 20

    def __post_init__(self) -> None:
        self._check_bounds()
        for key in ("start_rps", "min_rps", "max_rps"):
            _check_positive(key, getattr(self, key))
        checks.check_whole("step_s", self.step_s, 1)
        checks.check_whole("ramp_s", self.ramp_s, 0)
        checks.check_whole("confirm_s", self.confirm_s, 1)
        checks.check_whole("max_steps", self.max_steps, 2)
        if not 0.001 <= self.precision <= 1:
            raise ValueError(
                "precision: must be between 0.001 and 1, as 0.05 is 5 %: "
                f"{self.precision!r}"
            )
        self._check_order()

    def _check_bounds(self) -> None:
        if not self.bounds:
            raise ValueError(
                f"bounds: give at least one of {', '.join(BOUNDS)}"
            )
        for key, value in self.bounds.items():
            if key not in BOUNDS:
                raise ValueError(
                    f"bounds.{key}: there is no such bound, only "
                    f"{', '.join(BOUNDS)}"
                )
            if key != ERROR_BOUND:
                _check_positive(f"bounds.{key}", value)
            elif not json_record.is_number(value) or not 0 <= value <= 1:
                raise ValueError(
                    f"bounds.{key}: must be between 0 and 1: {value!r}"
                )

    def _check_order(self) -> None:
        given = [
            (key, value)
            for key in ("min_rps", "start_rps", "max_rps")
            if (value := getattr(self, key)) is not None
        ]
        for (low, least), (high, most) in itertools.pairwise(given):
            if least > most:
                raise ValueError(f"{low}: {least:g} is above {high}, {most:g}")

    @property
    def longest_s(self) -> int:
        """Seconds of the longest possible search."""
        return self.max_steps * (
            self.ramp_s + max(self.step_s, self.confirm_s)
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` wrote.

        :raises ValueError: if a key is unknown, missing or wrong
        """
        try:
            return cls(**data)
        except TypeError as error:
            raise ValueError(f"Invalid search: {error}.") from error

    def to_json(self) -> dict[str, Any]:
        """Return the search as plain JSON."""
        return {**dataclasses.asdict(self), "bounds": dict(self.bounds)}


def order(
    wanted: Search, number: int, rate_rps: float | None, purpose: str
) -> records.Trial:
    """Return a step to run.

    :param number: of the step, from 1
    :param rate_rps: offered rate; None for a closed loop
    :param purpose: ``estimate``, ``search`` or ``confirm``
    """
    return records.Trial(
        step=number,
        purpose=purpose,
        rate_rps=rate_rps,
        ramp_s=wanted.ramp_s,
        duration_s=(
            max(wanted.step_s, wanted.confirm_s)
            if purpose == CONFIRM
            else wanted.step_s
        ),
    )


def plan(trial: records.Trial) -> steps.Step:
    """Return a trial as a step of a plan."""
    return steps.Step(trial.rate_rps, trial.duration_s, trial.ramp_s)


def judge(
    wanted: Search, trial: records.Trial, result: records.StepResult
) -> records.Trial:
    """Judge a step on the bounds of the search.

    :param trial: the step
    :param result: its result
    :returns: the trial with its verdict; a closed loop has none, because it
        offers no rate
    """
    measured = dataclasses.replace(
        trial,
        achieved_rps=result.achieved_rps,
        reached={key: _value(key, result) for key in wanted.bounds},
    )
    if trial.rate_rps is None:
        return dataclasses.replace(measured, why="; ".join(result.reasons))
    limit, why = _verdict(wanted, result)
    return dataclasses.replace(measured, held=not limit, limit=limit, why=why)


def describe(trial: records.Trial) -> str:
    """Describe in one line what a step will do, or how it ended."""
    again = ", to confirm" if trial.purpose == CONFIRM else ""
    if trial.achieved_rps is None:
        return (
            f"step {trial.step}: {format_rate(trial)} for "
            f"{trial.duration_s} s after a ramp of {trial.ramp_s} s{again}"
        )
    if trial.rate_rps is None:
        return (
            f"step {trial.step}: closed loop, {trial.achieved_rps:,.0f} rps "
            "answered"
        ) + (f" ({trial.why})" if trial.why else "")
    verb = "holds" if trial.held else "does not hold"
    return (
        f"step {trial.step}: {format_rate(trial)} offered{again}, "
        f"{verb} ({trial.why})"
    )


def format_rate(trial: records.Trial) -> str:
    """Return the offered rate of a step with its unit."""
    if trial.rate_rps is None:
        return "a closed loop, to estimate"
    return f"{_number(trial.rate_rps)} rps"


def _verdict(wanted: Search, result: records.StepResult) -> tuple[str, str]:
    """Return why a step does not hold (empty if it holds), and the values."""
    values, broken = [], []
    for key, bound in wanted.bounds.items():
        value = _value(key, result)
        values.append(_describe_value(key, value, bound, result))
        if value is None or value > bound:
            broken.append(values[-1])
    if result.reasons:
        return BY_INVALID, "; ".join(result.reasons)
    if behind := _describe_lag(result):
        return BY_OFFER, "; ".join([behind, *broken])
    if broken:
        return BY_BOUND, "; ".join(broken)
    return "", "; ".join(values)


def _describe_lag(result: records.StepResult) -> str:
    """Describe that the offered rate was not reached; empty if it was.

    The due requests are compared, because random arrivals may be more or
    fewer than the rate.
    """
    if result.due is None:
        return "it is not known how many requests were due"
    # Where the seconds begin can make a difference of one request.
    if result.requests + 1 >= REACHED_RATIO * result.due:
        return ""
    due_rps = result.due / result.steady_s
    return (
        f"{_number(result.achieved_rps)} of {_number(due_rps)} rps were "
        "answered as expected"
    )


def _value(key: str, result: records.StepResult) -> float | None:
    if key == ERROR_BOUND:
        return result.error_ratio
    value_us = result.latency_us.get(key.removesuffix("_ms"))
    return None if value_us is None else value_us / 1000


def _describe_value(
    key: str, value: float | None, bound: float, result: records.StepResult
) -> str:
    if key == ERROR_BOUND:
        ratio = "unknown" if value is None else f"{value:.3%}"
        return f"errors {ratio} of {bound:.3%}"
    name = key.removesuffix("_ms").replace("_", ".")
    if value is None:
        return f"{name} {result.slowest or 'unknown'} of {bound:g} ms"
    return f"{name} {_number(value)} ms of {bound:g} ms"


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:,.0f}"


def _check_positive(key: str, value: float | None) -> None:
    if value is not None and not (json_record.is_number(value) and value > 0):
        raise ValueError(f"{key}: must be a number above 0: {value!r}")
