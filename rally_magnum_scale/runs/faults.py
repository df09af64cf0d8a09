"""Nodes that are lost while the load runs."""

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
from typing import Protocol

from rally_magnum_scale import exceptions
from rally_magnum_scale.in_bay.stats import disturbances
from rally_magnum_scale.kube import following
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.measurement import wording
from rally_magnum_scale.runs import disruption
from rally_magnum_scale.runs.disruption_context import DisruptionContext
from rally_magnum_scale.runs.disruption_context import NodeState
from rally_magnum_scale.runs.disruption_context import Target
from rally_magnum_scale.workload import events


class FaultInjector(Protocol):
    """What can let nodes be lost, and mends what can be mended."""

    def check(self, node: node_list.Node) -> None:
        """Refuse a node that can't be lost.

        :raises ScaleError: with the reason
        """

    def fail(self, node: node_list.Node, how: str) -> None:
        """Let a node be lost; return when that is accepted.

        :param how: one of :data:`disturbances.HOWS`
        :raises ScaleError: when that can't be
        """

    def revert(self, node: node_list.Node, how: str) -> bool:
        """Undo that, as far as it can be undone.

        :returns: whether the node comes back
        :raises ScaleError: when that can't be
        """


class EligibleNodes:
    """The nodes of a bay that may be lost: those without a generator.

    :param nodes: of the bay
    :param generators: pods, as the API's objects
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
        """Return those that run targets, those with most of them first.

        :param held: name of a node to the targets on it
        """
        found = [n for n in self._nodes.values() if held.get(n.name)]
        return sorted(found, key=lambda n: (-held[n.name], n.name))

    def take(
        self, count: int, held: Mapping[str, int]
    ) -> list[node_list.Node]:
        """Take out the nodes that will be lost, which may be too few."""
        with self._lock:
            taken = self.holding(held)[:count]
            for each in taken:
                del self._nodes[each.name]
        return taken


class Fault(disruption.Disruption[disturbances.Fault]):
    """Lets nodes of the targets be lost, and waits for all to heal.

    :param context: of the load
    :param wanted: how, when, and how many
    :param number: which fault it is, from 1
    :param injector: does it
    """

    def __init__(
        self,
        context: DisruptionContext,
        wanted: events.NodeFault,
        number: int,
        injector: FaultInjector,
    ) -> None:
        super().__init__(
            context,
            wanted,
            disturbances.Fault(
                number=number,
                step=wanted.number(context.spec.plan),
                at_s=wanted.at_s,
                how=wanted.how,
            ),
        )
        self._wanted = wanted
        self._injector = injector
        self._eligible = EligibleNodes((), ())
        self._nodes: list[node_list.Node] = []
        self._broken: list[node_list.Node] = []
        # Names of the nodes that come back.
        self.reverted: set[str] = set()
        self._serving = 0
        self._noticed = following.Since(self._are_noticed)
        self._pods_ready = following.Since(self._are_served)

    def prepare(
        self, eligible: EligibleNodes, candidates: list[node_list.Node]
    ) -> None:
        """Make sure that there are nodes to lose, before the load begins.

        :param eligible: the nodes from which it will take
        :param candidates: those that run targets now; as many are taken out
            as will be lost
        :raises WorkloadError: when they are too few
        """
        self._refuse_too_few(candidates)
        del candidates[: self._wanted.nodes]
        self._eligible = eligible

    def _refuse_too_few(self, found: Sequence[node_list.Node]) -> None:
        count = self._wanted.nodes
        if len(found) < count:
            raise exceptions.WorkloadError(
                f"faults[{self.record.number - 1}]: {count} nodes are to be "
                f"lost, but only {len(found)} more run targets and "
                "neither the Locust master nor a worker; use more real nodes, "
                "or keep the components of the load apart by the "
                "node_selector of pods."
            )

    def _choose(self) -> None:
        """Take the nodes that run most targets now.

        :raises WorkloadError: when they are too few by now
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
        """Let the nodes be lost, and wait until the targets serve again.

        :raises ScaleError: when they can't be lost
        :raises DeadlineExceeded: when the targets do not come back
        """
        context, deadline_s = self.context, self.context.spec.recover_s
        self._choose()
        names = {node.name for node in self._nodes}
        context.lost |= names
        context.targets.have_looked_at(self._pods_ready)
        context.nodes.have_looked_at(self._noticed)
        done = disturbances.HOWS_IN_WORDS[self._wanted.how]
        self.begin("node_lost", f"{wording.few(sorted(names))} {done}")
        for node in self._nodes:
            context.refuse_stopped()
            self._broken.append(node)
            self._injector.fail(node, self._wanted.how)
        self._wait_noticed(deadline_s)
        pods_ready_at = context.wait(
            lambda: self._pods_ready.at,
            "the targets to be Ready on other nodes",
            max(1.0, deadline_s - self.since_began(context.clock())),
            lambda: f"{self._serving} of {context.spec.targets} serve there",
        )
        pods_ready_s = self.since_began(pods_ready_at)
        self.note(pods_ready_s=pods_ready_s)
        self.end(
            "pods_ready_again",
            f"{context.spec.targets} targets after {pods_ready_s:.1f} s",
            pods_ready_s,
        )

    def revert(self) -> None:
        """Undo what can be undone of it, on all its nodes.

        :raises ScaleError: the first that failed; the rest was tried
        """
        broken, self._broken = self._broken, []
        failed: exceptions.ScaleError | None = None
        for node in broken:
            self.context.report(f"mending the node {node.name}")
            try:
                if self._injector.revert(node, self._wanted.how):
                    self.reverted.add(node.name)
            except exceptions.ScaleError as error:
                self._broken.append(node)
                failed = failed or error
        if failed is not None:
            raise failed

    def conclude(self, load: disruption.Measured) -> disturbances.Fault:
        """Return the record, with what the load came to meanwhile."""
        record = super().conclude(load)
        began_s = record.began_s
        if began_s is None:
            return record
        timeout_s = self.context.spec.timeout_s
        requests_s, lost = disturbances.failing(
            load.windows, began_s, load.until_s, timeout_s
        )
        record = dataclasses.replace(
            record, requests_s=requests_s, requests_lost=lost
        )
        if requests_s is None and not record.reason:
            reason = _why_not_known(load.until_s, timeout_s)
            return dataclasses.replace(record, reason=reason)
        if record.recovery_s is None:
            return record
        return self.with_load(record, began_s + record.recovery_s, load)

    def _wait_noticed(self, deadline_s: float) -> None:
        noticed_at = self.context.wait(
            lambda: self._noticed.at,
            "Kubernetes to notice the loss of nodes",
            deadline_s,
        )
        noticed_s = self.since_began(noticed_at)
        self.note(noticed_s=noticed_s)
        self.tell(
            "node_noticed",
            f"Kubernetes noticed the loss after {noticed_s:.1f} s",
            noticed_s,
        )

    def _are_noticed(self, found: Collection[NodeState]) -> bool:
        ready = {one.name for one in found if one.ready}
        return ready.isdisjoint(node.name for node in self._nodes)

    def _are_served(self, found: Collection[Target]) -> bool:
        self._serving = sum(
            one.serves and one.node not in self.context.lost for one in found
        )
        return self._serving >= self.context.spec.targets


def node_of(pod: Mapping[str, Any]) -> str:
    """Return the name of the node that a pod is on."""
    return str(pod["spec"].get("nodeName", ""))


def _why_not_known(until_s: float, timeout_s: float) -> str:
    """Say why nobody knows until when requests failed."""
    if math.isinf(until_s):
        return (
            "requests still failed when the load ended: let the step last "
            "longer"
        )
    return (
        "the next event began before it was known which request was the last "
        f"to fail, as one that hangs fails after {timeout_s:g} s (timeout_s): "
        "let the events lie further apart"
    )
