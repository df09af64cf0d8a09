"""Judge the SLA criteria on the records of a run, as pure functions.

The SLA plugins, the table in the terminal and the page all call
:func:`judge` and :func:`worst`.  No other code forms a verdict.  A criterion
without data fails, and so does a criterion on an invalid step.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import json_record
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.measurement import subjects

CRITERIA = criteria.CRITERIA


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether one bound of one criterion holds in one iteration.

    :param bound_key: the key of the bound, such as ``min_rps``
    :param at_least: True if the value must reach the bound, False if it must
        not exceed the bound
    :param bound: in ``unit``; NaN if the value is judged against no bound
    :param iteration: number of the iteration; 0 if it left no records
    :param step: number of the judged step, change or event, from 1; None if
        the subject has no number
    :param value: the measured value, in ``unit``; None without data;
        infinite if it exceeds any bound, as a failed request does
    :param reason: why there is no value, or why the value does not count
    :param bay: name of the bay; empty if the iteration had only one
    :param during: kind of the event during which a criterion of steps was
        judged; empty for a step
    :param infinity: describes an infinite value in words
    :param interval: the interval in which the true value lies, in ``unit``:
        above its first end, and not above its second; None if ``value`` is
        judged as it is
    :param resolution: how closely the value is measured, in ``unit``; 0 for
        a count
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
    bay: str = ""
    during: str = ""
    infinity: str = ""
    interval: criteria.Interval | None = None
    resolution: float = 0.0

    @property
    def measured(self) -> str:
        """The value with its unit, in words."""
        return self.infinity or format_value(self.value, self.unit)

    @property
    def side(self) -> str:
        """On which side of the bound the value must be, in words."""
        return "at least" if self.at_least else "at most"

    @property
    def required(self) -> str:
        """The bound with its unit, in words."""
        return format_value(self.bound, self.unit)

    @property
    def undecided(self) -> bool:
        """Tell whether the bound lies inside the interval."""
        if self.interval is None:
            return False
        low, high = self.interval
        return low < self.bound < high

    @property
    def margin(self) -> float | None:
        """By how much the value is better than the bound, in ``unit``."""
        if self.value is None:
            return None
        distance = self.value - self.bound
        return distance if self.at_least else -distance

    @property
    def passed(self) -> bool:
        """Tell whether the bound holds, on a value that counts."""
        return not self.reason and self.margin is not None and self.margin >= 0

    @property
    def place(self) -> str:
        """The judged step, change or event; empty if there is none."""
        if self.step is None:
            return ""
        return self.event or f"step {self.step}"

    @property
    def event(self) -> str:
        """The judged change or event; empty for a step or none."""
        noun = subjects.EVENT_NOUNS.get(
            self.during or CRITERIA[self.criterion].subject
        )
        return "" if self.step is None or not noun else f"{noun} {self.step}"

    def describe(self) -> str:
        """Describe the verdict in one line."""
        where = f", {self.place}" if self.place else ""
        where += f", bay {self.bay}" if self.bay else ""
        # Rally does not number iterations for criteria, only records do.
        source = "an iteration without records"
        if self.iteration:
            source = f"iteration {self.iteration}"
        return (
            f"{self.criterion} {self.bound_key}: {self.measured}, required: "
            f"{self.side} {self.required} ({source}{where})"
            + (f": {self.reason}" if self.reason else "")
        )


def judge(
    criterion_name: str, config: Mapping[str, Any], run: records.Run
) -> list[Verdict]:
    """Judge one criterion on one iteration.

    It raises nothing: a bound that can't be judged fails, with the reason.

    :param criterion_name: a key of :data:`CRITERIA`
    :param config: its configuration in the SLA section
    :param run: the records of the iteration
    :returns: a verdict for each bound in ``config``; none of them holds if
        the iteration failed
    """
    criterion = CRITERIA[criterion_name]
    judged = []
    for key in _configured_bounds(criterion, config):
        try:
            judged.append(_judge_key(criterion, key, config, run))
        except Exception as error:
            why = f"it could not be judged: {type(error).__name__}: {error}"
            judged.append(_failed(criterion, key, run.iteration, why))
    return spoil(judged, _why_failed(run))


def _why_failed(run: records.Run) -> str:
    return f"the iteration failed: {run.error}" if run.error else ""


def spoil(judged: Iterable[Verdict], reason: str) -> list[Verdict]:
    """Give verdicts a reason, so that none of them holds.

    :param reason: for the verdicts that have none yet; if it is empty, all
        verdicts stay as they are
    """
    return [
        dataclasses.replace(one, reason=one.reason or reason) for one in judged
    ]


def _configured_bounds(
    criterion: criteria.Criterion, config: Mapping[str, Any]
) -> list[str]:
    """Return the keys of a configuration that must be judged.

    The schema refuses unknown keys before a task starts.  A configuration
    that another release stored may still have some.

    :returns: unknown keys first; one empty key if there is no bound at all
    """
    given = set(config) if isinstance(config, Mapping) else set()
    unknown = sorted(given - {*criterion.bounds, "step", "during"}, key=str)
    known = [key for key in criterion.bounds if key in given]
    return [*unknown, *known] or [""]


def _judge_key(
    criterion: criteria.Criterion,
    key: str,
    config: Mapping[str, Any],
    run: records.Run,
) -> Verdict:
    why = ""
    if not key:
        why = "it has no bound"
    elif key not in criterion.bounds:
        why = f"there is no bound {key}, only {', '.join(criterion.bounds)}"
    elif not json_record.is_number(config[key]):
        why = f"the bound is {config[key]!r}, which is not a number"
    if why:
        return _failed(criterion, key, run.iteration, why)
    return worst(
        _judge_bound(criterion, key, config[key], run.iteration, subject)
        for subject in subjects.find(criterion, run, config)
    )


def _failed(
    criterion: criteria.Criterion, key: str, iteration: int, reason: str
) -> Verdict:
    """Return the verdict on a bound that can't be judged."""
    bound = criterion.bounds.get(key)
    return Verdict(
        criterion=criterion.name,
        bound_key=key,
        at_least=bound.at_least if bound else True,
        bound=math.nan,
        unit=bound.unit if bound else "ratio",
        iteration=iteration,
        reason=reason,
    )


def read(
    criterion_name: str, config: Mapping[str, Any], run: records.Run
) -> list[Verdict]:
    """Read all values of a criterion, without a bound.

    :param criterion_name: a key of :data:`CRITERIA`
    :param config: the ``step`` to read, or the kind of event (``during``)
    :param run: the records of the iteration
    :returns: a verdict for each subject and each key of a bound, with NaN as
        its bound
    """
    criterion = CRITERIA[criterion_name]
    found = [
        _judge_bound(criterion, key, math.nan, run.iteration, subject)
        for subject in subjects.find(criterion, run, config)
        for key in criterion.bounds
    ]
    return spoil(found, _why_failed(run))


def _judge_bound(
    criterion: criteria.Criterion,
    key: str,
    limit: float,
    iteration: int,
    subject: subjects.Subject,
) -> Verdict:
    bound, record = criterion.bounds[key], subject.record
    value = None if record is None else bound.read(record)
    infinity = bound.infinity(record) if value == math.inf else ""
    wrong, interval, resolution = "", None, 0.0
    # Infinity would hold every lower bound, and NaN compares with nothing.
    if not (value is None or json_record.is_number(value) or infinity):
        wrong = f"{subjects.NOT_MEASURED}: {value!r} is impossible"
        value = None
    if value is not None:
        interval = bound.interval(record)
        if not infinity:
            resolution = bound.resolution_of(record, value)
    verdict = Verdict(
        criterion=criterion.name,
        bound_key=key,
        at_least=bound.at_least,
        bound=limit,
        unit=bound.unit,
        iteration=iteration,
        step=subject.step,
        bay=subject.bay,
        value=value,
        reason=subject.reason or wrong or _why_not(bound, subject, value),
        during=subject.during,
        infinity=infinity,
        interval=interval,
        resolution=resolution,
    )
    if verdict.reason or interval is None or not verdict.undecided:
        return verdict
    low, high = (format_value(end, bound.unit) for end in interval)
    why = (
        f"the time is between {low} and {high} ({bound.interval_reason}), "
        f"so a bound of {verdict.required} can't be judged"
    )
    return dataclasses.replace(verdict, reason=why)


def _why_not(
    bound: criteria.Bound, subject: subjects.Subject, value: float | None
) -> str:
    """Return why there is no value, or why it does not count."""
    if value is not None and value < 0:
        return "a value below 0 is impossible"
    if value is not None:
        return bound.doubt(subject.record)
    why = bound.missing(subject.record) if subject.record else ""
    return subject.missing + (f": {why}" if why else "")


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict that decides: a bound must hold in all iterations.

    The order is total.  So the result depends neither on the order of the
    iterations nor on how they were merged.

    :param verdicts: on one bound, at least one
    """
    return min(verdicts, key=_rank)


def _rank(verdict: Verdict) -> tuple[bool, bool, bool, float, int, str, str]:
    margin = verdict.margin
    return (
        verdict.passed,
        margin is not None,
        # A verdict that certainly fails decides before an undecided one.
        verdict.undecided,
        margin or 0.0,
        verdict.iteration,
        verdict.bay,
        verdict.reason,
    )


def judge_all(
    sla: Mapping[str, Any],
    runs: Sequence[records.Run],
    planned: int | None = None,
) -> list[Verdict]:
    """Judge the criteria of this package on all iterations of a workload.

    :param sla: the SLA section, with the names of the task file; criteria of
        other packages are skipped
    :param planned: how many iterations the runner had to run; None if
        unknown
    :returns: the deciding verdict for each bound; none of them holds without
        any iteration or if iterations are missing
    """
    iterations = list(runs) or [records.Run()]
    decided = []
    for name in CRITERIA:
        for given, config in sla.items():
            if criteria.normalise(given) == name:
                each = [judge(name, config, run) for run in iterations]
                decided += [worst(bound) for bound in zip(*each, strict=True)]
    return spoil(decided, conditions.describe_missing(len(runs), planned))


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
