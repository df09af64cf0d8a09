"""Values, bays and loads in words, for the page and the terminal alike."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.report import model


def side(verdict: verdicts.Verdict) -> str:
    """Say on which side of the bound the value must lie."""
    return "at least" if verdict.at_least else "at most"


def asked(verdict: verdicts.Verdict) -> str:
    """Write the bound with its unit."""
    return verdicts.format_value(verdict.bound, verdict.unit)


def measured(verdict: verdicts.Verdict) -> str:
    """Write the value with its unit."""
    return verdict.measured


def outcome(verdict: verdicts.Verdict) -> str:
    """Say the verdict in a word or two."""
    if verdict.passed:
        return "holds"
    if verdict.value is None:
        return "no data"
    if verdict.undecided:
        return "invalid"
    if verdict.margin is not None and verdict.margin < 0:
        return "fails"
    return "invalid"


def stored_outcome(stored: model.SlaResult) -> str:
    """Say in a word what Rally stored of a criterion.

    It stores no third state: that ``no_regression`` only learns is told by
    the end of its detail.
    """
    if not stored.success:
        return "fails"
    return "learning" if stored.detail.endswith("- Learning") else "holds"


def margin(verdict: verdicts.Verdict) -> str:
    """Write the margin with its unit and sign; plus is the good side."""
    if verdict.margin is None or math.isinf(verdict.margin):
        return ""
    sign = "-" if verdict.margin < 0 else "+"
    return sign + verdicts.format_value(abs(verdict.margin), verdict.unit)


def margin_percent(verdict: verdicts.Verdict) -> str:
    """Write the margin as a share of the bound; empty for a bound of 0."""
    if verdict.margin is None or not margin(verdict) or not verdict.bound:
        return ""
    sign = "-" if verdict.margin < 0 else "+"
    return sign + percent(abs(verdict.margin) / verdict.bound)


def percent(ratio: float) -> str:
    """Write a ratio of 0 or more as a percentage, to three digits."""
    value = ratio * 100
    if value >= 100:
        return f"{value:,.0f} %"
    return f"{value:.3g} %" if value >= 0.001 else "under 0.001 %"


def ratio(value: float | None) -> str:
    """Write a ratio as a percentage, none at all as 0; a dash for none."""
    if value is None:
        return "-"
    return percent(value) if value else "0"


def number(value: float | None) -> str:
    """Write a figure to four significant digits or whole; a dash for none.

    An infinite one is the latency of a request that failed.
    """
    if value is None:
        return "-"
    return "failed" if math.isinf(value) else verdicts.format_number(value)


def milliseconds(value_us: float | None) -> str:
    """Write µs as ms."""
    return number(None if value_us is None else value_us / 1000)


def latency(step: records.StepResult, name: str) -> str:
    """Write a percentile over all requests that were due, in ms.

    :param name: such as ``p99``, or ``max``
    :returns: a dash for none, and ``failed`` where a request that failed is
        at that place
    """
    value_us = step.latency_us.get(name)
    failed = value_us is None and name in step.latency_us and step.failed
    return "failed" if failed else milliseconds(value_us)


def answered(step: records.StepResult) -> str:
    """Say how long the answered requests alone took, where others failed.

    :returns: a sentence; empty where none failed, or none was answered
    """
    known = [
        f"{name.replace('_', '.')} {milliseconds(value_us)} ms"
        for name, value_us in step.answered_latency_us.items()
        if value_us is not None
    ]
    if not step.failed or not known:
        return ""
    return (
        f"Step {step.step}: {step.failed:,} requests "
        f"({ratio(step.error_ratio)}) failed, and count as slower than any "
        f"answer; of the answered ones alone: {', '.join(known)}."
    )


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


def nodes(bay: bay_records.Bay) -> str:
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


def in_order(versions: Iterable[str]) -> list[str]:
    """Sort versions: numbers by their size, those that are not told last."""
    return sorted(
        versions,
        key=lambda one: (
            not one,
            int(one) if one.isdecimal() else math.inf,
            one,
        ),
    )


def version(name: str) -> str:
    """Name a version of the targets."""
    return f"version {name}" if name else "no version told"


def shares(counts: Mapping[str, int]) -> str:
    """Say how many answers each version gave, and what share that is."""
    total = sum(counts.values())
    return ", ".join(
        f"{version(name)}: {ratio(counts[name] / total if total else 0.0)} "
        f"({counts[name]:,})"
        for name in in_order(counts)
    )


def kind(name: str) -> str:
    """Say of what kind an event is."""
    return name.replace("_", " ")


def error_sentence(iteration: model.Iteration) -> str:
    """Return the class and the sentence of an error, no traceback."""
    return join_error(iteration.error)


def join_error(error: Sequence[str]) -> str:
    """Return class and sentence of an error as Rally keeps it."""
    return records.say_error(error)


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


def when(at_s: float) -> str:
    """Write a point in time, in UTC.

    :param at_s: epoch seconds
    """
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at_s))


def failure(bay: bay_records.Bay) -> str:
    """Say how a bay ended: its status, the class of failure, the reason."""
    kind = f" ({bay.failure})" if bay.failure else ""
    reason = f": {bay.reason}" if bay.reason else ""
    return f"{bay.status}{kind}{reason}"


def template(bay: bay_records.Bay) -> str:
    """Return the name of a bay's template, or its id without one."""
    return bay.template_name or bay.template


def s_per_node(bay: bay_records.Bay) -> float | None:
    """Return the seconds until all nodes were Ready, for each of them."""
    if bay.nodes_ready_s is None or not bay.nodes:
        return None
    return bay.nodes_ready_s / bay.nodes


def megabytes(value_bytes: int | None) -> str:
    """Write bytes as MB of a million; a dash for none."""
    return number(None if value_bytes is None else value_bytes / 1e6)


def made_by(bay: bay_records.Bay) -> str:
    """Say where a bay comes from; empty when its scenario made it."""
    return {
        "context": "made by the context",
        "named": "there before, by name",
        "kubeconfig": "there before, by its kubeconfig",
    }.get(bay.made_by, "")


def nodes_ready(bay: bay_records.Bay) -> str:
    """Say when half and when 99 % of the nodes were Ready."""
    if bay.node_ready_missing:
        return f"not known: {bay.node_ready_missing}"
    ready_s = bay.node_ready_s or {}
    known = [name for name in ("p50", "p90", "p99") if name in ready_s]
    if not known:
        return ""
    told = ", ".join(f"{name} {seconds(ready_s[name])}" for name in known)
    return told + _exact_to(bay.node_ready_resolution_s)


def bay_time(bay: bay_records.Bay, name: str) -> str:
    """Write a time of a bay, and how exact it is; a dash for none.

    :param name: ``create_s``, ``nodes_ready_s`` or ``delete_s``
    """
    return seconds(getattr(bay, name)) + _exact_to(bay.resolution_s(name))


def _exact_to(resolution_s: float | None) -> str:
    if resolution_s is None:
        return ""
    return f" (exact to {brief(resolution_s)} s)"


def brief(value: float | None) -> str:
    """Write a small figure to three digits: four would claim too much."""
    return number(None if value is None else float(f"{value:.3g}"))


def load(run: records.Run) -> str:
    """Say what a load consisted of, where it ran and what it took.

    :returns: a sentence, or an empty string for a run without a load
    """
    found = run.throughput
    if found is None:
        return ""
    several = len(run.bays) > 1
    where = f" in the bay {run.bay.name}" if run.bay and several else ""
    each = found.processes_per_worker
    processes = f" of {each} processes each" if each > 1 else ""
    address = {"pod": "pod address", "service": "Service"}.get(
        found.target_address, found.target_address
    )
    users = f" with {found.users} users of a Locust file" * bool(found.users)
    parts = [
        f"Load{where} from {_count(found.workers, 'worker')}{processes}"
        f"{users} to "
        f"{_count(found.targets, 'target')}, asked by {address}"
        f"{_request(found)}"
    ]
    if found.nodes_with_pods is not None:
        parts.append(f"pods on {_count(found.nodes_with_pods, 'node')}")
    if found.pull_s is not None:
        parts.append(f"images pulled ahead in {seconds(found.pull_s)}")
    if found.deploy_s is not None:
        parts.append(f"deployed in {seconds(found.deploy_s)}")
    if start_s := found.pod_start_s:
        parts.append(
            f"pods Ready {seconds(start_s['p50'])} after their creation (p99 "
            f"{seconds(start_s['p99'])})"
        )
    return "; ".join([*parts, _cores(found)]) + "."


def _request(found: records.Throughput) -> str:
    """Say what of the requests is not as it is by default."""
    plain = records.Throughput.asked
    return "".join(
        [
            f" for {found.asked}" * (found.asked != plain),
            " over TLS" * found.tls,
            ", each on a connection of its own" * (not found.keep_alive),
            ", at random moments (Poisson)" * (found.arrivals == "poisson"),
        ]
    )


def _cores(found: records.Throughput) -> str:
    told = (
        f"cores of the real nodes: {number(found.cores_real_nodes)}, that "
        f"the pods could use: {number(found.cores_pods)}"
    )
    if not found.cores_of:
        return told
    sides = ", ".join(
        f"{side} {number(cores)}" for side, cores in found.cores_of.items()
    )
    by = "limits and cpusets" if found.cpus_seen else "limits alone"
    return f"{told} ({sides}; by {by})"


def _count(value: int, noun: str) -> str:
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def context(found: model.ContextResult) -> str:
    """Say how long a context took, and how long what it did there."""
    return (
        f"The context {found.name} was set up in {seconds(found.setup_s)}"
        f"{_in_brackets(actions(found.setup_actions))} and cleaned up in "
        f"{seconds(found.cleanup_s)}"
        f"{_in_brackets(actions(found.cleanup_actions))}."
    )


def actions(found: Sequence[model.AtomicAction]) -> str:
    """Say how often each action was done and from how short to how long."""
    taken_s: dict[str, list[float]] = {}
    for one in found:
        taken_s.setdefault(one.name, []).append(one.duration_s)
    return ", ".join(
        f"{name} {len(each_s)} \N{MULTIPLICATION SIGN} {_from_to(each_s)} s"
        for name, each_s in taken_s.items()
    )


def _from_to(values: Sequence[float]) -> str:
    ends = (f"{min(values):,.1f}", f"{max(values):,.1f}")
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""
