"""Tables of disruptions: updates and lost nodes."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import wording
from rally_magnum_scale.report import formatting
from rally_magnum_scale.report import grids


def every(runs: Sequence[records.Run]) -> list[grids.Grid]:
    """Return the tables of updates and of faults, as far as there are any."""
    return [found for found in (updates(runs), faults(runs)) if found]


def updates(runs: Sequence[records.Run]) -> grids.Grid | None:
    """Return a row for each update of the targets under load."""
    return _grid(
        "Updates under load",
        "Seconds from the beginning of each update, by a watch: until the "
        "number of Ready new targets equalled the number of old targets, and "
        "until the last old target was gone. s/target is the latter divided "
        "by the number of targets. Fewest Ready counts old and new targets "
        "together.",
        [(run, one) for run in runs for one in run.updates],
        _update_row,
        several=len(runs) > 1,
    )


def faults(runs: Sequence[records.Run]) -> grids.Grid | None:
    """Return a row for each time that nodes were lost under load."""
    return _grid(
        "Nodes lost under load",
        "Seconds from the loss of the nodes: until Kubernetes showed none of "
        "them as Ready, until the same number of targets as before was Ready "
        "on other nodes, and until the end of the last second in which a "
        "request failed. Recovered is the later of the last two.",
        [(run, one) for run in runs for one in run.faults],
        _fault_row,
        several=len(runs) > 1,
    )


def _grid(
    title: str,
    caption: str,
    found: Sequence[tuple[records.Run, Any]],
    row: Callable[[Any], grids.Row],
    *,
    several: bool,
) -> grids.Grid | None:
    """Return a table with a row for each event of a kind; None without any.

    :param several: whether the table has several iterations
    """
    named = [
        (_name(run.iteration if several else None, one), one)
        for run, one in found
    ]
    return grids.compact(
        title,
        f"{caption} Exact to s is the coarsest resolution of these times: "
        "requests are counted each second, and a watch that broke off "
        "reports late. Failed share and p99 include all requests in the whole "
        "seconds around that time, requests that ended later, and all "
        "failures within the timeout after it. p99 is measured from the "
        "intended send time.",
        [
            {
                "Event": name,
                "Step": str(one.step),
                **row(one),
                "Exact to s": formatting.brief(one.coarsest_resolution_s),
                **_load(one),
            }
            for name, one in named
        ],
        (note for name, one in named for note in _notes(name, one)),
        foldable=("Step", "Strategy", "How", "Exact to s", "Ended"),
    )


def _update_row(update: disruption_records.Update) -> grids.Row:
    load = update.load
    failed = sum(load.failures.values()) if load else 0
    return {
        "Strategy": update.strategy,
        "Targets": formatting.number(update.targets),
        "New Ready s": formatting.number(update.new_ready_s),
        "Old gone s": formatting.number(update.old_gone_s),
        "s/target": formatting.brief(update.per_target_s),
        "Fewest Ready": formatting.number(update.fewest_ready),
        "Requests": formatting.number(
            load.requests + failed if load else None
        ),
        "Failed": formatting.number(failed if load else None),
    }


def _fault_row(fault: disruption_records.Fault) -> grids.Row:
    return {
        "Nodes": f"{len(fault.nodes):,}",
        "How": how(fault),
        "Targets lost": formatting.number(fault.targets_lost),
        "Noticed s": formatting.number(fault.noticed_s),
        "Ready s": formatting.number(fault.pods_ready_s),
        "Last failure s": formatting.number(fault.requests_s),
        "Recovered s": formatting.number(fault.recovery_s),
        "Requests lost": formatting.number(fault.requests_lost),
    }


def _load(event: disruption_records.DisruptionRecord) -> grids.Row:
    load = event.load
    # The reason is in a note below the table.
    ended = "not seen" if event.reason else "well"
    return {
        "Failed share": formatting.ratio(load.error_ratio if load else None),
        "p99 ms": formatting.latency(load, "p99") if load else grids.NONE,
        "Ended": f"failed ({event.failure})" if event.failure else ended,
    }


def how(fault: disruption_records.Fault) -> str:
    """Return how the nodes were taken out, in words."""
    return disruption_records.HOWS_IN_WORDS.get(fault.how, fault.how)


def _name(
    iteration: int | None, event: disruption_records.DisruptionRecord
) -> str:
    """Return the name of an event as in verdicts, with its iteration."""
    name = f"{type(event).__name__.lower()} {event.number}"
    return f"{name}, iteration {iteration}" if iteration else name


def _notes(
    name: str, event: disruption_records.DisruptionRecord
) -> Iterator[str]:
    """Return details of an event that do not fit in its row."""
    name = name.capitalize()
    if isinstance(event, disruption_records.Fault) and event.nodes:
        yield f"{name}: the nodes were {wording.few(event.nodes)}."
    if event.failure or event.reason:
        yield f"{name}: {(event.reason or event.failure).rstrip('.')}."
    if isinstance(event, disruption_records.Update) and event.versions:
        yield f"{name}: responses by {formatting.shares(event.versions)}."
    load = event.load
    if load and load.failures:
        yield f"{name}: failed requests: {formatting.kinds(load.failures)}."
    if load and load.reasons:
        why = "; ".join(load.reasons).rstrip(".")
        yield f"{name}: its load does not count: {why}."
