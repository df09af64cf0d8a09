"""Drive a search in the bay: previous steps determine the next step.

The master runs the steps one after the other with the same workers, so that
only seconds pass between two steps, and no new pods are needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.windows import Window


class SearchDriver:
    """The steps of a search so far.

    :param search: settings of the search
    :param workers: number of workers
    """

    def __init__(self, search: trials.Search, workers: int) -> None:
        self._search = search
        self._workers = workers
        self._done: list[records.Trial] = []
        self._next: records.Trial | None = None

    def next_trial(self) -> records.Trial | None:
        """Return the step to run now, or None if the search is over."""
        self._next = rate_search.next_trial(self._search, self._done)
        return self._next

    @property
    def plan(self) -> Plan:
        """The plan of the current step, which has the number 1 in it.

        :raises RuntimeError: when there is no step
        """
        return Plan((trials.plan(self._ordered),))

    def take(
        self, seen: Sequence[Window], due: list[int | None]
    ) -> records.Trial:
        """Judge the current step by its windows.

        :param seen: all windows, with the step numbers of the plan
        :param due: number of requests that were due in the step
        :raises RuntimeError: when there is no step
        """
        whole = records.End(
            windows=len(seen),
            requests=sum(one.requests for one in seen),
            failures={},
            due=due,
            workers_expected=self._workers,
            workers_connected=self._workers,
        )
        (result,) = step_summary.summarise(
            self.plan, seen, whole, cores_pods=None, cores_real_nodes=None
        )
        judged = trials.judge(self._search, self._ordered, result)
        self._done.append(judged)
        return judged

    @property
    def _ordered(self) -> records.Trial:
        if self._next is None:
            raise RuntimeError("The search has no step to run.")
        return self._next
