"""What a task came to, in one sentence or two."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.measurement import records
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.report import model
from rally_magnum_scale.report import words

PASS = "pass"  # noqa: S105 - a state, not a password
FAIL = "fail"
WARN = "warn"
# What bounds on requests are on: no invalid load can hold those.
_OF_REQUESTS = ("step", "max_rate")


@dataclasses.dataclass(frozen=True)
class Conclusion:
    """What came out, for people.

    :param state: ``pass``, ``fail``, or ``warn`` when nothing was judged
        or when more went wrong than the bounds say
    :param sentence: the verdict in words
    """

    state: str
    sentence: str


@dataclasses.dataclass(frozen=True)
class _Failing:
    """A bound that does not hold.

    :param off_ratio: how far off, as a share of the bound; None when it
        was not measured or the measurement does not count
    """

    sentence: str
    off_ratio: float | None


def conclude(
    workloads: Sequence[model.Workload], errors: Sequence[str] = ()
) -> Conclusion:
    """Sum up all bounds of all workloads.

    :param workloads: those of a task, or one of them
    :param errors: sentences about what kept the task from running
    """
    broken = [*errors, *_broken(workloads)]
    total, failing = 0, []
    for workload in workloads:
        ours, others = workload.verdicts(), workload.other_results()
        total += len(ours) + len(others)
        where = f"{workload.name}: " if len(workloads) > 1 else ""
        failing += _failing(ours, others, where)
    troubles = [] if errors and not workloads else _troubles(workloads)
    if failing or broken:
        bounds = [_say_failing(failing, total, broken)] if failing else []
        told = [f"{one.rstrip('.')}." for one in broken]
        return Conclusion(FAIL, " ".join([*told, *bounds, *_told(troubles)]))
    if not total:
        troubles = ["No bound was asked for", *troubles]
    if troubles:
        held = [f"{_all_hold(total)}, but"] if total else []
        return Conclusion(WARN, " ".join([*held, "; ".join(troubles)]) + ".")
    return Conclusion(PASS, f"{_all_hold(total)}.")


def _broken(workloads: Sequence[model.Workload]) -> list[str]:
    """Say for each workload that never ran why it did not."""
    found = []
    for one in workloads:
        if one.broken_context:
            where = f"{one.name}: n" if len(workloads) > 1 else "N"
            context, why = one.broken_context.name, one.broken_context
            found.append(
                f"{where}othing was measured, as the context {context} "
                f"failed: {words.join_error(why.setup_error)}"
            )
    return found


def _told(troubles: list[str]) -> list[str]:
    return [f"{one[0].upper()}{one[1:]}." for one in troubles]


def _all_hold(total: int) -> str:
    return "The only bound holds" if total == 1 else f"All {total} bounds hold"


def _failing(
    ours: Sequence[verdicts.Verdict],
    others: Sequence[model.SlaResult],
    where: str,
) -> list[_Failing]:
    found = [
        _Failing(where + say_verdict(one), _off_ratio(one))
        for one in ours
        if not one.passed
    ]
    for one in others:
        if not one.success:
            text = f"{where}{one.criterion}: {one.detail}".rstrip(" :.")
            found.append(_Failing(text, None))
    return found


def _say_failing(
    failing: list[_Failing], total: int, broken: Sequence[str]
) -> str:
    furthest = max(
        failing,
        key=lambda one: -1.0 if one.off_ratio is None else one.off_ratio,
    )
    verb = "does" if len(failing) == 1 else "do"
    noun = "bound" if total == 1 else "bounds"
    if broken and furthest.off_ratio is None:
        # Why there are no data has been said.
        return f"{len(failing)} of {total} {noun} {verb} not hold."
    if len(failing) == 1:
        lead = ""
    elif furthest.off_ratio is None:
        lead = "the first of them: "
    else:
        lead = "the furthest off: "
    return (
        f"{len(failing)} of {total} {noun} {verb} not hold; "
        f"{lead}{furthest.sentence.rstrip('.')}."
    )


def _troubles(workloads: Sequence[model.Workload]) -> list[str]:
    if not workloads:
        return ["the task holds no workload"]
    iterations = sum(len(one.iterations) for one in workloads)
    failed = sum(len(one.failed_iterations) for one in workloads)
    troubles = []
    if not iterations and not any(one.broken_context for one in workloads):
        troubles.append("no iteration ran")
    if failed:
        noun = "iteration" if iterations == 1 else "iterations"
        troubles.append(f"{failed} of {iterations} {noun} failed")
    for one in workloads:
        spoilt = filter(None, [spoilt_load(one)])
        troubles += [*spoilt, *cleanup_errors(one), *differences(one)]
    return troubles


def spoilt_load(workload: model.Workload) -> str:
    """Say why the load of a workload does not count.

    :returns: empty when it counts, or when a bound on requests tells it
    """
    subjects = {
        criteria.CRITERIA[one.criterion].subject for one in workload.verdicts()
    }
    if subjects & set(_OF_REQUESTS):
        return ""
    reasons = dict.fromkeys(
        reason.rstrip(".")
        for one in workload.iterations
        for reason in _load_reasons(one.run)
    )
    return f"the load does not count: {', '.join(reasons)}" if reasons else ""


def _load_reasons(run: records.Run) -> list[str]:
    """Return why a load is invalid.

    A search looks for steps that are, so that its own word counts.
    """
    found = list(run.end.reasons) if run.end else []
    if run.max_rate:
        return found + run.max_rate.reasons
    steps = run.throughput.steps if run.throughput else []
    return found + [reason for step in steps for reason in step.reasons]


def cleanup_errors(workload: model.Workload) -> list[str]:
    """Name the contexts that could not clean up; Rally lets them pass."""
    return [
        f"the context {one.name} could not clean up: "
        f"{words.join_error(one.cleanup_error)}".rstrip(".")
        for one in workload.contexts
        if one.cleanup_error
    ]


def differences(workload: model.Workload) -> list[str]:
    """Name the criteria of ours on which Rally stored another verdict.

    There should never be one; if there is, the page must not hide it.
    """
    ours = workload.verdicts()
    notes = []
    for stored in workload.sla_results:
        judged = [v.passed for v in ours if v.criterion == stored.criterion]
        if judged and all(judged) != stored.success:
            said = "holding" if stored.success else "failed"
            notes.append(f"Rally stored {stored.criterion} as {said}")
    return notes


def reasons(ours: Sequence[verdicts.Verdict]) -> list[str]:
    """Say each reason once, with the bounds that it spoils."""
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
    """Say what was measured, what was asked for and how far apart."""
    name = f"{verdict.criterion} {verdict.bound_key}"
    if verdict.place:
        name += f" {_when(verdict)}"
    if verdict.bay:
        name += f" of the bay {verdict.bay}"
    bound = f"{words.side(verdict)} {words.asked(verdict)} was asked for"
    if verdict.value is None:
        return f"{name}: {bound}, but {verdict.reason}"
    if verdict.reason:
        return (
            f"{name}: {words.measured(verdict)} where {bound} does not count: "
            f"{verdict.reason}"
        )
    ratio = _off_ratio(verdict)
    told = ratio is not None and math.isfinite(ratio)
    off = f" ({words.percent(ratio or 0)} off)" if told else ""
    return f"{name}: {words.measured(verdict)} where {bound}{off}"


def _when(verdict: verdicts.Verdict) -> str:
    """Say in which step, or during or of which event, it was judged."""
    if verdict.during:
        return f"during {verdict.place}"
    return f"{'of' if verdict.event else 'in'} {verdict.place}"


def _off_ratio(verdict: verdicts.Verdict) -> float | None:
    """Return how far off a failing value is; None when none counts."""
    if verdict.reason or verdict.margin is None or verdict.margin >= 0:
        return None
    return -verdict.margin / verdict.bound if verdict.bound else math.inf
