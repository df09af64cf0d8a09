"""Resize a bay, and observe when Magnum begins and completes the resize.

Since microversion 1.7 Magnum has a resize action, whose request can name the
nodes to remove.  Before, a resize was an update of ``node_count``.  Since
1.10 a bay may have no nodes at all (Magnum's REST API version history).
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.bays import bay_poller
from rally_magnum_scale.bays import failure_classes
from rally_magnum_scale.bays import magnum_errors

Version = tuple[int, int]

RESIZE_SINCE: Version = (1, 7)
NODEGROUPS_SINCE: Version = (1, 9)
NO_NODES_SINCE: Version = (1, 10)

COMPLETE = "UPDATE_COMPLETE"
WORKING = "UPDATE_IN_PROGRESS"
FAILED = "UPDATE_FAILED"

# Time within which Magnum begins an accepted resize or reports its failure.
BEGUN_WITHIN_S = 60.0

_MAX_VERSION = "OpenStack-API-Maximum-Version"
# A Magnum from before microversions sends no such header.
_OLDEST: Version = (1, 1)


@dataclasses.dataclass(frozen=True)
class ResizeRequest:
    """A request to resize a bay.

    :param nodes: wanted number of nodes in the node group
    :param remove: nodes to remove, as the driver identifies them: usually
        by the ids or addresses of their servers
    :param nodegroup: name or id; None for the default workers
    """

    nodes: int
    remove: tuple[str, ...] = ()
    nodegroup: str | None = None


class Resize:
    """One resize of a bay.

    :param magnum: a Magnum client
    :param cluster: the bay, as Magnum shows it before the resize
    :param wanted: the new size
    :param settled: returns whether the nodes have reached the wanted state
    :param clock: monotonic seconds
    :param sleep: sleeps, and raises if the run is interrupted
    :raises BayResizeFailed: when Magnum is too old for the request, or its
        version can't be read
    """

    def __init__(
        self,
        magnum: Any,
        cluster: Any,
        wanted: ResizeRequest,
        settled: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = interruption.sleep,
    ) -> None:
        self._magnum = magnum
        self._before = cluster
        self._wanted = wanted
        self._settled = settled
        self._clock = clock
        self._sleep = sleep
        self._what = f"resize the bay {cluster.name} to {wanted.nodes} nodes"
        self._poller = bay_poller.BayPoller(magnum, cluster.uuid, clock)
        self._begun = False
        self._begun_by = math.inf
        with magnum_errors.translate_errors(
            self._what, exceptions.BayResizeFailed
        ):
            self._version = self._newest_version()
        self._refuse_too_old(self._version)

    @property
    def nodes(self) -> int:
        """Requested number of nodes."""
        return self._wanted.nodes

    @property
    def progress(self) -> str:
        """Status of the resize in words."""
        shown = self._poller.progress()
        return shown if self._begun else f"requested, not begun: {shown}"

    def request(self) -> None:
        """Send the request; return when Magnum has accepted it.

        A request whose response was lost is not sent again once the bay
        shows its effect: a second one could remove further nodes.

        :raises BayResizeFailed: when Magnum refuses
        """
        self._begun_by = self._clock() + BEGUN_WITHIN_S
        with magnum_errors.translate_errors(
            self._what, exceptions.BayResizeFailed
        ):
            magnum_errors.send_once(
                self._send,
                self._effect,
                clock=self._clock,
                sleep=self._sleep,
            )

    def _effect(self) -> bool | None:
        shown = self._magnum.clusters.get(self._before.uuid)
        before = self._before.status, self._before.updated_at
        return (shown.status, shown.updated_at) != before or None

    def _send(self) -> bool:
        if self._version >= RESIZE_SINCE:
            self._magnum.clusters.resize(
                self._before.uuid,
                self._wanted.nodes,
                nodes_to_remove=list(self._wanted.remove),
                nodegroup=self._wanted.nodegroup,
            )
            return True
        patch = {
            "op": "replace",
            "path": "/node_count",
            "value": self._wanted.nodes,
        }
        self._magnum.clusters.update(self._before.uuid, [patch])
        return True

    def poll(self) -> bay_poller.Observed | None:
        """Poll once.

        :returns: the complete cluster and the resolution of the time; None
            while the resize is in progress
        :raises BayResizeFailed: at UPDATE_FAILED, with Magnum's reason, or
            when the bay is gone
        """
        cluster = self._poller()
        if cluster is None:
            if self._poller.gone < bay_poller.POLLS_UNTIL_GONE:
                return None
            raise exceptions.BayResizeFailed(
                f"Magnum lost the bay {self._before.name} during its resize; "
                "someone else may have deleted it."
            )
        if cluster is bay_poller.UNKNOWN:
            return None
        if not self._has_begun(cluster):
            # If Magnum has updated the bay, the resize may already be over.
            if cluster.updated_at == self._before.updated_at:
                self._poller.not_yet()
            return None
        if cluster.status == WORKING:
            self._poller.not_yet()
            return None
        if cluster.status != COMPLETE:
            why = magnum_errors.failure_reason(
                cluster, self._poller.node_groups
            )
            raise exceptions.BayResizeFailed(
                f"The bay {cluster.name} went to {cluster.status} during "
                f"its resize to {self._wanted.nodes} nodes: {why}"
                f"{failure_classes.advice(why)}.",
                reason=why,
            )
        return self._poller.observed()

    def _has_begun(self, cluster: Any) -> bool:
        """Return whether the bay's status belongs to this resize.

        Magnum accepts the request before it begins the resize.  Until then
        it shows the status of an earlier operation, and its health monitor
        may update the bay meanwhile.  If the resize begins and ends between
        two polls, the changed nodes prove it, since they can't change
        before the resize has begun.
        """
        status = str(cluster.status)
        if not status.startswith("UPDATE_"):
            return self._begun
        missed = cluster.updated_at != self._before.updated_at and (
            self._settled() or self._clock() > self._begun_by
        )
        self._begun = (
            self._begun
            or status == WORKING
            or status != self._before.status
            or missed
        )
        return self._begun

    def _newest_version(self) -> Version:
        response, _ = self._magnum.clusters.api.json_request(
            "GET", f"/v1/clusters/{self._before.uuid}"
        )
        header = response.headers.get(_MAX_VERSION, "")
        major, _, minor = header.rpartition(" ")[2].partition(".")
        if not (major.isdecimal() and minor.isdecimal()):
            return _OLDEST
        return int(major), int(minor)

    def _refuse_too_old(self, version: Version) -> None:
        requirements = {
            "remove all nodes": (self._wanted.nodes == 0, NO_NODES_SINCE),
            "name the nodes to remove": (self._wanted.remove, RESIZE_SINCE),
            "name a node group": (self._wanted.nodegroup, NODEGROUPS_SINCE),
        }
        for what, (wanted, since) in requirements.items():
            if wanted and version < since:
                raise exceptions.BayResizeFailed(
                    f"The bay {self._before.name} can't be resized: to "
                    f"{what}, Magnum's API must support microversion "
                    f"{_text(since)}, but this cloud's newest is "
                    f"{_text(version)}."
                )


def _text(version: Version) -> str:
    return ".".join(map(str, version))
