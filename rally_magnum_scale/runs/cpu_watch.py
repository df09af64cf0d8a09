"""Read the nodes' CPU counters in a thread while a load runs."""

from __future__ import annotations

import contextlib
import heapq
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from rally_magnum_scale.in_bay.stats import cpu_time
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import component_metrics
from rally_magnum_scale.runs import probes

# Kubelets update their counters every 10 to 20 s.  After this time in a step,
# a counter has been updated within the step.
_FRESH_S = 20.0
# Interval at which the thread checks the clock.
SLICE_S = 0.2
# After so many reads in a row without a response, reading stops.
_MAX_FAILED_READS = 2


class CpuWatch(probes.Probe):
    """Reads each node's counters a few times per step.

    Failures are recorded, never raised.

    :param cluster: the open Kubernetes API of the bay
    :param namespace: of the load
    :param deadline_s: seconds after which one read of all nodes ends
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        cluster: client.KubeClient,
        namespace: str,
        *,
        deadline_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._deadline_s = deadline_s
        self._clock = clock
        self._targets: dict[str, list[cpu_time.Reading]] = {}
        self._nodes: dict[str, list[cpu_time.Reading]] = {}
        self._missing = ""
        self._failed_reads = 0
        # The workers' clock minus ours.
        self._offset_s: float | None = None
        self._moments: list[float] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    @contextlib.contextmanager
    def observing(self, pods: probes.LoadPods) -> Iterator[None]:
        """Read the counters at the planned moments, in a thread."""
        self._targets = {name: [] for name in probes.pod_names(pods.targets)}
        self._nodes = {name: [] for name in pods.node_names}
        thread = threading.Thread(target=self._run, name="cpu", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            thread.join()
        # The last moment has come when the load is over.
        self.read_if_due()

    def on_record(self, record: dict[str, Any]) -> None:
        """Plan the reads of all steps of a start, which a search repeats."""
        if record["record"] != "start":
            return
        self._offset_s = record["written_s"] - self._clock()
        plan = steps.Plan.from_json(record["steps"])
        for number, step in enumerate(plan.steps):
            steady_s = record["second"] + plan.start_s(number) + step.ramp_s
            self._plan_reads(steady_s, steady_s + step.duration_s)

    @property
    def counters(self) -> cpu_time.CpuCounters:
        """All readings so far."""
        return cpu_time.CpuCounters(self._targets, self._nodes, self._missing)

    def read_if_due(self) -> bool:
        """Read the counters once if at least one moment has come.

        :returns: whether a moment had come
        """
        was_due = False
        with self._lock:
            while self._moments and self._is_due(self._moments[0]):
                heapq.heappop(self._moments)
                was_due = True
        if was_due and self._failed_reads < _MAX_FAILED_READS:
            self._read()
        return was_due

    def _plan_reads(self, start_s: float, end_s: float) -> None:
        """Plan the reads of one steady phase.

        :param start_s: epoch seconds, by the workers' clock
        :param end_s: epoch seconds, by the workers' clock
        """
        length_s = end_s - start_s
        soon_s, later_s = (
            start_s + min(_FRESH_S, length_s * share) for share in (0.25, 0.5)
        )
        with self._lock:
            for moment in (start_s, soon_s, later_s, end_s):
                if moment not in self._moments:
                    heapq.heappush(self._moments, moment)

    def _run(self) -> None:
        while not self._stopped.wait(SLICE_S):
            self.read_if_due()

    def _is_due(self, moment_s: float) -> bool:
        if self._offset_s is None:
            return False
        return self._clock() + self._offset_s >= moment_s

    def _read(self) -> None:
        found = component_metrics.read_cpu_usage(
            self._cluster,
            self._namespace,
            self._nodes,
            deadline_s=self._deadline_s,
        )
        for readings, kept in (
            (found.pods, self._targets),
            (found.nodes, self._nodes),
        ):
            for name, reading in readings.items():
                if name in kept:
                    kept[name].append(reading)
        self._failed_reads = 0 if found.nodes else self._failed_reads + 1
        if found.failures:
            self._missing = next(iter(found.failures.values()))
