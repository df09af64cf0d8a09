"""Node faults that are injected while the load runs."""

from __future__ import annotations

import collections
import dataclasses
import math
import threading
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.kube import following
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.measurement import wording
from rally_magnum_scale.runs import disruption
from rally_magnum_scale.runs import fault_injectors
from rally_magnum_scale.workload import events


class EligibleNodes:
    """The nodes of a bay that faults may hit: those without a generator.

    :param nodes: of the bay
    :param generators: generator pods, as the API's objects
    """

    def __init__(
        self,
        nodes: Sequence[node_list.Node],
        generators: Iterable[Mapping[str, Any]],
    ) -> None:
        taken = set(map(node_of, generators))
        self._nodes = {n.name: n for n in nodes if n.name not in taken}
        self._lock = threading.Lock()

    def holding(self, held: Mapping[str, int]) -> list[node_list.Node]:
        """Return the eligible nodes that run targets, most targets first.

        :param held: number of targets by name of the node
        """
        found = [n for n in self._nodes.values() if held.get(n.name)]
        return sorted(found, key=lambda n: (-held[n.name], n.name))

    def take(
        self, count: int, held: Mapping[str, int]
    ) -> list[node_list.Node]:
        """Reserve nodes for a fault.

        :param count: wanted number of nodes
        :param held: number of targets by name of the node
        :returns: the nodes, which may be fewer than wanted
        """
        with self._lock:
            taken = self.holding(held)[:count]
            for node in taken:
                del self._nodes[node.name]
        return taken


class NodeFaultDisruption(disruption.Disruption[disruption_records.Fault]):
    """Injects a fault into nodes of targets, and waits for the recovery.

    :param context: the state that all disruptions of the load share
    :param wanted: the fault: how, when, and on how many nodes
    :param number: number of the fault, from 1
    :param injector: injects and reverts the fault
    """

    def __init__(
        self,
        context: disruption.DisruptionContext,
        wanted: events.NodeFault,
        number: int,
        injector: fault_injectors.FaultInjector,
    ) -> None:
        super().__init__(
            context,
            wanted,
            disruption_records.Fault(
                number=number,
                step=wanted.number(context.spec.traffic.plan),
                at_s=wanted.at_s,
                how=wanted.how,
            ),
        )
        self._wanted = wanted
        self._injector = injector
        self._eligible = EligibleNodes((), ())
        self._nodes: list[node_list.Node] = []
        self._broken: list[node_list.Node] = []
        # Names of the nodes that come back after a revert, or that new ones
        # replace.
        self.reverted: set[str] = set()
        self._serving = 0
        self._noticed = following.Since(self._are_noticed)
        self._pods_ready = following.Since(self._are_served)

    def prepare(
        self, eligible: EligibleNodes, candidates: list[node_list.Node]
    ) -> None:
        """Check before the load begins that there are enough nodes.

        :param eligible: the nodes from which the fault will choose
        :param candidates: the eligible nodes that run targets now; as many
            as the fault needs are removed from the list
        :raises WorkloadError: when there are too few nodes
        """
        self._refuse_too_few(candidates)
        del candidates[: self._wanted.nodes]
        self._eligible = eligible

    def _refuse_too_few(self, found: Sequence[node_list.Node]) -> None:
        count = self._wanted.nodes
        if len(found) < count:
            raise exceptions.WorkloadError(
                f"faults[{self.record.number - 1}]: the fault needs {count} "
                f"nodes, but only {len(found)} more run targets and "
                "neither the Locust master nor a worker; use more real nodes, "
                "or separate the components of the load with the "
                "node_selector of pods."
            )

    def _choose(self) -> None:
        """Reserve the nodes that run the most targets now.

        :raises WorkloadError: when there are too few nodes by now
        """
        held = collections.Counter(
            one.node for one in self.context.targets.seen() if one.serves
        )
        self._nodes = self._eligible.take(self._wanted.nodes, held)
        self._refuse_too_few(self._nodes)
        self.note(
            nodes=sorted(node.name for node in self._nodes),
            targets_lost=sum(held[node.name] for node in self._nodes),
        )

    def act(self) -> None:
        """Inject the fault, and wait until all targets are Ready again.

        :raises ScaleError: when the fault can't be injected
        :raises DeadlineExceeded: when the targets are not Ready in time
        """
        context, deadline_s = self.context, self.context.spec.recover_s
        self._choose()
        names = {node.name for node in self._nodes}
        context.lost |= names
        context.targets.subscribe(self._pods_ready)
        context.nodes.subscribe(self._noticed)
        done = disruption_records.HOWS_IN_WORDS[self._wanted.how]
        self.begin("node_lost", f"{wording.few(sorted(names))} {done}")
        for node in self._nodes:
            context.refuse_stopped()
            self._broken.append(node)
            self._injector.fail(node, self._wanted.how)
        self.accepted()
        self._wait_noticed(deadline_s)
        pods_ready = context.wait(
            lambda: self._pods_ready.observed,
            "the targets to be Ready on other nodes",
            max(1.0, deadline_s - self.since_began(context.clock())),
            lambda: f"{self._serving} of {context.spec.targets} Ready",
        )
        pods_ready_s = self.note_time("pods_ready_s", pods_ready)
        self.end(
            "pods_ready_again",
            f"{context.spec.targets} targets after {pods_ready_s:.1f} s",
            "pods_ready_s",
        )

    def revert(self) -> None:
        """Revert the fault on all its nodes, as far as possible.

        :raises ScaleError: the first error, after all nodes were tried
        """
        broken, self._broken = self._broken, []
        failed: exceptions.ScaleError | None = None
        for node in broken:
            self.context.log(f"reverting the fault of node {node.name}")
            try:
                if self._injector.revert(node, self._wanted.how):
                    self.reverted.add(node.name)
            except exceptions.ScaleError as error:
                self._broken.append(node)
                failed = failed or error
        if failed is not None:
            raise failed

    def conclude(
        self, load: disruption.LoadResults
    ) -> disruption_records.Fault:
        """Return the record with the load's results meanwhile."""
        record = super().conclude(load)
        began_s = record.began_s
        if began_s is None:
            return record
        timeout_s = self.context.spec.traffic.timeout_s
        requests_s, lost = disruption_records.failing(
            load.windows, began_s, load.until_s, timeout_s
        )
        record = dataclasses.replace(
            record, requests_s=requests_s, requests_lost=lost
        )
        if requests_s is None and not record.reason:
            reason = _why_recovery_unknown(load.until_s, timeout_s)
            return dataclasses.replace(record, reason=reason)
        if record.recovery_s is None:
            return record
        return self.with_load(
            record,
            began_s + record.recovery_s,
            load,
            record.resolution_s("recovery_s"),
        )

    def _wait_noticed(self, deadline_s: float) -> None:
        noticed = self.context.wait(
            lambda: self._noticed.observed,
            "Kubernetes to notice the loss of the nodes",
            deadline_s,
        )
        noticed_s = self.note_time("noticed_s", noticed)
        self.note_event(
            "node_noticed",
            f"Kubernetes noticed the loss after {noticed_s:.1f} s",
            noticed_s,
        )

    def _are_noticed(self, found: Collection[disruption.NodeState]) -> bool:
        ready = {one.name for one in found if one.ready}
        return ready.isdisjoint(node.name for node in self._nodes)

    def _are_served(self, found: Collection[disruption.Target]) -> bool:
        self._serving = sum(
            one.serves and one.node not in self.context.lost for one in found
        )
        return self._serving >= self.context.spec.targets


def node_of(pod: Mapping[str, Any]) -> str:
    """Return the name of the node that a pod is on."""
    return str(pod["spec"].get("nodeName", ""))


def _why_recovery_unknown(until_s: float, timeout_s: float) -> str:
    """Return why the time of the last failed request is unknown."""
    if math.isinf(until_s):
        return (
            "requests still failed when the load ended: use a longer step, so "
            "that the recovery time can be determined"
        )
    return (
        "the next event began before the last failed request was known, and a "
        f"request that hangs fails only after {timeout_s:g} s (timeout_s): "
        "space events further apart, so that the recovery time can be "
        "determined"
    )
