"""One change of a bay's nodes, and the record of it."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting
from rally_magnum_scale.bays import deadlines as limits
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import resizing
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import draining
from rally_magnum_scale.kube import node_changes
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.measurement import node_changes as identities
from rally_magnum_scale.measurement import node_times
from rally_magnum_scale.runs import memory

# A node whose machine is gone is Ready for 50 s yet, by the default of
# Kubernetes' node controller (node-monitor-grace-period): who is Ready for
# longer after Magnum's UPDATE_COMPLETE was never to go.
IGNORED_AFTER_S = 90.0

# A look at what the follower has seen costs nothing.
_LOOK_S = 0.1


@dataclasses.dataclass(frozen=True)
class NodeChangeSpec:
    """What is to become of the nodes of a bay.

    :param nodes: how many the bay, or its node group, is to have in the end
    :param purpose: ``resize`` or ``replace``, for the record
    :param to_go: nodes that must go
    :param drain: empty these first
    :param nodegroup: name or id of the node group; None for that of the
        default workers, and then ``nodes`` are those of the whole bay
    """

    nodes: int
    purpose: str = bay_records.RESIZE
    to_go: Sequence[node_list.Node] = ()
    drain: bool = False
    nodegroup: str | None = None


def replacements(
    nodes: Sequence[node_list.Node],
    number: int,
    *,
    batch: int | None = None,
    drain: bool = True,
) -> list[NodeChangeSpec]:
    """Share out the nodes that are to be replaced.

    :param nodes: of the bay
    :param number: how many, spread evenly over the list by name
    :param batch: how many at once; None for all
    :param drain: empty them first
    :returns: a wish for each batch
    """
    listed = sorted(nodes, key=lambda node: node.name)
    chosen = [
        listed[(2 * place + 1) * len(listed) // (2 * number)]
        for place in range(number)
    ]
    size = batch or number
    return [
        NodeChangeSpec(
            len(nodes),
            bay_records.REPLACE,
            chosen[start : start + size],
            drain=drain,
        )
        for start in range(0, number, size)
    ]


class NodeChange:
    """Brings a bay to another size, or replaces nodes of it.

    :param bays: the bays of the project
    :param opened: the Kubernetes API of the bay
    :param follower: sees the nodes of the bay
    :param uuid: of the bay
    :param wish: what is to become of its nodes
    :param number: which change it is in its iteration, from 1
    :param report: gets lines of progress
    :param deadlines: how long each part may take
    :param clock: monotonic seconds, the same as the follower's
    """

    def __init__(
        self,
        bays: lifecycle.Bays,
        opened: client.KubeClient,
        follower: node_changes.Follower,
        uuid: str,
        wish: NodeChangeSpec,
        number: int,
        report: Callable[[str], None],
        deadlines: limits.ResizeDeadlines = limits.OURS_TO_RESIZE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bays = bays
        self._opened = opened
        self._follower = follower
        self._uuid = uuid
        self._wish = wish
        self._report = report
        self._deadlines = deadlines
        self._clock = clock
        self._requested_at = 0.0
        self._before = follower.now()
        self.record = bay_records.NodeChange(
            number=number,
            purpose=wish.purpose,
            nodes_before=len(self._before),
            nodes_wanted=wish.nodes,
            to_go=len(wish.to_go),
            poll_interval_s=lifecycle.POLL_INTERVAL_S,
        )

    def run(self) -> None:
        """Ask Magnum for it, and wait until the nodes are as they should be.

        :raises BayResizeFailed: when Magnum refuses or fails, or the wrong
            nodes came or went
        :raises DeadlineExceeded: when Magnum never completes it, or nodes
            are never Ready or gone
        """
        try:
            if self._wish.drain:
                self._drain()
            self._carry_out()
        except Exception as error:
            self._note(
                failure=lifecycle.failure_class(error), reason=str(error)
            )
            if self._wish.drain:
                draining.uncordon(
                    self._opened, self._names_to_go, self._report
                )
            raise

    @property
    def _names_to_go(self) -> list[str]:
        return [node.name for node in self._wish.to_go]

    def _carry_out(self) -> None:
        wish = self._wish
        cluster = self._bays.show(self._uuid)
        asked = self._bays.prepare_resize(
            cluster,
            self._request(),
            lambda: self._follower.settled() is not None,
        )
        if wish.nodegroup:
            of_group = self._bays.nodes_of_group(cluster, wish.nodegroup)
            others = len(self._before) - of_group
            self._note(nodes_wanted=others + wish.nodes)
        wanted, changed = self.record.nodes_wanted, self.record.changed
        self._report(
            f"asking Magnum to bring the bay {cluster.name} from "
            f"{len(self._before)} to {wanted} nodes"
            + (f", without {len(wish.to_go)} of these" if wish.to_go else "")
        )
        self._follower.expect(wanted, {node.uid for node in wish.to_go})
        self._requested_at = self._clock()
        observed = self._bays.resize(
            asked, self._deadlines.for_resize(changed)
        )
        magnum_s = self._clock() - self._requested_at
        self._note(
            magnum_s=magnum_s,
            magnum_resolution_s=observed.resolution_of(magnum_s),
        )
        self._report(f"bay complete again after {magnum_s:.1f} s")
        try:
            settled = self._wait_settled(self._deadlines.for_settle(changed))
        except exceptions.DeadlineExceeded as late:
            self._prove(cluster.name, self._follower.now(), late)
            raise
        self._note_times(settled)
        self._prove(cluster.name, settled.nodes)
        self._report(
            f"{self.record.nodes_after} nodes, {self.record.added} of them "
            f"new and all of these Ready, {self.record.removed} gone, after "
            f"{self.record.nodes_s:.1f} s"
        )

    def _drain(self) -> None:
        names = self._names_to_go
        self._report(f"draining {len(names)} nodes")
        start = self._clock()
        drained = draining.drain(
            self._opened,
            names,
            deadline_s=self._deadlines.for_drain(len(names)),
            report=self._report,
        )
        drain_s = self._clock() - start
        exact_s = drained.resolution_s
        self._note(
            drain_s=drain_s,
            drain_resolution_s=drain_s if exact_s is None else exact_s,
            evicted=drained.evicted,
        )
        self._report(f"{drained.evicted} pods evicted after {drain_s:.1f} s")

    def _request(self) -> resizing.ResizeRequest:
        used = collections.Counter(node.address for node in self._before)
        return resizing.ResizeRequest(
            self._wish.nodes,
            tuple(_server(node, used) for node in self._wish.to_go),
            self._wish.nodegroup,
        )

    def _wait_settled(self, deadline_s: float) -> node_changes.Settled:
        ignored_at = self._clock() + IGNORED_AFTER_S

        def poll() -> node_changes.Settled | None:
            if self._follower.ignores() and self._clock() > ignored_at:
                raise exceptions.DeadlineExceeded(
                    "the nodes that were to go to be Ready no more",
                    IGNORED_AFTER_S,
                    self._follower.progress(),
                )
            return self._follower.settled()

        return waiting.wait_for(
            poll,
            what="the nodes of the bay to be Ready or gone",
            deadline_s=deadline_s,
            interval_s=_LOOK_S,
            progress=self._follower.progress,
            report=self._report,
            clock=self._clock,
        )

    def _prove(
        self,
        name: str,
        after: Sequence[node_list.Node],
        late: exceptions.DeadlineExceeded | None = None,
    ) -> None:
        """Note who came and went.

        :raises WrongNodes: when these are not those asked for
        """
        change = identities.compare(
            map(_identity, self._before),
            map(_identity, after),
            wanted=self.record.nodes_wanted,
            to_go=[_identity(node) for node in self._wish.to_go],
        )
        self._note(
            nodes_after=len(after),
            added=len(change.added),
            removed=len(change.removed),
            stayed=len(change.stayed),
        )
        if change.faults:
            raise exceptions.WrongNodes(
                f"The nodes of the bay {name} are not those asked for: "
                f"{'; '.join(change.faults)}."
            ) from late

    def _note_times(self, settled: node_changes.Settled) -> None:
        self._note(
            nodes_s=settled.at - self._requested_at,
            node_ready_s=node_times.nearest_ranks(
                at - self._requested_at for at in settled.ready_at.values()
            ),
        )

    def _note(self, **fields: Any) -> None:
        self.record = dataclasses.replace(
            self.record, client_memory_peak_bytes=memory.peak_bytes(), **fields
        )


def _identity(node: node_list.Node) -> identities.Identity:
    return identities.Identity(
        node.name, node.uid, node.machine, ready=node.ready
    )


def _server(node: node_list.Node, used: Mapping[str, int]) -> str:
    """Return what Magnum's drivers know a node by.

    Heat's takes ids and addresses of servers; OpenStack's cloud controller
    writes ``openstack:///<id>`` into the node, with or without a region.

    :param used: how many nodes have each address
    """
    if node.machine.startswith("openstack://"):
        return node.machine.rpartition("/")[2]
    alone = node.address and used[node.address] == 1
    return node.address if alone else node.name
