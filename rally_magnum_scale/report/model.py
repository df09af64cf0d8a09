"""The model of a report: the results of a task, independent of Rally.

The exporters in ``task/`` create it; the page and the table read it.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.measurement import conditions
from rally_magnum_scale.measurement import criteria
from rally_magnum_scale.measurement import verdicts


@dataclasses.dataclass(frozen=True)
class AtomicAction:
    """One timed action of an iteration.

    :param started_at: epoch seconds
    :param finished_at: epoch seconds
    """

    name: str
    started_at: float
    finished_at: float
    failed: bool = False

    @property
    def duration_s(self) -> float:
        """Duration of the action."""
        return self.finished_at - self.started_at


@dataclasses.dataclass(frozen=True)
class Iteration:
    """One iteration of a workload.

    :param number: from 1
    :param run: its records; an empty :class:`records.Run` without records
    :param error: error in Rally's form: class, message, traceback; empty
        if the iteration succeeded
    :param started_at: epoch seconds
    :param raw: its records as they were written, one JSON object per line
    """

    number: int
    run: records.Run = dataclasses.field(default_factory=records.Run)
    error: Sequence[str] = ()
    actions: Sequence[AtomicAction] = ()
    started_at: float | None = None
    raw: str = ""

    @property
    def numbered_run(self) -> records.Run:
        """The run with this iteration's number, even if it is empty.

        It has the error of the iteration, so that no failed iteration holds.
        """
        return dataclasses.replace(
            self.run,
            iteration=self.number,
            error=records.describe_error(self.error),
        )


@dataclasses.dataclass(frozen=True)
class ContextResult:
    """What Rally stored about one context of a workload.

    :param name: name without the platform, such as ``bays``
    :param setup_s: duration of the setup; None if it never began
    :param cleanup_s: duration of the cleanup; None if it never began
    :param setup_error: class, message, traceback; empty if it succeeded
    :param cleanup_error: the same for the cleanup, which fails no task
    """

    name: str
    setup_s: float | None = None
    cleanup_s: float | None = None
    setup_error: Sequence[str] = ()
    cleanup_error: Sequence[str] = ()
    setup_actions: Sequence[AtomicAction] = ()
    cleanup_actions: Sequence[AtomicAction] = ()


@dataclasses.dataclass(frozen=True)
class SeenBay:
    """A bay, and the iterations that recorded it.

    :param iterations: their numbers; empty if they don't matter
    """

    bay: bay_records.Bay
    iterations: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class SlaResult:
    """What Rally stored about one criterion, ours or its own."""

    criterion: str
    success: bool
    detail: str = ""

    @property
    def name(self) -> str:
        """The criterion without its platform."""
        return criteria.normalise(self.criterion)


@dataclasses.dataclass(frozen=True)
class Workload:
    """One scenario of the task with its results.

    :param sla: the SLA section as it was configured
    :param runner: from :func:`conditions.describe_runner`; empty if unknown
    :param digest_of_contexts: from :func:`conditions.digest_contexts`;
        empty if unknown
    :param planned_iterations: from :func:`conditions.planned_iterations`;
        None if unknown
    :param ended: False if the task broke or was aborted, so that Rally may
        have stored only a part of it
    :param unreadable: why its stored result can't be read; empty if it can
    :param uuid: in Rally
    :param created_at: time at which Rally stored it first, in Rally's form
    :param duration_s: of all of it, with its contexts
    """

    scenario: str
    title: str = ""
    description: str = ""
    args: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sla: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    sla_results: Sequence[SlaResult] = ()
    iterations: Sequence[Iteration] = ()
    contexts: Sequence[ContextResult] = ()
    runner: str = ""
    digest_of_contexts: str = ""
    planned_iterations: int | None = None
    ended: bool = True
    unreadable: str = ""
    uuid: str = ""
    created_at: str = ""
    duration_s: float = 0.0

    @property
    def name(self) -> str:
        """The title, or the name of the scenario if there is no title."""
        return self.title or self.scenario

    @property
    def failed_iterations(self) -> list[Iteration]:
        """The iterations that ended in an error."""
        return [one for one in self.iterations if one.error]

    @property
    def broken_context(self) -> ContextResult | None:
        """The context whose failure prevented all iterations."""
        return next((one for one in self.contexts if one.setup_error), None)

    def bays(self) -> list[SeenBay]:
        """Return each bay once, with its last record.

        A bay of a context is in the records of every iteration.
        """
        seen: dict[tuple[str, str], SeenBay] = {}
        for iteration in self.iterations:
            for bay in iteration.run.bays:
                key = (bay.uuid, bay.name)
                before = seen[key].iterations if key in seen else ()
                seen[key] = SeenBay(bay, (*before, iteration.number))
        return list(seen.values())

    @property
    def missing_iterations(self) -> str:
        """Return how many iterations have a result; empty if all have."""
        return conditions.describe_missing(
            len(self.iterations), self.planned_iterations
        )

    @functools.cached_property
    def own_verdicts(self) -> tuple[verdicts.Verdict, ...]:
        """Our criteria over all iterations, judged by the records alone."""
        runs = [one.numbered_run for one in self.iterations]
        return tuple(
            verdicts.judge_all(self.sla, runs, self.planned_iterations)
        )

    def verdicts(self) -> list[verdicts.Verdict]:
        """Return our verdicts, which do not hold if Rally's result differs.

        They also do not hold if Rally stored no result of the criterion.
        """
        failing = {
            one.criterion for one in self.own_verdicts if not one.passed
        }
        disputed = {
            one.name: f"Rally stored {one.name} as failed"
            for one in self.sla_results
            if not one.success and one.name not in failing
        } | {
            name: f"Rally stored no result of {name}"
            for name in self._without_result()
        }
        return [
            dataclasses.replace(
                one, reason=one.reason or disputed.get(one.criterion, "")
            )
            for one in self.own_verdicts
        ]

    def _without_result(self) -> list[str]:
        """Return the configured criteria that have no result.

        None are returned if the task or a context broke, or if nothing could
        be read, which explains it.
        """
        if self.broken_context or self.unreadable or not self.ended:
            return []
        configured = collections.Counter(map(criteria.normalise, self.sla))
        stored = collections.Counter(one.name for one in self.sla_results)
        return sorted(configured - stored)

    def other_results(self) -> list[SlaResult]:
        """Return what Rally stored about criteria that are not ours.

        A criterion without a stored result counts as failed.
        """
        known = set(verdicts.CRITERIA)
        if self.broken_context:
            # Rally's pseudo criterion for a failed context, which is
            # reported separately.
            known.add("something_went_wrong")
        missing = [
            SlaResult(name, success=False, detail="Rally stored no result")
            for name in self._without_result()
        ]
        every = (*self.sla_results, *missing)
        return [one for one in every if one.name not in known]


@dataclasses.dataclass(frozen=True)
class Report:
    """A whole task.

    :param created_at: creation time of the task, in Rally's form
    :param versions: versions of the programs and packages of the run
    :param made_with: versions of the packages that made the report, maybe
        much later
    :param environment: name of the Rally environment
    :param task: uuid of the task
    :param errors: a sentence for each task that Rally refused or that
        broke before its end
    """

    workloads: Sequence[Workload]
    created_at: str = ""
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    made_with: Mapping[str, str] = dataclasses.field(default_factory=dict)
    environment: str = ""
    task: str = ""
    errors: Sequence[str] = ()
