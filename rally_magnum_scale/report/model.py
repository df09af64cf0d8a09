"""What a report is made from: the results of one task, free of Rally.

The exporter in ``task/`` fills these; the page and the table read them.
"""

from __future__ import annotations

import collections
import dataclasses
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
        """How long it took."""
        return self.finished_at - self.started_at


@dataclasses.dataclass(frozen=True)
class Iteration:
    """One iteration of a workload.

    :param number: from 1
    :param run: its records; an empty :class:`records.Run` without any
    :param error: as Rally keeps it: class, sentence, traceback; empty
        when the iteration went well
    :param started_at: epoch seconds
    :param raw: its records as they were written, a JSON object a line
    """

    number: int
    run: records.Run = dataclasses.field(default_factory=records.Run)
    error: Sequence[str] = ()
    actions: Sequence[AtomicAction] = ()
    started_at: float | None = None
    raw: str = ""

    @property
    def numbered_run(self) -> records.Run:
        """The run under this iteration's number, also when it is empty.

        It has the error of the iteration, so that none that failed holds.
        """
        return dataclasses.replace(
            self.run,
            iteration=self.number,
            error=records.say_error(self.error),
        )


@dataclasses.dataclass(frozen=True)
class ContextResult:
    """What Rally stored about one context of a workload.

    :param name: without its platform, such as ``bays``
    :param setup_s: how long it took to set up; None when it never began
    :param cleanup_s: how long it took to clean up; None likewise
    :param setup_error: class, sentence, traceback; empty when it went well
    :param cleanup_error: the same of the cleanup, which fails no task
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

    :param iterations: their numbers; empty where they don't matter
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
    """One scenario of the task with what came of it.

    :param args: the arguments of the scenario
    :param sla: the SLA section as it was configured
    :param sla_results: what Rally stored about each criterion
    :param runner: by :func:`conditions.say_runner`; empty when not known
    :param digest_of_contexts: by :func:`conditions.digest_contexts`;
        likewise
    :param iterations_told: by :func:`conditions.iterations_told`; None when
        not known
    :param ended: False where the task broke or was aborted, so that Rally
        may have stored a part of it
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
    iterations_told: int | None = None
    ended: bool = True

    @property
    def name(self) -> str:
        """The title, or the name of the scenario without one."""
        return self.title or self.scenario

    @property
    def failed_iterations(self) -> list[Iteration]:
        """The iterations that ended in an error."""
        return [one for one in self.iterations if one.error]

    @property
    def broken_context(self) -> ContextResult | None:
        """The context for want of which no iteration ran."""
        broken = (one for one in self.contexts if one.setup_error)
        return next(broken, None)

    def bays(self) -> list[SeenBay]:
        """Return each bay once, as its last record has it.

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
        """Say that not all iterations have a result; empty when all do."""
        return conditions.say_missing(
            len(self.iterations), self.iterations_told
        )

    def own_verdicts(self) -> list[verdicts.Verdict]:
        """Judge the criteria of ours over all iterations, by records alone."""
        runs = [one.numbered_run for one in self.iterations]
        return verdicts.judge_all(self.sla, runs, self.iterations_told)

    def verdicts(self) -> list[verdicts.Verdict]:
        """Return our verdicts, without those on which Rally differs holding.

        The same goes for a criterion of which Rally stored no result.
        """
        disputed = self._disputed()
        return [
            dataclasses.replace(
                one, reason=one.reason or disputed.get(one.criterion, "")
            )
            for one in self.own_verdicts()
        ]

    def _disputed(self) -> dict[str, str]:
        """Say of criteria that hold by the records why they do not."""
        failing = {v.criterion for v in self.own_verdicts() if not v.passed}
        failed = {
            one.name: f"Rally stored {one.name} as failed"
            for one in self.sla_results
            if not one.success and one.name not in failing
        }
        missing = {
            name: f"Rally stored no result of {name}"
            for name in self._without_result()
        }
        return failed | missing

    def _without_result(self) -> list[str]:
        """Return the criteria that were asked for and have no result.

        Where the task or a context broke, that is why.
        """
        if self.broken_context or not self.ended:
            return []
        asked = collections.Counter(map(criteria.normalise, self.sla))
        stored = collections.Counter(one.name for one in self.sla_results)
        return sorted(asked - stored)

    def other_results(self) -> list[SlaResult]:
        """Return what Rally stored about criteria that are not ours.

        One of which it stored nothing has failed.
        """
        known = set(verdicts.CRITERIA)
        if self.broken_context:
            # Rally's word for a context that failed: told by itself.
            known.add("something_went_wrong")
        missing = [
            SlaResult(name, success=False, detail="Rally stored no result")
            for name in self._without_result()
        ]
        every = [*self.sla_results, *missing]
        return [one for one in every if one.name not in known]


@dataclasses.dataclass(frozen=True)
class Report:
    """A whole task.

    :param created_at: when the task was created, as Rally writes it
    :param versions: the name of a program or package that ran to its
        version
    :param made_with: likewise, of those by which the report was made:
        maybe much later, by another release
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
