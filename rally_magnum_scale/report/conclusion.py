"""The conclusion of a task in one or two sentences."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import model
from rally_magnum_scale.report import states

PASS = "pass"  # noqa: S105 - a look, not a password
FAIL = "fail"
WARN = "warn"
# The look of each state of a run.
LOOKS = {
    storage.HOLDS: PASS,
    storage.FAILS: FAIL,
    storage.INVALID: WARN,
    storage.BROKEN: FAIL,
}


@dataclasses.dataclass(frozen=True)
class Conclusion:
    """The conclusion for people.

    :param state: a value of :data:`LOOKS`, or ``warn`` if the run succeeded
        but no bound is set
    """

    state: str
    sentence: str


# A bound that does not hold in words, and its distance from the bound as a
# share of the bound; None if the value was not measured or does not count.
_Failing = tuple[str, float | None]


def conclude(
    workloads: Sequence[model.Workload], errors: Sequence[str] = ()
) -> Conclusion:
    """Summarize all bounds of all workloads.

    :param errors: sentences about errors of the task
    """
    broken = [*errors, *_broken(workloads)]
    total, failing = 0, []
    learning: list[str] = []
    for workload in workloads:
        ours, others = workload.verdicts(), workload.other_results()
        # A learning criterion neither holds nor fails.
        learns = [
            f"{one.name} is still learning"
            for one in others
            if formatting.stored_outcome(one) == "learning"
        ]
        learning += learns
        total += len(ours) + len(others) - len(learns)
        where = f"{workload.name}: " if len(workloads) > 1 else ""
        failing += _failing(ours, others, where)
    problems = [] if errors and not workloads else _problems(workloads)
    if not errors and not all(one.ended for one in workloads):
        problems.insert(0, "the task did not finish")
    look = LOOKS[states.of_task(workloads, errors)]
    if failing or broken:
        bounds = _say_failing(failing, total, broken) if failing else ""
        parts = [*(f"{one.rstrip('.')}." for one in broken), bounds]
        parts += [
            f"{one[0].upper()}{one[1:]}."
            for one in problems
            if one not in bounds
        ]
        return Conclusion(look, " ".join(filter(None, parts)))
    if not total and not learning:
        problems = ["No bound is set", *problems]
        look = WARN if look == PASS else look
    held = _all_hold(total) if total else ""
    if problems:
        held = held and f"{held}, but "
        return Conclusion(look, f"{held}{'; '.join(problems)}.")
    parts = [held, ", ".join(learning)]
    return Conclusion(look, "; ".join(filter(None, parts)) + ".")


def _broken(workloads: Sequence[model.Workload]) -> list[str]:
    """Return, for each workload without a measurement, the reason."""
    found = []
    for one in workloads:
        where = f"{one.name}: n" if len(workloads) > 1 else "N"
        if one.unreadable:
            found.append(
                f"{where}othing is known, because Rally's result can't be "
                f"read: {one.unreadable}"
            )
        elif one.broken_context:
            context, why = one.broken_context.name, one.broken_context
            found.append(
                f"{where}othing was measured, because the context {context} "
                f"failed: {records.describe_error(why.setup_error)}"
            )
    return found


def _all_hold(total: int) -> str:
    return "The only bound holds" if total == 1 else f"All {total} bounds hold"


def _failing(
    ours: Sequence[verdicts.Verdict],
    others: Sequence[model.SlaResult],
    where: str,
) -> list[_Failing]:
    found: list[_Failing] = [
        (where + say_verdict(one), _off_ratio(one))
        for one in ours
        if not one.passed
    ]
    return found + [
        (f"{where}{one.criterion}: {one.detail}".rstrip(" :."), None)
        for one in others
        if not one.success
    ]


def _say_failing(
    failing: list[_Failing], total: int, broken: Sequence[str]
) -> str:
    sentence, off_ratio = max(
        failing, key=lambda one: -1.0 if one[1] is None else one[1]
    )
    verb = "does" if len(failing) == 1 else "do"
    noun = "bound" if total == 1 else "bounds"
    failed = f"{len(failing)} of {total} {noun} {verb} not hold"
    if broken and off_ratio is None:
        # Another sentence already gives the reason for the missing data.
        return f"{failed}."
    lead = "the furthest off: "
    if len(failing) == 1:
        lead = ""
    elif off_ratio is None:
        lead = "the first of them: "
    return f"{failed}; {lead}{sentence.rstrip('.')}."


def _problems(workloads: Sequence[model.Workload]) -> list[str]:
    if not workloads:
        return ["the task has no workload"]
    iterations = sum(len(one.iterations) for one in workloads)
    failed = sum(len(one.failed_iterations) for one in workloads)
    problems = []
    if not iterations and not any(
        one.broken_context or one.unreadable for one in workloads
    ):
        problems.append("no iteration ran")
    if failed:
        noun = "iteration" if iterations == 1 else "iterations"
        problems.append(f"{failed} of {iterations} {noun} failed")
    for one in workloads:
        # If no iteration ran at all, one sentence says so for all workloads.
        missing = one.missing_iterations if one.iterations else ""
        problems += filter(None, [missing, spoilt_load(one)])
        problems += [*cleanup_errors(one), *differences(one)]
    return problems


def spoilt_load(workload: model.Workload) -> str:
    """Return why the load of a workload, or a part of it, does not count.

    :returns: empty if the load counts, or if failed bounds already give the
        reasons
    """
    told = " ".join(one.reason for one in workload.verdicts())
    left = [one for one in states.invalid_parts(workload) if one not in told]
    return f"the load does not count: {', '.join(left)}" if left else ""


def cleanup_errors(workload: model.Workload) -> list[str]:
    """Return the cleanup errors of contexts, which fail no task in Rally."""
    return [
        f"the context {one.name} could not clean up: "
        f"{records.describe_error(one.cleanup_error)}".rstrip(".")
        for one in workload.contexts
        if one.cleanup_error
    ]


def differences(workload: model.Workload) -> list[str]:
    """Return notes on criteria for which Rally stored another verdict.

    This should never happen.  If it does, the page must show it.
    """
    ours = workload.verdicts()
    notes = []
    for stored in workload.sla_results:
        judged = [v.passed for v in ours if v.criterion == stored.name]
        if judged and all(judged) != stored.success:
            said = "holding" if stored.success else "failed"
            notes.append(f"Rally stored {stored.name} as {said}")
    return notes


def reasons(ours: Sequence[verdicts.Verdict]) -> list[str]:
    """Return each reason once, with the bounds to which it applies."""
    spoilt: dict[str, list[str]] = {}
    for one in ours:
        if one.reason:
            name = f"{one.criterion} {one.bound_key}"
            name += f" {_when(one)}" if one.event else ""
            name += f" of the bay {one.bay}" if one.bay else ""
            spoilt.setdefault(one.reason, []).append(name)
    return [
        f"{', '.join(names)}: {reason.rstrip('.')}."
        for reason, names in spoilt.items()
    ]


def say_verdict(verdict: verdicts.Verdict) -> str:
    """Return the measured value, the bound and the distance in words."""
    name = f"{verdict.criterion} {verdict.bound_key}"
    if verdict.place:
        name += f" {_when(verdict)}"
    if verdict.bay:
        name += f" of the bay {verdict.bay}"
    bound = f"{verdict.side} {verdict.required} is required"
    if verdict.value is None:
        return f"{name}: {bound}, but {verdict.reason}"
    if verdict.reason:
        return (
            f"{name}: {verdict.measured} ({bound}) does not "
            f"count: {verdict.reason}"
        )
    ratio = _off_ratio(verdict)
    told = ratio is not None and math.isfinite(ratio)
    off = f" ({formatting.percent(ratio or 0)} off)" if told else ""
    return f"{name}: {verdict.measured}, but {bound}{off}"


def _when(verdict: verdicts.Verdict) -> str:
    """Return the step or the event of a verdict, with a preposition."""
    if verdict.during:
        return f"during {verdict.place}"
    return f"{'of' if verdict.event else 'in'} {verdict.place}"


def _off_ratio(verdict: verdicts.Verdict) -> float | None:
    """Return the distance of a failed value; None if no value counts."""
    if verdict.reason or verdict.margin is None or verdict.margin >= 0:
        return None
    return -verdict.margin / verdict.bound if verdict.bound else math.inf
