"""The state of a run, one of the states of the history.

Exit statuses, pages, the table, JUnit, OpenMetrics and the history use it.
It is the worst of Rally's stored results of the criteria, of our verdicts,
and of the validity of the whole run.
"""

from __future__ import annotations

from collections.abc import Iterable

from rally_magnum_scale.history import storage
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.report import model


def of_workload(workload: model.Workload) -> str:
    """Return the state of one workload, one of :data:`history.STATES`."""
    if _is_broken(workload):
        return storage.BROKEN
    # If only Rally's result differs, Rally has failed the criterion.
    if invalid_parts(workload) or any(
        one.reason and one.value is not None for one in workload.own_verdicts
    ):
        return storage.INVALID
    ours, others = workload.verdicts(), workload.other_results()
    held = all(one.passed for one in ours) and all(
        one.success for one in others
    )
    return storage.HOLDS if held else storage.FAILS


def of_task(
    workloads: Iterable[model.Workload], errors: Iterable[str] = ()
) -> str:
    """Return the worst state of the workloads of a task.

    A task with errors, or without a workload, is broken.

    :param errors: errors of :class:`model.Report`
    """
    if any(errors):
        return storage.BROKEN
    return max(
        map(of_workload, workloads),
        key=storage.STATES.index,
        default=storage.BROKEN,
    )


def _is_broken(workload: model.Workload) -> bool:
    return bool(
        not workload.ended
        or workload.unreadable
        or workload.broken_context
        or workload.failed_iterations
        or not workload.iterations
        or workload.missing_iterations
        # The resources of the context may still be in the cloud.
        or any(one.cleanup_error for one in workload.contexts)
    )


def invalid_parts(workload: model.Workload) -> list[str]:
    """Return why the load of a workload, or a part of it, does not count.

    :returns: each reason once, even if no bound applies to that part
    """
    return list(
        dict.fromkeys(
            reason.rstrip(".")
            for one in workload.iterations
            for reason in _load_reasons(one.run)
        )
    )


def _load_reasons(run: records.Run) -> list[str]:
    """Return why a load is invalid, in its steps or around its events.

    A search also has invalid steps on purpose, so for a search only its own
    reasons count.
    """
    found = list(run.end.reasons) if run.end else []
    if run.max_rate:
        return found + run.max_rate.reasons
    parts = list(run.throughput.steps) if run.throughput else []
    events = (*run.updates, *run.faults)
    parts += [one.load for one in events if one.load]
    return found + [reason for part in parts for reason in part.reasons]
