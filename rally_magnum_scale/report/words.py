"""The verdict in words, for the page and the terminal alike."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from rally_magnum_scale.measurement import records
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.report import model

PASS = "pass"  # noqa: S105 - a state, not a password
FAIL = "fail"
WARN = "warn"


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


def conclude(workloads: Sequence[model.Workload]) -> Conclusion:
    """Sum up all bounds of all workloads.

    :param workloads: those of a task, or one of them
    """
    total, failing = 0, []
    for workload in workloads:
        ours, others = workload.verdicts(), workload.other_results()
        total += len(ours) + len(others)
        where = f"{workload.name}: " if len(workloads) > 1 else ""
        failing += _failing(ours, others, where)
    troubles = _troubles(workloads)
    if failing:
        return Conclusion(
            FAIL, " ".join([_say_failing(failing, total), *_told(troubles)])
        )
    if not total:
        troubles = ["No bound was asked for", *troubles]
    if troubles:
        held = [f"{_all_hold(total)}, but"] if total else []
        return Conclusion(WARN, " ".join([*held, "; ".join(troubles)]) + ".")
    return Conclusion(PASS, f"{_all_hold(total)}.")


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


def _say_failing(failing: list[_Failing], total: int) -> str:
    furthest = max(
        failing,
        key=lambda one: -1.0 if one.off_ratio is None else one.off_ratio,
    )
    verb = "does" if len(failing) == 1 else "do"
    noun = "bound" if total == 1 else "bounds"
    if len(failing) == 1:
        lead = ""
    elif furthest.off_ratio is None:
        lead = "the first of them: "
    else:
        lead = "the furthest off: "
    return (
        f"{len(failing)} of {total} {noun} {verb} not hold; "
        f"{lead}{furthest.sentence}."
    )


def _troubles(workloads: Sequence[model.Workload]) -> list[str]:
    if not workloads:
        return ["the task holds no workload"]
    iterations = sum(len(one.iterations) for one in workloads)
    failed = sum(len(one.failed_iterations) for one in workloads)
    troubles = []
    if not iterations:
        troubles.append("no iteration ran")
    if failed:
        noun = "iteration" if iterations == 1 else "iterations"
        troubles.append(f"{failed} of {iterations} {noun} failed")
    return troubles + [note for one in workloads for note in differences(one)]


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


def say_verdict(verdict: verdicts.Verdict) -> str:
    """Say what was measured, what was asked for and how far apart."""
    name = f"{verdict.criterion} {verdict.bound_key}"
    if verdict.step is not None:
        name += f" in step {verdict.step}"
    bound = f"{side(verdict)} {asked(verdict)} was asked for"
    if verdict.value is None:
        return f"{name}: {bound}, but {verdict.reason}"
    if verdict.reason:
        return (
            f"{name}: {measured(verdict)} where {bound} does not count: "
            f"{verdict.reason}"
        )
    ratio = _off_ratio(verdict)
    told = ratio is not None and math.isfinite(ratio)
    off = f" ({percent(ratio or 0)} off)" if told else ""
    return f"{name}: {measured(verdict)} where {bound}{off}"


def side(verdict: verdicts.Verdict) -> str:
    """Say on which side of the bound the value must lie."""
    return "at least" if verdict.at_least else "at most"


def asked(verdict: verdicts.Verdict) -> str:
    """Write the bound with its unit."""
    return verdicts.format_value(verdict.bound, verdict.unit)


def measured(verdict: verdicts.Verdict) -> str:
    """Write the value with its unit."""
    return verdicts.format_value(verdict.value, verdict.unit)


def outcome(verdict: verdicts.Verdict) -> str:
    """Say the verdict in a word or two."""
    if verdict.passed:
        return "holds"
    if verdict.value is None:
        return "no data"
    if verdict.margin is not None and verdict.margin < 0:
        return "fails"
    return "invalid"


def margin(verdict: verdicts.Verdict) -> str:
    """Write the margin with its unit and sign; plus is the good side."""
    if verdict.margin is None:
        return ""
    sign = "-" if verdict.margin < 0 else "+"
    return sign + verdicts.format_value(abs(verdict.margin), verdict.unit)


def margin_percent(verdict: verdicts.Verdict) -> str:
    """Write the margin as a share of the bound; empty for a bound of 0."""
    if verdict.margin is None or not verdict.bound:
        return ""
    sign = "-" if verdict.margin < 0 else "+"
    return sign + percent(abs(verdict.margin) / verdict.bound)


def percent(ratio: float) -> str:
    """Write a ratio of 0 or more as a percentage, to three digits."""
    value = ratio * 100
    if value >= 100:
        return f"{value:,.0f} %"
    return f"{value:.3g} %" if value >= 0.001 else "under 0.001 %"


def _off_ratio(verdict: verdicts.Verdict) -> float | None:
    """Return how far off a failing value is; None when none counts."""
    if verdict.reason or verdict.margin is None or verdict.margin >= 0:
        return None
    return -verdict.margin / verdict.bound if verdict.bound else math.inf


def number(value: float | None) -> str:
    """Write a figure to four significant digits or whole; a dash for none."""
    return "-" if value is None else verdicts.format_number(value)


def milliseconds(value_us: float | None) -> str:
    """Write µs as ms."""
    return number(None if value_us is None else value_us / 1000)


def errors(step: records.StepResult) -> str:
    """Say how many requests of a step failed, and of which kind."""
    count = sum(step.failures.values())
    if not count:
        return "0"
    share = "" if step.error_ratio is None else percent(step.error_ratio)
    kinds = ", ".join(
        f"{kind} {n:,}" for kind, n in sorted(step.failures.items())
    )
    return f"{count:,} ({share}: {kinds})"


def nodes(bay: records.Bay) -> str:
    """Say how many nodes a bay had, and how many were real."""
    noun = "node" if bay.nodes == 1 else "nodes"
    if bay.nodes_real is None or bay.nodes_hollow is None:
        return f"{bay.nodes:,} {noun}; real and hollow were not counted"
    if not bay.nodes_hollow:
        return f"{bay.nodes:,} {noun}, all real"
    return (
        f"{bay.nodes:,} {noun}: {bay.nodes_real:,} real and "
        f"{bay.nodes_hollow:,} hollow"
    )


def error_sentence(iteration: model.Iteration) -> str:
    """Return the class and the sentence of an error, no traceback."""
    return ": ".join(part.strip() for part in iteration.error[:2])


def requests(run: records.Run) -> str:
    """Say how many requests a run had, by its records and its targets.

    :returns: a sentence, or an empty string for a run without a load
    """
    if run.end is None or run.throughput is None:
        return ""
    counted = run.throughput.requests_counted_by_targets
    told = "the targets were not asked"
    if counted is not None:
        difference = run.end.requests - counted
        same = f"{difference:+,} against" if difference else "as many as"
        told = f"{same} the {counted:,} that the targets counted"
    return (
        f"Requests of the whole run, ramps included: {run.end.requests:,} "
        f"answered as expected; {told}."
    )


def seconds(value_s: float | None) -> str:
    """Write a time in seconds; a dash for none."""
    return "-" if value_s is None else f"{number(value_s)} s"


def failure(bay: records.Bay) -> str:
    """Say how a bay ended: its status, the class of failure, the reason."""
    kind = f" ({bay.failure})" if bay.failure else ""
    reason = f": {bay.reason}" if bay.reason else ""
    return f"{bay.status}{kind}{reason}"
