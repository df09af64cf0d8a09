"""Decide what to do with what a search found, and do it."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.reap import findings
from rally_magnum_scale.reap import runs as run_list
from rally_magnum_scale.task.recovery import run_markers

REMOVED = "removed"


class Action(enum.Enum):
    DELETE = "delete"
    # It may be in use.
    KEEP = "keep"
    # Only a person knows whether it is in use.
    CHOOSE = "choose"


@dataclasses.dataclass(frozen=True)
class Decision:
    """A finding, and what to do with it.

    :param age_s: None when no service shows its age
    :param task: the task of its run; empty when it is unknown
    :param outcome: :data:`REMOVED`, or why the removal failed; empty when
        none was tried
    """

    finding: findings.Finding
    state: run_markers.RunState
    age_s: float | None
    action: Action
    reason: str = ""
    task: str = ""
    outcome: str = ""

    @property
    def is_left(self) -> bool:
        """Whether it is a leftover that still exists."""
        return self.action is not Action.KEEP and self.outcome != REMOVED


@dataclasses.dataclass(frozen=True)
class DeletionRules:
    """The rules by which findings may be deleted.

    :param older_than_s: how long ago a run must have created its newest
        object, unless the run is known to have ended
    :param chosen: the only runs to look at; None for all
    :param complete: whether every service showed what it has; otherwise a
        run may have a newer object
    """

    runs: run_list.Runs
    older_than_s: float
    chosen: Collection[str] | None = None
    complete: bool = True

    def apply(
        self, found: Sequence[findings.Finding], now: datetime.datetime
    ) -> list[Decision]:
        """Decide about each finding, in the order of the removal.

        :param now: with a time zone
        """
        chosen = [
            (each, _age_s(each, now))
            for each in found
            if self.chosen is None or each.run in self.chosen
        ]
        newest_s: dict[str, float] = {}
        for each, age_s in chosen:
            if age_s is not None:
                newest_s[each.run] = min(age_s, newest_s.get(each.run, age_s))
        rows = [
            self._row(each, age_s, newest_s.get(each.run))
            for each, age_s in chosen
        ]
        return sorted(
            rows,
            key=lambda row: (
                findings.KINDS.index(row.finding.kind),
                row.finding.name,
            ),
        )

    def _row(
        self,
        finding: findings.Finding,
        age_s: float | None,
        newest_s: float | None,
    ) -> Decision:
        state, why = self.runs.state(finding.run)
        if state is run_markers.RunState.ALIVE:
            action, reason = Action.KEEP, why
        else:
            ended = state is run_markers.RunState.DEAD
            action, reason = self._decide(finding, newest_s, ended=ended)
        task = self.runs.task(finding.run)
        return Decision(finding, state, age_s, action, reason, task)

    def _decide(
        self,
        finding: findings.Finding,
        newest_s: float | None,
        *,
        ended: bool,
    ) -> tuple[Action, str]:
        """Decide about a finding whose run is not known to be alive."""
        if not ended and newest_s is not None and newest_s < self.older_than_s:
            return Action.KEEP, (
                "its run may be alive: it created something "
                f"{words(newest_s)} ago"
            )
        if self.chosen is not None:
            return Action.DELETE, ""
        if not ended and (newest_s is None or not self.complete):
            return Action.CHOOSE, (
                "the age of its run is unknown; if the run has ended, use "
                f"--run {finding.run}"
            )
        if finding.kept:
            return Action.CHOOSE, (
                f"keep_bay kept it; if nobody uses it, use --run {finding.run}"
            )
        return Action.DELETE, ""


def remove(
    rows: Iterable[Decision], log: Callable[[str], None]
) -> list[Decision]:
    """Remove what can be removed; a failure does not stop the others.

    An interruption ends the wait for a bay, which Magnum goes on deleting,
    and stops the rest.
    """
    handlers = interruption.install()
    try:
        return [
            dataclasses.replace(row, outcome=_remove(row, log))
            if row.action is Action.DELETE
            else row
            for row in rows
        ]
    finally:
        interruption.restore(handlers)


def _remove(row: Decision, log: Callable[[str], None]) -> str:
    what = f"{row.finding.kind} {row.finding.name}"
    try:
        interruption.check()
        log(f"removing the {what}")
        row.finding.remove()
    except exceptions.Interrupted:
        return "interrupted"
    except exceptions.ScaleError as error:
        log(f"could not remove the {what}: {error}")
        return str(error)
    return REMOVED


def words(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 72 else f"{hours // 24} d"


def _age_s(finding: findings.Finding, now: datetime.datetime) -> float | None:
    if finding.created_at is None:
        return None
    return max(0.0, (now - finding.created_at).total_seconds())
