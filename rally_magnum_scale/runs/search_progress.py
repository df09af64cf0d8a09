"""Follow a rate search that the Locust master conducts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.in_bay.stats import windows

# Each step has a line before and after it; a long step has more in between.
EVERY_S = 15


class SearchProgress:
    """The steps of a search so far.

    :param wanted: the search
    """

    def __init__(self, wanted: trials.Search) -> None:
        self._wanted = wanted
        self._by_step: dict[int, records.Trial] = {}
        self._pending: list[windows.Window] = []

    def take(self, record: dict[str, Any]) -> str | None:
        """Keep the record of a step; return a progress line if it is new.

        :raises ValueError: when a field is missing
        """
        trial = records.Trial.from_json(record)
        known = self._by_step.get(trial.step)
        if known and (known.ended or not trial.ended):
            return None
        self._by_step[trial.step] = trial
        self._pending = []
        return trials.describe(trial)

    def line(self, window: windows.Window) -> str | None:
        """Take a window; return a progress line within long steps."""
        if window.phase != steps.STEADY:
            return None
        self._pending.append(window)
        if len(self._pending) < EVERY_S:
            return None
        requests = sum(one.requests for one in self._pending)
        failed = sum(one.failed for one in self._pending)
        rate_rps = requests / len(self._pending)
        self._pending = []
        return (
            f"step {window.step}: {rate_rps:,.0f} rps achieved, "
            f"{failed} errors, {window.workers} workers"
        )

    @property
    def done(self) -> list[records.Trial]:
        """All steps, in order."""
        return [trial for _, trial in sorted(self._by_step.items())]

    @property
    def plan(self) -> steps.Plan | None:
        """The steps that were run; None when there was no step."""
        found = tuple(trials.plan(one) for one in self.done)
        return steps.Plan(found) if found else None

    def conclude(
        self, results: Sequence[records.StepResult]
    ) -> records.MaxRate:
        """Return the result of the search.

        :param results: the results of all steps
        """
        return rate_search.conclude(self._wanted, self.done, results)
