"""Run all disruptions of one load, each at its planned time."""

from __future__ import annotations

import collections
import contextlib
import math
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import lost_nodes
from rally_magnum_scale.runs import disruption
from rally_magnum_scale.runs import fault_injectors
from rally_magnum_scale.runs import faults
from rally_magnum_scale.runs import probes
from rally_magnum_scale.runs import rolling_update
from rally_magnum_scale.workload import load_spec

# Resolution of the time at which a disruption begins.
_SLICE_S = 0.05
# Time for a thread to end after the load.  A request to OpenStack may hang
# until Rally's openstack_client_http_timeout of 180 s.
_JOIN_S = 200.0

AnyDisruption = (
    rolling_update.RollingUpdateDisruption | faults.NodeFaultDisruption
)


class DisruptionSchedule(probes.Probe):
    """The disruptions of one load, from their preparation to their records.

    :param cluster: the open Kubernetes API of the bay
    :param spec: the load, with its update and its faults
    :param injector: injects the faults; None where there are none
    :param log: callback for progress lines
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        cluster: client.KubeClient,
        spec: load_spec.LoadSpec,
        injector: fault_injectors.FaultInjector | None,
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._spec = spec
        self._log = log
        self._clock = clock
        self._context = disruption.DisruptionContext(cluster, spec, log, clock)
        self._updates = (
            [
                rolling_update.RollingUpdateDisruption(
                    self._context, spec.update
                )
            ]
            if spec.update
            else []
        )
        if spec.faults and injector is None:
            raise exceptions.InvalidInput(
                "faults: there is no fault injector for the nodes of this bay."
            )
        self._faults = [
            faults.NodeFaultDisruption(self._context, wanted, number, injector)
            for number, wanted in enumerate(spec.faults, 1)
            if injector is not None
        ]
        self._error: Exception | None = None
        self._injector = injector
        self._nodes_before: frozenset[str] = frozenset()
        self._started = threading.Event()
        self._load_over = threading.Event()
        # The first second of the plan by the workers' clock, and the workers'
        # clock minus ours.
        self._plan_second = 0.0
        self._offset_s = -math.inf

    @property
    def planned(self) -> Sequence[AnyDisruption]:
        """All disruptions of the load."""
        return [*self._updates, *self._faults]

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        """Follow targets and nodes, from before the load begins.

        :raises ScaleError: when the API does not list or watch them
        """
        if not self.planned:
            yield
            return
        with self._context.followed():
            yield

    @contextlib.contextmanager
    def observing(self, pods: probes.LoadPods) -> Iterator[None]:
        """Run the disruptions during the block and wait until all are over.

        If the block raises, stop the disruptions instead.  After the block,
        no further disruption begins.

        :raises WorkloadError: before the block, when there are too few nodes
            for the faults
        :raises ScaleError: before the block, when a fault can't be injected
            into a node; after it, the first error of a disruption
        """
        self._context.target_ip = pods.target_ip
        self._prepare_faults(pods)
        threads = [
            threading.Thread(target=self._run, args=(one,), daemon=True)
            for one in self.planned
        ]
        for thread in threads:
            thread.start()
        try:
            yield
            self._load_over.set()
            self._wait(threads)
        finally:
            self._context.stopped.set()
            for thread in threads:
                thread.join(_JOIN_S)
        self.refuse_error()

    def on_record(self, record: dict[str, Any]) -> None:
        """Start the plan's clock at the start of the load."""
        if record["record"] == "start":
            self.stamped(record["written_s"])
            self._plan_second = record["second"]
            self._started.set()

    def stamped(self, written_s: float) -> None:
        """Estimate the clock offset from the time stamp of a line just read.

        A line may be read late, so the largest offset is the most exact.

        :param written_s: epoch seconds, by the workers' clocks
        """
        self._offset_s = max(self._offset_s, written_s - self._clock())

    def refuse_error(self) -> None:
        """Raise the first error of a disruption, if there is one.

        :raises ScaleError: that error
        """
        if self._error is not None:
            raise self._error

    def revert(self) -> None:
        """Revert all faults; an interruption does not end this.

        :raises ScaleError: when a fault can't be reverted
        """
        failed: Exception | None = None
        back: set[str] = set()
        with interruption.deferred():
            for fault in self._faults:
                try:
                    fault.revert()
                except exceptions.ScaleError as error:
                    failed = failed or error
                back |= fault.reverted
            lost_nodes.forget_pods(
                self._context.cluster,
                self._spec.names.namespace,
                sorted(self._context.lost),
                self._log,
            )
        if failed is not None:
            raise failed
        if back and not interruption.requested():
            lost_nodes.wait_until_back(
                self._context.cluster,
                back,
                self._log,
                self._clock,
                self._nodes_before,
            )

    def records(
        self, source: records.Source, run: records.Run
    ) -> list[dict[str, Any]]:
        """Return the records of all disruptions and their events."""
        summary = run.throughput

        def conclude(one: AnyDisruption) -> dict[str, Any]:
            results = disruption.LoadResults(
                run.windows,
                run.end,
                self._offset_s,
                self._next_s(one),
                summary.cores_pods if summary else None,
                summary.cores_real_nodes if summary else None,
            )
            return one.conclude(results).to_json()

        return [
            *(
                source.envelope(
                    "event",
                    {
                        "second": round(at + self._offset_s, 3),
                        "kind": kind,
                        "detail": detail,
                    },
                )
                for at, kind, detail in sorted(self._context.happened)
            ),
            *(
                source.envelope("update", conclude(one))
                for one in self._updates
            ),
            *(source.envelope("fault", conclude(one)) for one in self._faults),
        ]

    def _prepare_faults(self, pods: probes.LoadPods) -> None:
        """Check before the load begins that there are nodes for the faults."""
        if not self._injector:
            return
        self._nodes_before = frozenset(node.name for node in pods.nodes)
        eligible = faults.EligibleNodes(pods.nodes, pods.generators)
        held = collections.Counter(map(faults.node_of, pods.targets))
        candidates = eligible.holding(held)
        for node in candidates:
            self._injector.check(node)
        for fault in self._faults:
            fault.prepare(eligible, candidates)

    def _next_s(self, one: AnyDisruption) -> float:
        """Return the epoch second at which the next disruption began."""
        later = [
            other.began_at + self._offset_s
            for other in self.planned
            if other.began_at is not None
            and one.began_at is not None
            and other.began_at > one.began_at
        ]
        return min(later, default=math.inf)

    def _run(self, one: AnyDisruption) -> None:
        try:
            self._wait_until(one.moment.seconds(self._spec.traffic.plan))
            one.act()
        except disruption.Stopped:
            done = "began" if one.began_at is None else "was over"
            one.note(reason=f"the load ended before the disruption {done}")
        except Exception as error:
            one.fail(error)
            self._error = self._error or error

    def _wait_until(self, moment_s: float) -> None:
        """Wait until a time of the plan.

        :raises Stopped: when the load ends earlier
        """
        stopped = self._context.stopped
        while not stopped.wait(_SLICE_S) and not self._load_over.is_set():
            if (
                self._started.is_set()
                and self._clock() + self._offset_s
                >= self._plan_second + moment_s
            ):
                return
        raise disruption.Stopped

    def _wait(self, threads: Sequence[threading.Thread]) -> None:
        """Wait for the disruptions that outlast the load."""
        waiting.wait_for(
            lambda: True if not any(t.is_alive() for t in threads) else None,
            what="the disruptions of the load to be over",
            deadline_s=self._spec.update_s + self._spec.recover_s + _JOIN_S,
            interval_s=disruption.POLL_INTERVAL_S,
            clock=self._clock,
        )
