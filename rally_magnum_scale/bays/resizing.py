"""Ask Magnum for another number of nodes, and see it begin and end.

Since microversion 1.7 Magnum has an action for it, which may name the nodes
that must go; before, a change of ``node_count``.  No nodes at all are
allowed since 1.10 (Magnum's REST API version history).
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import bay_poller
from rally_magnum_scale.bays import failures
from rally_magnum_scale.bays import magnum_errors

Version = tuple[int, int]

RESIZE_SINCE: Version = (1, 7)
NODEGROUPS_SINCE: Version = (1, 9)
NO_NODES_SINCE: Version = (1, 10)

COMPLETE = "UPDATE_COMPLETE"
WORKING = "UPDATE_IN_PROGRESS"
FAILED = "UPDATE_FAILED"

# By then Magnum has begun what it accepted, or shows why not.
BEGUN_WITHIN_S = 60.0

_MAX_VERSION = "OpenStack-API-Maximum-Version"
# Before it had microversions Magnum did not name any.
_OLDEST: Version = (1, 1)


@dataclasses.dataclass(frozen=True)
class ResizeRequest:
    """What a bay is to become.

    :param nodes: how many nodes its node group is to have in the end
    :param remove: nodes that must go, by what the driver knows them by:
        the ids or addresses of their servers, most often
    :param nodegroup: name or id; None for the default workers
    """

    nodes: int
    remove: tuple[str, ...] = ()
    nodegroup: str | None = None


class Resize:
    """One resize of a bay, from the request on.

    :param magnum: a Magnum client
    :param cluster: the bay, as Magnum shows it before
    :param wanted: what it is to become
    :param settled: tells whether the nodes are as they are to be
    :param clock: monotonic seconds
    :raises BayResizeFailed: when Magnum is too old for what is asked, or
        does not say how old it is
    """

    def __init__(
        self,
        magnum: Any,
        cluster: Any,
        wanted: ResizeRequest,
        settled: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._magnum = magnum
        self._before = cluster
        self._wanted = wanted
        self._settled = settled
        self._clock = clock
        self._what = f"resize the bay {cluster.name} to {wanted.nodes} nodes"
        self._look = bay_poller.BayPoller(magnum, cluster.uuid, clock)
        self._begun = False
        self._surely_begun_at = math.inf
        self.status = "requested"
        with magnum_errors.translate_errors(
            self._what, exceptions.BayResizeFailed
        ):
            self._version = self._newest_version()
        self._refuse_too_old(self._version)

    @property
    def nodes(self) -> int:
        """How many nodes are asked for."""
        return self._wanted.nodes

    @property
    def progress(self) -> str:
        """How far it is, in words."""
        return self.status + self._look.silence()

    def request(self) -> None:
        """Ask for it; return when Magnum has accepted.

        :raises BayResizeFailed: when Magnum refuses
        """
        self._surely_begun_at = self._clock() + BEGUN_WITHIN_S
        with magnum_errors.translate_errors(
            self._what, exceptions.BayResizeFailed
        ):
            if self._version < RESIZE_SINCE:
                self._magnum.clusters.update(
                    self._before.uuid,
                    [
                        {
                            "op": "replace",
                            "path": "/node_count",
                            "value": self._wanted.nodes,
                        }
                    ],
                )
            else:
                self._magnum.clusters.resize(
                    self._before.uuid,
                    self._wanted.nodes,
                    nodes_to_remove=list(self._wanted.remove),
                    nodegroup=self._wanted.nodegroup,
                )

    def poll(self) -> bay_poller.Observed | None:
        """Look once.

        :returns: the cluster when it is complete, and how exact that is;
            else None
        :raises BayResizeFailed: at UPDATE_FAILED, with Magnum's reason, or
            when the bay is gone
        """
        cluster = self._look()
        if cluster is None:
            raise exceptions.BayResizeFailed(
                f"Magnum lost the bay {self._before.name} while it was "
                "resized; someone else may have deleted it."
            )
        if cluster is bay_poller.UNKNOWN or not self._has_begun(cluster):
            # It may have gone by already where Magnum has written to the bay.
            if cluster.updated_at == self._before.updated_at:
                self._look.not_yet()
            return None
        self.status = cluster.status
        if cluster.status == WORKING:
            self._look.not_yet()
            return None
        if cluster.status != COMPLETE:
            said = failures.reason(cluster)
            raise exceptions.BayResizeFailed(
                f"The bay {cluster.name} went to {cluster.status} on its "
                f"way to {self._wanted.nodes} nodes: {said}"
                f"{failures.advice(said)}."
            )
        return self._look.observed()

    def _has_begun(self, cluster: Any) -> bool:
        """Tell an end of this resize from that of one before.

        Magnum answers first and begins later; until then it shows the bay
        as it was, and its health monitor may write to it meanwhile.  A
        resize that went by between two looks is known by its nodes, which
        can't change before it has begun.
        """
        status = str(cluster.status)
        if not status.startswith("UPDATE_"):
            return self._begun
        went_by = cluster.updated_at != self._before.updated_at and (
            self._settled() or self._clock() > self._surely_begun_at
        )
        self._begun = (
            self._begun
            or status == WORKING
            or status != self._before.status
            or went_by
        )
        return self._begun

    def _newest_version(self) -> Version:
        response, _ = self._magnum.clusters.api.json_request(
            "GET", f"/v1/clusters/{self._before.uuid}"
        )
        said = response.headers.get(_MAX_VERSION, "")
        major, _, minor = said.rpartition(" ")[2].partition(".")
        if not (major.isdecimal() and minor.isdecimal()):
            return _OLDEST
        return int(major), int(minor)

    def _refuse_too_old(self, version: Version) -> None:
        asked = {
            "no nodes at all": (self._wanted.nodes == 0, NO_NODES_SINCE),
            "nodes that must go": (self._wanted.remove, RESIZE_SINCE),
            "a node group": (self._wanted.nodegroup, NODEGROUPS_SINCE),
        }
        for what, (wanted, since) in asked.items():
            if wanted and version < since:
                raise exceptions.BayResizeFailed(
                    f"The bay {self._before.name} can't be resized: to ask "
                    f"for {what}, Magnum's API must have microversion "
                    f"{_text(since)}, and this cloud's newest is "
                    f"{_text(version)}."
                )


def _text(version: Version) -> str:
    return ".".join(map(str, version))
