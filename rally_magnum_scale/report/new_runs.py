"""Convert the report of a task to lines of the history."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import math

from rally_magnum_scale.history import storage
from rally_magnum_scale.measurement import conditions as run_conditions
from rally_magnum_scale.measurement import metrics as run_metrics
from rally_magnum_scale.measurement import trend
from rally_magnum_scale.measurement import verdicts
from rally_magnum_scale.report import conclusion
from rally_magnum_scale.report import model
from rally_magnum_scale.report import states


def of_report(report: model.Report, link: str = "") -> list[storage.StoredRun]:
    """Return the workloads of one task as runs of the history.

    :param link: path of its page, relative to the history
    """
    return [
        _of_workload(report, number, workload, link)
        for number, workload in enumerate(report.workloads, 1)
    ]


def _of_workload(
    report: model.Report, number: int, workload: model.Workload, link: str
) -> storage.StoredRun:
    ours = workload.verdicts()
    runs = [one.numbered_run for one in workload.iterations]
    asked = run_conditions.record(
        "",
        workload.scenario,
        workload.args,
        workload.runner,
        workload.digest_of_contexts,
    )
    return storage.StoredRun(
        task=report.task,
        position=number,
        at_s=_began(report, workload),
        state=states.of_task([workload], report.errors),
        sentence=conclusion.conclude([workload], report.errors).sentence,
        title=workload.title,
        conditions=run_conditions.find(
            runs, dataclasses.replace(asked, versions={})
        ),
        judged=tuple(map(_judged, ours)),
        others=tuple(
            f"{one.criterion}: {one.detail}".rstrip(": ")
            for one in workload.other_results()
            if not one.success
        ),
        metrics=tuple(run_metrics.read(runs)),
        link=link,
    )


def _judged(verdict: verdicts.Verdict) -> storage.Judged:
    return storage.Judged(
        # The metric's name, by which a collector joins value and bound.
        name=trend.metric_name(
            verdict.criterion,
            verdict.bound_key,
            run_metrics.place_of(verdict),
        ),
        holds=verdict.passed,
        # JSON has no infinity; the reason says what the value was.
        value=None if verdict.infinity else verdict.value,
        # JSON has no NaN, either.
        bound=verdict.bound if math.isfinite(verdict.bound) else None,
        unit=verdict.unit,
        at_least=verdict.at_least,
        reason=verdict.reason or verdict.infinity,
    )


def _began(report: model.Report, workload: model.Workload) -> float:
    """Return the start of the first iteration, or the task's creation."""
    stamps = [one.started_at for one in workload.iterations]
    if begun := [one for one in stamps if one is not None]:
        return min(begun)
    with contextlib.suppress(ValueError):
        made = datetime.datetime.fromisoformat(report.created_at)
        # Rally writes UTC without a time zone.
        return made.replace(tzinfo=made.tzinfo or datetime.UTC).timestamp()
    return 0.0
