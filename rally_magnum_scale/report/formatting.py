"""Values, bays and loads in words, for the page and the terminal."""

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


def outcome(verdict: verdicts.Verdict) -> str:
    """Return the verdict in one or two words."""
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
    """Return in one word what Rally stored for a criterion.

    Rally has only two states, so the end of the detail shows whether
    ``no_regression`` is still learning.
    """
    if not stored.success:
        return "fails"
    return "learning" if stored.detail.endswith("- Learning") else "holds"


def margin(verdict: verdicts.Verdict) -> str:
    """Write the margin with its unit and sign; a plus is good."""
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
    """Write a ratio of 0 or more as a percentage with three digits."""
    value = ratio * 100
    if value >= 100:
        return f"{value:,.0f} %"
    return f"{value:.3g} %" if value >= 0.001 else "under 0.001 %"


def ratio(value: float | None) -> str:
    """Write a ratio as a percentage, exactly 0 as 0, and None as a dash."""
    if value is None:
        return "-"
    return percent(value) if value else "0"


def number(value: float | None) -> str:
    """Write a number with four significant digits or whole; None as a dash.

    An infinite value is the latency of a failed request.
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
    :returns: a dash for None, and ``failed`` if the percentile is a failed
        request
    """
    value_us = step.latency_us.get(name)
    failed = value_us is None and name in step.latency_us and step.failed
    return "failed" if failed else milliseconds(value_us)


def answered(step: records.StepResult) -> str:
    """Describe the latency of the answered requests, if others failed.

    :returns: a sentence; empty if no request failed or none was answered
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
        f"response. Without them: {', '.join(known)}."
    )


def errors(step: records.StepResult) -> str:
    """Return how many requests of a step failed, by kind."""
    count = sum(step.failures.values())
    if not count:
        return "0"
    share = "" if step.error_ratio is None else percent(step.error_ratio)
    return f"{count:,} ({share}: {kinds(step.failures)})"


def kinds(failures: Mapping[str, int]) -> str:
    """Return the number of failed requests of each kind."""
    return ", ".join(f"{name} {n:,}" for name, n in sorted(failures.items()))


def nodes(bay: bay_records.Bay) -> str:
    """Return the numbers of a bay's nodes, real and hollow, in words."""
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
    """Sort versions: numbers by value, unknown versions last."""
    return sorted(
        versions,
        key=lambda one: (
            not one,
            int(one) if one.isdecimal() else math.inf,
            one,
        ),
    )


def version(name: str) -> str:
    """Return the label of a version of the targets."""
    return f"version {name}" if name else "unknown version"


def shares(counts: Mapping[str, int]) -> str:
    """Return the share and the number of responses of each version."""
    total = sum(counts.values())
    return ", ".join(
        f"{version(name)}: {ratio(counts[name] / total if total else 0.0)} "
        f"({counts[name]:,})"
        for name in in_order(counts)
    )


def kind(name: str) -> str:
    """Return the kind of an event in words."""
    return name.replace("_", " ")


def requests(run: records.Run) -> str:
    """Describe the number of requests, by records and by targets.

    :returns: a sentence, or an empty string for a run without a load
    """
    if run.end is None or run.throughput is None:
        return ""
    counted = run.throughput.requests_counted_by_targets
    words = "the counts of the targets are unknown"
    if counted is not None:
        difference = run.end.requests - counted
        same = f"{difference:+,} against" if difference else "as many as"
        words = f"{same} the {counted:,} that the targets counted"
    return (
        f"Requests of the whole run, ramps included: {run.end.requests:,} "
        f"answered as expected; {words}."
    )


def seconds(value_s: float | None) -> str:
    """Write a time in seconds; None as a dash."""
    return "-" if value_s is None else f"{number(value_s)} s"


def when(at_s: float) -> str:
    """Write a point in time, in UTC.

    :param at_s: epoch seconds
    """
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at_s))


def failure(bay: bay_records.Bay) -> str:
    """Return a bay's status, the class of its failure and the reason."""
    kind = f" ({bay.failure})" if bay.failure else ""
    reason = f": {bay.reason}" if bay.reason else ""
    return f"{bay.status}{kind}{reason}"


def template(bay: bay_records.Bay) -> str:
    """Return the name of a bay's template, or its id if it has no name."""
    return bay.template_name or bay.template


def s_per_node(bay: bay_records.Bay) -> float | None:
    """Return the seconds until all nodes were Ready, per node."""
    if bay.nodes_ready_s is None or not bay.nodes:
        return None
    return bay.nodes_ready_s / bay.nodes


def megabytes(value_bytes: float | None) -> str:
    """Write bytes as MB (10^6 bytes); None as a dash."""
    return number(None if value_bytes is None else value_bytes / 1e6)


def made_by(bay: bay_records.Bay) -> str:
    """Return the origin of a bay; empty if its scenario created it."""
    return {
        "context": "created by the context",
        "named": "existing bay, by name",
        "kubeconfig": "existing bay, by kubeconfig",
    }.get(bay.made_by, "")


def nodes_ready(bay: bay_records.Bay) -> str:
    """Return when 50 % and when 99 % of the nodes were Ready."""
    if bay.node_ready_missing:
        return f"not known: {bay.node_ready_missing}"
    ready_s = bay.node_ready_s or {}
    known = [name for name in ("p50", "p90", "p99") if name in ready_s]
    if not known:
        return ""
    words = ", ".join(f"{name} {seconds(ready_s[name])}" for name in known)
    return words + _exact_to(bay.node_ready_resolution_s)


def bay_time(bay: bay_records.Bay, name: str) -> str:
    """Write a time of a bay and its resolution; None as a dash.

    :param name: ``create_s``, ``nodes_ready_s`` or ``delete_s``
    """
    return seconds(getattr(bay, name)) + _exact_to(bay.resolution_s(name))


def _exact_to(resolution_s: float | None) -> str:
    if resolution_s is None:
        return ""
    return f" (exact to {brief(resolution_s)} s)"


def brief(value: float | None) -> str:
    """Write a small number with three digits, as it is no more exact."""
    return number(None if value is None else float(f"{value:.3g}"))


def load(run: records.Run) -> str:
    """Describe the parts, the place and the start of a load.

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
    users = f" with {found.users} users of a locustfile" * bool(found.users)
    parts = [
        f"Load{where} from {_count(found.workers, 'worker')}{processes}"
        f"{users} to "
        f"{_count(found.targets, 'target')}, addressed by {address}"
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
            f"pods Ready {seconds(start_s.get('p50'))} after their creation "
            f"(p99 {seconds(start_s.get('p99'))})"
            f"{_exact_to(found.pod_start_resolution_s)}"
        )
    return "; ".join([*parts, _cores(found)]) + "."


def _request(found: records.Throughput) -> str:
    """Describe how the requests differ from the default."""
    plain = records.Throughput.asked
    return "".join(
        [
            f" for {found.asked}" * (found.asked != plain),
            " over TLS" * found.tls,
            ", each on a new connection" * (not found.keep_alive),
            ", at random times (Poisson)" * (found.arrivals == "poisson"),
        ]
    )


def _cores(found: records.Throughput) -> str:
    words = (
        f"cores of the real nodes: {number(found.cores_real_nodes)}, that "
        f"the pods could use: {number(found.cores_pods)}"
    )
    if not found.cores_of:
        return words
    sides = ", ".join(
        f"{side} {number(cores)}" for side, cores in found.cores_of.items()
    )
    by = "limits and cpusets" if found.cpus_seen else "limits alone"
    return f"{words} ({sides}; by {by})"


def _count(value: int, noun: str) -> str:
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


def context(found: model.ContextResult) -> str:
    """Describe how long a context and its actions took."""
    return (
        f"The context {found.name} was set up in {seconds(found.setup_s)}"
        f"{_in_brackets(actions(found.setup_actions))} and cleaned up in "
        f"{seconds(found.cleanup_s)}"
        f"{_in_brackets(actions(found.cleanup_actions))}."
    )


def actions(found: Sequence[model.AtomicAction]) -> str:
    """Return the count and the range of durations of each action."""
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
