"""Looks at the nodes' CPU counters while a load runs, beside it."""

from __future__ import annotations

import contextlib
import heapq
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from rally_magnum_scale.in_bay.stats import cpu_time
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import cpu

# Kubelets read their counters every 10 to 20 s: what they tell so long
# after the beginning of a step was read in it.
_FRESH_S = 20.0
# The clock is looked at this often.
SLICE_S = 0.2
# Nodes that have told nothing so often are not asked again.
_MAX_IN_VAIN = 2


class CpuWatch:
    """Asks each node a few times a step, and never disturbs the run.

    :param cluster: the open Kubernetes API of the bay
    :param namespace: of the load
    :param targets: names of the targets' pods
    :param nodes: names of all nodes that pods of the load run on
    :param deadline_s: seconds after which a look is over
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        cluster: client.KubeClient,
        namespace: str,
        targets: Iterable[str],
        nodes: Iterable[str],
        *,
        deadline_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._deadline_s = deadline_s
        self._clock = clock
        self._targets: dict[str, list[cpu_time.Reading]] = {
            name: [] for name in targets
        }
        self._nodes: dict[str, list[cpu_time.Reading]] = {
            name: [] for name in nodes
        }
        self._missing = ""
        self._in_vain = 0
        # The workers' clock minus ours.
        self._offset_s: float | None = None
        self._moments: list[float] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look, in a thread, at the moments that are expected."""
        thread = threading.Thread(target=self._run, name="cpu", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()
        # A load that is over has its last moment behind it.
        self.look_if_due()

    def began(self, start: dict[str, Any]) -> None:
        """Take the record of a load's start: now its steps have times.

        :param start: the record ``start``
        """
        self._offset_s = start["written_s"] - self._clock()
        plan = steps.Plan.from_json(start["steps"])
        for number, step in enumerate(plan.steps):
            steady_s = start["second"] + plan.start_s(number) + step.ramp_s
            self.expect(steady_s, steady_s + step.duration_s)

    def expect(self, start_s: float, end_s: float) -> None:
        """Look in a stretch of time.

        :param start_s: epoch seconds, by the workers' clock
        :param end_s: epoch seconds
        """
        length_s = end_s - start_s
        soon_s, later_s = (
            start_s + min(_FRESH_S, length_s * share) for share in (0.25, 0.5)
        )
        with self._lock:
            for moment in (start_s, soon_s, later_s, end_s):
                if moment not in self._moments:
                    heapq.heappush(self._moments, moment)

    @property
    def counters(self) -> cpu_time.Counters:
        """What was seen so far."""
        return cpu_time.Counters(self._targets, self._nodes, self._missing)

    def look_if_due(self) -> bool:
        """Look once if a moment has come; after a stall once is enough.

        :returns: whether one had come
        """
        was_due = False
        with self._lock:
            while self._moments and self._is_due(self._moments[0]):
                heapq.heappop(self._moments)
                was_due = True
        if was_due and self._in_vain < _MAX_IN_VAIN:
            self._look()
        return was_due

    def _run(self) -> None:
        while not self._stopped.wait(SLICE_S):
            self.look_if_due()

    def _is_due(self, moment_s: float) -> bool:
        if self._offset_s is None:
            return False
        return self._clock() + self._offset_s >= moment_s

    def _look(self) -> None:
        found = cpu.look(
            self._cluster,
            self._namespace,
            self._nodes,
            deadline_s=self._deadline_s,
        )
        for told, kept in (
            (found.pods, self._targets),
            (found.nodes, self._nodes),
        ):
            for name, reading in told.items():
                if name in kept:
                    kept[name].append(reading)
        self._in_vain = 0 if found.nodes else self._in_vain + 1
        if found.failures:
            self._missing = next(iter(found.failures.values()))
