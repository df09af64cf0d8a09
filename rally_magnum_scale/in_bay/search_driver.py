"""A search in the bay: each step is decided by those before it.

The master conducts the steps one after the other with workers that stay
connected, so that from one to the next there are seconds and no pods.
"""

from __future__ import annotations

from collections.abc import Sequence

from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import throughput
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.windows import Window


class SearchDriver:
    """The steps of a search so far.

    :param wanted: what is searched for
    :param workers: how many there are
    """

    def __init__(self, wanted: trials.Search, workers: int) -> None:
        self._wanted = wanted
        self._workers = workers
        self._done: list[records.Trial] = []
        self._next: records.Trial | None = None

    def next_trial(self) -> records.Trial | None:
        """Return the step to run now, None when the search is over."""
        self._next = rate_search.next_trial(self._wanted, self._done)
        return self._next

    @property
    def plan(self) -> Plan:
        """The plan of that step, which is numbered 1 in it.

        :raises RuntimeError: when there is none
        """
        return Plan((trials.plan(self._ordered),))

    def take(
        self, seen: Sequence[Window], due: list[int | None]
    ) -> records.Trial:
        """Judge that step by its windows.

        :param seen: all of them, as the plan numbers them
        :param due: how many requests were due in the step
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
        (result,) = throughput.summarise(
            self.plan, seen, whole, cores_pods=None, cores_real_nodes=None
        )
        judged = trials.judge(self._wanted, self._ordered, result)
        self._done.append(judged)
        return judged

    @property
    def _ordered(self) -> records.Trial:
        if self._next is None:
            raise RuntimeError("The search has no step to run.")
        return self._next
