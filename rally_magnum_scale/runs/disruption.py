"""Base class for disruptions of a load, and the state that they share."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Generic
from typing import TypeVar

from rally_magnum_scale import interruption
from rally_magnum_scale import waiting
from rally_magnum_scale.bays import magnum_errors
from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import step_summary
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import following
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.kube import pods as pod_list
from rally_magnum_scale.measurement import staleness
from rally_magnum_scale.workload import events
from rally_magnum_scale.workload import load_spec

T = TypeVar("T")
R = TypeVar("R", bound=disruption_records.DisruptionRecord)

# A poll reads local state only, so a short interval costs nothing.
POLL_INTERVAL_S = 0.1

# If a watch reports the end of a disruption late, requests after the end
# dilute the failures during it.  This share of its duration is tolerated.
MOST_LATE_RATIO = 0.1


class Stopped(Exception):
    """The load has ended, so its disruptions must stop."""


@dataclasses.dataclass(frozen=True)
class Target:
    """A target pod in its current state.

    :param serves: whether the pod is Ready and not being deleted
    :param item: the API's object
    """

    node: str
    version: str
    serves: bool
    item: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class NodeState:
    """A node of the bay in its current state."""

    name: str
    ready: bool


class DisruptionContext:
    """The bay as the disruptions of one load see it, and their events.

    :param cluster: the open Kubernetes API of the bay
    :param spec: the load
    :param log: callback for progress lines
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        cluster: client.KubeClient,
        spec: load_spec.LoadSpec,
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.spec = spec
        self.clock = clock
        self.log = log
        self.stopped = threading.Event()
        # ClusterIP of the targets' Service.
        self.target_ip = ""
        # Names of the nodes that were lost so far.
        self.lost: set[str] = set()
        # Monotonic seconds, kind and detail of each event.
        self.happened: list[tuple[float, str, str]] = []
        self.targets = following.Seen(
            "targets",
            cluster.core.list_namespaced_pod,
            spec.names.namespace,
            read=_target,
            clock=clock,
            label_selector=spec.selector("target"),
        )
        self.nodes = following.Seen(
            "nodes", cluster.core.list_node, read=_node, clock=clock
        )

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        """Follow targets and nodes; enter once the existing ones are known.

        :raises DeadlineExceeded: when the API does not list them in time
        :raises KubernetesError: when it refuses
        """
        with self.targets.following(), self.nodes.following():
            self.targets.wait_listed()
            self.nodes.wait_listed()
            yield

    def note(self, at: float, kind: str, detail: str) -> None:
        """Record and report an event.

        :param at: monotonic seconds
        """
        self.happened.append((at, kind, detail))
        self.log(f"{kind}: {detail}")

    def refuse_stopped(self) -> None:
        """Raise if the load has ended.

        :raises Stopped: when the load has ended
        """
        if self.stopped.is_set():
            raise Stopped

    def wait(
        self,
        poll: Callable[[], T | None],
        what: str,
        deadline_s: float,
        progress: Callable[[], str] = lambda: "",
    ) -> T:
        """Poll as :func:`waiting.wait_for` does, while the load runs.

        :raises Stopped: when the load ends early
        :raises DeadlineExceeded: when the deadline is exceeded
        :raises KubernetesError: when the bay can't be followed any more
        """

        def poll_checked() -> T | None:
            self.refuse_stopped()
            self.targets.refuse_error()
            self.nodes.refuse_error()
            return poll()

        return waiting.wait_for(
            poll_checked,
            what=what,
            deadline_s=deadline_s,
            interval_s=POLL_INTERVAL_S,
            progress=progress,
            log=self.log,
            clock=self.clock,
            sleep=interruption.sleep,
        )

    def refuse_hopeless(self, found: Sequence[Target]) -> None:
        """Raise when a target can't start.

        :raises WorkloadError: with the reason
        """
        for target in found:
            if not target.serves:
                pod_list.refuse_hopeless(target.item, "nginx targets")


@dataclasses.dataclass(frozen=True)
class LoadResults:
    """The results of a load.

    :param end: the load's last record; None when it was never read
    :param offset_s: the workers' clock minus our monotonic clock
    :param until_s: epoch second of the next disruption, or infinity
    :param cores_pods: as in :class:`records.Throughput`
    :param cores_real_nodes: as in :class:`records.Throughput`
    """

    windows: Sequence[windows.Window]
    end: records.End | None
    offset_s: float
    until_s: float
    cores_pods: float | None
    cores_real_nodes: float | None


class Disruption(Generic[R]):
    """A disruption of a load, which runs in a thread of its own.

    :param context: the state that all disruptions of the load share
    :param moment: when the disruption begins
    :param record: the disruption's record, as far as it is known
    """

    def __init__(
        self, context: DisruptionContext, moment: events.Moment, record: R
    ) -> None:
        self.context = context
        self.moment = moment
        self.record = record
        # Monotonic seconds.
        self.began_at: float | None = None
        self._begun_within_s = 0.0
        self._ended_at: float | None = None
        self._end_resolution_s: float | None = None

    def act(self) -> None:
        """Cause the disruption, and wait until it is over."""
        raise NotImplementedError

    def conclude(self, load: LoadResults) -> R:
        """Return the record with the load's results meanwhile."""
        record = self.record
        if self.began_at is None:
            return record
        record = dataclasses.replace(
            record, began_s=self.began_at + load.offset_s
        )
        if self._ended_at is None:
            return record
        return self.with_load(
            record,
            self._ended_at + load.offset_s,
            load,
            self._end_resolution_s,
        )

    def with_load(
        self,
        record: R,
        ended_s: float,
        load: LoadResults,
        resolution_s: float | None,
    ) -> R:
        """Add the load's results during the disruption to a record.

        :param ended_s: end of the disruption in epoch seconds, by the
            workers' clocks
        :param resolution_s: resolution of the time until then
        """
        plan = self.context.spec.traffic.plan
        began_s = record.began_s or ended_s
        found = step_summary.during(
            began_s,
            ended_s,
            (record.step, plan.steps[record.step - 1]),
            load.windows,
            load.end,
            timeout_s=self.context.spec.traffic.timeout_s,
            cores_pods=load.cores_pods,
            cores_real_nodes=load.cores_real_nodes,
        )
        late_s = (resolution_s or 0.0) - self._begun_within_s
        most_s = max(windows.WINDOW_S, MOST_LATE_RATIO * (ended_s - began_s))
        if late_s > most_s:
            why = (
                f"the watch may have reported the end {late_s:.1f} s late, so "
                "later requests are counted"
            )
            found = dataclasses.replace(found, reasons=[*found.reasons, why])
        return dataclasses.replace(record, ended_s=ended_s, load=found)

    def begin(self, kind: str, detail: str) -> None:
        """Note that the disruption begins now."""
        self.began_at = self.context.clock()
        self.context.note(self.began_at, kind, detail)

    def accepted(self) -> None:
        """Note that the requests that cause the disruption are accepted."""
        self._begun_within_s = self.since_began(self.context.clock())
        self.note(begun_within_s=self._begun_within_s)

    def note_event(self, kind: str, detail: str, after_s: float) -> float:
        """Note an event of the disruption.

        :param after_s: seconds since the disruption began
        :returns: the time of the event in monotonic seconds
        """
        at = (self.began_at or 0.0) + after_s
        self.context.note(at, kind, detail)
        return at

    def end(self, kind: str, detail: str, time: str) -> None:
        """Note that the disruption is over, as :meth:`note_event` does.

        :param time: time of the record that ends it, such as ``all_new_s``
        """
        self._ended_at = self.note_event(
            kind, detail, getattr(self.record, time)
        )
        self._end_resolution_s = self.record.resolution_s(time)

    def note(self, **fields: Any) -> None:
        """Set fields of the record."""
        self.record = dataclasses.replace(self.record, **fields)

    def fail(self, error: Exception) -> None:
        """Record the error that ended the disruption."""
        self.note(
            failure=magnum_errors.failure_class(error), reason=str(error)
        )

    def since_began(self, at: float) -> float:
        """Return the seconds from the disruption's beginning to a time.

        :param at: monotonic seconds
        """
        return max(0.0, at - (self.began_at or 0.0))

    def note_time(self, name: str, observed: staleness.ObservedTime) -> float:
        """Record a time of the disruption with its resolution.

        :param name: field of the record, such as ``noticed_s``
        :param observed: when the watch reported its end
        :returns: the time in seconds
        """
        time_s = self.since_began(observed.at)
        exact_s = observed.resolution_s(
            self.began_at or 0.0, self._begun_within_s
        )
        self.note(**{name: time_s, f"{name[:-2]}_resolution_s": exact_s})
        return time_s


def _target(item: Mapping[str, Any]) -> Target:
    metadata = item["metadata"]
    return Target(
        node=item["spec"].get("nodeName", ""),
        version=metadata.get("labels", {}).get(events.LABEL_VERSION, ""),
        serves=pod_list.is_ready(item)
        and not metadata.get("deletionTimestamp"),
        item=item,
    )


def _node(item: Mapping[str, Any]) -> NodeState:
    return NodeState(item["metadata"]["name"], node_list.is_ready(item))
