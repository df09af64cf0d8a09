"""The records of bays: their life, their nodes, their API servers."""

from __future__ import annotations

import dataclasses
from typing import Any
from typing import Self

from rally_magnum_scale.in_bay.stats import json_record

# Who made a bay: the scenario in its iteration, a context for all of them,
# or neither, and it was named or its kubeconfig handed over.
MAKERS = ("scenario", "context", "named", "kubeconfig")


# Times of a bay that are seen by polls of Magnum's API.
_POLLED = ("create_s", "delete_s")

# Why nodes come and go.
RESIZE = "resize"
REPLACE = "replace"


@dataclasses.dataclass(frozen=True)
class Bay(json_record.JsonRecord):
    """The life of one bay; None where it did not come so far.

    Each time is when its end was seen, so it is the most that it can have
    been. It was more than the time less its resolution.

    :param create_s: from the create request to CREATE_COMPLETE seen
    :param create_resolution_s: from the request of the last poll that
        showed the bay not complete to the answer that showed it complete;
        all of ``create_s`` where no poll was before
    :param nodes_ready_s: from the create request to the last node Ready
    :param nodes_ready_resolution_s: the same for ``nodes_ready_s``, by our
        watch and the nodes' time stamps
    :param delete_s: from the delete request to gone from Magnum
    :param delete_resolution_s: as ``create_resolution_s``, for ``delete_s``
    :param nodes_deleted: nodes that it had then; None for ``nodes``
    :param poll_interval_s: the pause between two polls of Magnum; for older
        records, which have no more, the resolution
    :param cores_real_nodes: all cores of the nodes that are not hollow
    :param failure: class of the failure, or an empty string
    :param made_by: one of :data:`MAKERS`
    :param node_ready_s: ``p50``, ``p90``, ``p99`` and ``max`` over the nodes
        of the seconds from the create request to each one's Ready
    :param node_ready_resolution_s: of each time in ``node_ready_s``
    :param node_ready_missing: which time stamps of the nodes can't be right,
        so that there is no ``node_ready_s``; empty when all may be right
    :param client_memory_peak_bytes: peak resident memory of the process
        that ran the scenario, until the record was written
    :param magnum_requests: requests to Magnum's API in the life of the bay
    :param magnum_request_s: ``p50``, ``p90``, ``p99`` and ``max`` of the
        seconds that they took, or after which they were given up
    :param magnum_requests_timed_out: how many were given up unanswered
    """

    uuid: str
    template: str
    nodes: int
    nodes_real: int | None = None
    nodes_hollow: int | None = None
    cores_real_nodes: float | None = None
    kubernetes_version: str = ""
    create_s: float | None = None
    nodes_ready_s: float | None = None
    delete_s: float | None = None
    poll_interval_s: float = 1.0
    status: str = ""
    failure: str = ""
    reason: str = ""
    made_by: str = "scenario"
    name: str = ""
    node_ready_s: dict[str, float] | None = None
    node_ready_resolution_s: float | None = None
    client_memory_peak_bytes: int | None = None
    masters: int = 1
    template_name: str = ""
    nodes_deleted: int | None = None
    magnum_requests: int | None = None
    magnum_request_s: dict[str, float] | None = None
    create_resolution_s: float | None = None
    nodes_ready_resolution_s: float | None = None
    delete_resolution_s: float | None = None
    node_ready_missing: str = ""
    magnum_requests_timed_out: int | None = None

    @property
    def polled_resolution_s(self) -> float | None:
        """How exact ``create_s`` and ``delete_s`` are; None without both."""
        return max(
            (
                resolution_s
                for resolution_s in map(self.resolution_s, _POLLED)
                if resolution_s is not None
            ),
            default=None,
        )

    def resolution_s(self, name: str) -> float | None:
        """Return how exact a time of the bay is.

        :param name: ``create_s``, ``nodes_ready_s`` or ``delete_s``
        :returns: seconds; None without the time, or where it is not known
        """
        if getattr(self, name) is None:
            return None
        known: float | None = getattr(self, f"{name[:-2]}_resolution_s")
        if known is None and name in _POLLED:
            return self.poll_interval_s
        return known

    def per_node(self, name: str, time_s: float | None) -> float | None:
        """Divide a time, or its resolution, by the nodes that it concerns.

        :param name: ``create_s``, ``nodes_ready_s`` or ``delete_s``
        :returns: seconds per node; None without the time or without nodes
        """
        nodes = self.nodes
        if name == "delete_s" and self.nodes_deleted is not None:
            nodes = self.nodes_deleted
        return None if time_s is None or not nodes else time_s / nodes

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """Read a ``bay`` record; a bay without a name has its envelope's.

        :raises ValueError: when a field is missing
        """
        name = record.get("name") or record.get("bay", "")
        return super().from_json({**record, "name": name})


@dataclasses.dataclass(frozen=True)
class NodeChange(json_record.JsonRecord):
    """Nodes of a bay that came and went; None where it did not come so far.

    :param number: which one it is in its iteration, from 1
    :param purpose: :data:`RESIZE` or :data:`REPLACE`
    :param nodes_before: nodes that the bay had
    :param nodes_wanted: nodes that it was to have in the end
    :param to_go: how many nodes were named that had to go
    :param nodes_after: nodes that it has in the end
    :param added: how many of these were not there before
    :param removed: how many of those before are not there any more
    :param stayed: how many were there all the time
    :param drain_s: to empty the nodes that had to go, before the request
    :param drain_resolution_s: from the request of the last list of pods that
        showed them not empty to the answer that showed them empty; all of
        ``drain_s`` where they were empty at first
    :param evicted: how many pods had to leave them
    :param magnum_s: from the request to UPDATE_COMPLETE seen
    :param magnum_resolution_s: from the request of the last poll that showed
        it not complete to the answer that showed it complete; all of
        ``magnum_s`` where no poll was before
    :param nodes_s: from the request to the last node Ready or gone
    :param node_ready_s: ``p50``, ``p90``, ``p99`` and ``max`` over the new
        nodes of the seconds from the request to each one's Ready
    :param poll_interval_s: the pause between two polls of Magnum; the other
        times are those of a watch
    :param failure: class of the failure, or an empty string
    :param client_memory_peak_bytes: peak resident memory of the process
        that ran the scenario, until the record was written
    """

    number: int
    purpose: str
    nodes_before: int
    nodes_wanted: int
    to_go: int = 0
    nodes_after: int | None = None
    added: int | None = None
    removed: int | None = None
    stayed: int | None = None
    drain_s: float | None = None
    evicted: int | None = None
    magnum_s: float | None = None
    nodes_s: float | None = None
    node_ready_s: dict[str, float] | None = None
    poll_interval_s: float = 1.0
    failure: str = ""
    reason: str = ""
    client_memory_peak_bytes: int | None = None
    magnum_resolution_s: float | None = None
    drain_resolution_s: float | None = None

    def resolution_s(self, name: str) -> float | None:
        """Return how exact a time of the change is.

        :param name: ``magnum_s``, ``drain_s`` or ``nodes_s``
        :returns: seconds; None without the time, or for that of a watch
        """
        if name == "nodes_s" or getattr(self, name) is None:
            return None
        known: float | None = getattr(self, f"{name[:-2]}_resolution_s")
        return self.poll_interval_s if known is None else known

    @property
    def changed(self) -> int:
        """How many nodes were to come or go."""
        return max(self.to_go, abs(self.nodes_wanted - self.nodes_before))

    def per_node(self, value_s: float | None) -> float | None:
        """Divide a time by the nodes that were to come or go.

        :returns: None where there is no time, or no node to share it
        """
        if value_s is None or not self.changed:
            return None
        return value_s / self.changed


@dataclasses.dataclass(frozen=True)
class ApiLatency(json_record.JsonRecord):
    """How fast the API server of a bay answered, by its own histograms.

    :param kinds: ``mutating``, ``get`` and ``list`` to their ``requests``,
        ``p50_s`` and ``p99_s``, from the opening of the bay to the end of
        the work in it; beside each ``p50_low_s`` and ``p50_high_s``,
        ``p99_low_s`` and ``p99_high_s``, the ends of the bucket that it lies
        in. In the last bucket, which has no upper end, the quantile and
        that end are None
    :param verbs: the same by verb
    :param missing: why there are no figures; empty when there are
    """

    kinds: dict[str, dict[str, float | None]]
    verbs: dict[str, dict[str, float | None]]
    missing: str = ""
