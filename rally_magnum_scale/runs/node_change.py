"""One change of a bay's nodes, and its record."""

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
from rally_magnum_scale.bays import magnum_errors
from rally_magnum_scale.bays import resizing
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import draining
from rally_magnum_scale.kube import node_change_follower
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.measurement import node_changes as identities
from rally_magnum_scale.measurement import node_times
from rally_magnum_scale.runs import memory

# A node whose machine is gone stays Ready for 50 s, by the default of
# Kubernetes' node controller (node-monitor-grace-period).  If a node to
# remove is Ready for longer after Magnum's UPDATE_COMPLETE, the driver has
# ignored the request.
IGNORED_AFTER_S = 90.0

# A poll reads local state only, so a short interval costs nothing.
_POLL_INTERVAL_S = 0.1


@dataclasses.dataclass(frozen=True)
class NodeChangeSpec:
    """A wanted change of a bay's nodes.

    :param nodes: wanted number of nodes in the bay or its node group
    :param purpose: ``resize`` or ``replace``, for the record
    :param to_go: nodes to remove
    :param drain: whether to drain these nodes first
    :param nodegroup: name or id of the node group; None for the default
        workers, and then ``nodes`` counts the nodes of the whole bay
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
    """Choose the nodes to replace, and split them into batches.

    :param nodes: nodes of the bay
    :param number: how many nodes to replace, spread evenly over the list
        by name
    :param batch: nodes per batch; None for one batch
    :param drain: whether to drain the nodes first
    :returns: one change per batch
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


class NodeChangeRun:
    """Resizes a bay or replaces nodes of it.

    :param bays: the bays of the project
    :param opened: the open Kubernetes API of the bay
    :param follower: follower of the bay's nodes
    :param uuid: of the bay
    :param spec: the wanted nodes
    :param number: number of the change in its iteration, from 1
    :param log: callback for progress lines
    :param deadlines: of the change
    :param clock: monotonic seconds, the same as the follower's
    """

    def __init__(
        self,
        bays: lifecycle.Bays,
        opened: client.KubeClient,
        follower: node_change_follower.NodeChangeFollower,
        uuid: str,
        spec: NodeChangeSpec,
        number: int,
        log: Callable[[str], None],
        deadlines: limits.ResizeDeadlines = limits.DEFAULT_RESIZE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bays = bays
        self._opened = opened
        self._follower = follower
        self._uuid = uuid
        self._spec = spec
        self._log = log
        self._deadlines = deadlines
        self._clock = clock
        self._requested_at = 0.0
        self._before = follower.now()
        self.record = bay_records.NodeChange(
            number=number,
            purpose=spec.purpose,
            nodes_before=len(self._before),
            nodes_wanted=spec.nodes,
            to_go=len(spec.to_go),
            poll_interval_s=lifecycle.POLL_INTERVAL_S,
        )

    def run(self) -> None:
        """Request the change, and wait until the nodes are as wanted.

        :raises BayResizeFailed: when Magnum refuses or fails, or adds or
            removes the wrong nodes
        :raises DeadlineExceeded: when Magnum does not complete the change in
            time, or nodes are not Ready or gone in time
        """
        try:
            if self._spec.drain:
                self._drain()
            self._carry_out()
        except Exception as error:
            self._note(
                failure=magnum_errors.failure_class(error), reason=str(error)
            )
            if self._spec.drain:
                draining.uncordon(self._opened, self._names_to_go, self._log)
            raise

    @property
    def _names_to_go(self) -> list[str]:
        return [node.name for node in self._spec.to_go]

    def _carry_out(self) -> None:
        spec = self._spec
        cluster = self._bays.show(self._uuid)
        resize = self._bays.prepare_resize(
            cluster,
            self._request(),
            lambda: self._follower.settled() is not None,
        )
        if spec.nodegroup:
            of_group = self._bays.nodes_of_group(cluster, spec.nodegroup)
            others = len(self._before) - of_group
            self._note(nodes_wanted=others + spec.nodes)
        wanted, changed = self.record.nodes_wanted, self.record.changed
        self._log(
            f"asking Magnum to resize the bay {cluster.name} from "
            f"{len(self._before)} to {wanted} nodes"
            + (f" and remove {len(spec.to_go)} of them" if spec.to_go else "")
        )
        self._follower.expect(wanted, {node.uid for node in spec.to_go})
        self._requested_at = self._clock()
        observed = self._bays.resize(
            resize, self._deadlines.for_resize(changed)
        )
        magnum_s = self._clock() - self._requested_at
        self._note(
            magnum_s=magnum_s,
            magnum_resolution_s=observed.resolution_of(magnum_s),
        )
        self._log(f"bay complete again after {magnum_s:.1f} s")
        try:
            settled = self._wait_settled(self._deadlines.for_settle(changed))
        except exceptions.DeadlineExceeded as late:
            self._check_nodes(cluster.name, self._follower.now(), late)
            raise
        self._note_times(settled, observed.begun_within_s)
        self._check_nodes(cluster.name, settled.nodes)
        self._log(
            f"{self.record.nodes_after} nodes after "
            f"{self.record.nodes_s:.1f} s: {self.record.added} added and "
            f"Ready, {self.record.removed} removed"
        )

    def _drain(self) -> None:
        names = self._names_to_go
        self._log(f"draining {len(names)} nodes")
        start = self._clock()
        drained = draining.drain(
            self._opened,
            names,
            deadline_s=self._deadlines.for_drain(len(names)),
            log=self._log,
        )
        drain_s = self._clock() - start
        exact_s = drained.resolution_s
        self._note(
            drain_s=drain_s,
            drain_resolution_s=drain_s if exact_s is None else exact_s,
            evicted=drained.evicted,
        )
        self._log(f"{drained.evicted} pods evicted after {drain_s:.1f} s")

    def _request(self) -> resizing.ResizeRequest:
        used = collections.Counter(node.address for node in self._before)
        return resizing.ResizeRequest(
            self._spec.nodes,
            tuple(_server(node, used) for node in self._spec.to_go),
            self._spec.nodegroup,
        )

    def _wait_settled(self, deadline_s: float) -> node_change_follower.Settled:
        ignored_at = self._clock() + IGNORED_AFTER_S

        def poll() -> node_change_follower.Settled | None:
            if self._follower.ignores() and self._clock() > ignored_at:
                raise exceptions.DeadlineExceeded(
                    "the nodes to remove to stop being Ready",
                    IGNORED_AFTER_S,
                    self._follower.progress(),
                )
            return self._follower.settled()

        return waiting.wait_for(
            poll,
            what="the nodes of the bay to be Ready or gone",
            deadline_s=deadline_s,
            interval_s=_POLL_INTERVAL_S,
            progress=self._follower.progress,
            log=self._log,
            clock=self._clock,
        )

    def _check_nodes(
        self,
        name: str,
        after: Sequence[node_list.Node],
        late: exceptions.DeadlineExceeded | None = None,
    ) -> None:
        """Check and record which nodes were added and removed.

        :raises WrongNodes: when they are not the requested nodes
        """
        change = identities.compare(
            map(_identity, self._before),
            map(_identity, after),
            wanted=self.record.nodes_wanted,
            to_go=[_identity(node) for node in self._spec.to_go],
        )
        self._note(
            nodes_after=len(after),
            added=len(change.added),
            removed=len(change.removed),
            stayed=len(change.stayed),
        )
        if change.faults:
            raise exceptions.WrongNodes(
                f"The bay {name} does not have the requested nodes: "
                f"{'; '.join(change.faults)}."
            ) from late

    def _note_times(
        self, settled: node_change_follower.Settled, begun_within_s: float
    ) -> None:
        start, ready = self._requested_at, settled.ready.values()
        self._note(
            nodes_s=settled.observed.at - start,
            nodes_resolution_s=settled.observed.resolution_s(
                start, begun_within_s
            ),
            node_ready_s=node_times.nearest_ranks(
                one.at - start for one in ready
            ),
            node_ready_resolution_s=max(
                (one.resolution_s(start, begun_within_s) for one in ready),
                default=None,
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
    """Return the identifier of a node for Magnum's drivers.

    The Heat driver accepts ids and addresses of servers.  OpenStack's cloud
    controller writes ``openstack:///<id>`` into the node, with or without a
    region.

    :param used: number of nodes by address
    """
    if node.machine.startswith("openstack://"):
        return node.machine.rpartition("/")[2]
    unique = node.address and used[node.address] == 1
    return node.address if unique else node.name
