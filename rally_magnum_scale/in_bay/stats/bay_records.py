"""The records of bays: their life cycle, nodes and API servers."""

from __future__ import annotations

import dataclasses
from typing import Any
from typing import Self

from rally_magnum_scale.in_bay.stats import json_record

# Who created a bay: the scenario in its iteration, or a context for all
# iterations.  Otherwise the task gives the name or the kubeconfig of a bay.
MAKERS = ("scenario", "context", "named", "kubeconfig")


# Times of a bay that are measured by polling Magnum's API.
_POLLED = ("create_s", "delete_s")

# Purposes of a node change.
RESIZE = "resize"
REPLACE = "replace"


@dataclasses.dataclass(frozen=True)
class Bay(json_record.JsonRecord):
    """The life cycle of one bay; times that it did not reach are None.

    Each time ends when its end was observed, so the true time is not longer.
    It is longer than the time minus its resolution.

    :param uuid: of the bay in Magnum
    :param template: uuid of its template
    :param driver: name of Magnum's driver for the template; empty if Magnum
        does not show it
    :param nodes: number of nodes that were requested
    :param nodes_real: number of its nodes that are not hollow
    :param nodes_hollow: number of its hollow nodes
    :param cores_real_nodes: all cores of the nodes that are not hollow
    :param create_s: from the create request to CREATE_COMPLETE
    :param create_resolution_s: from the request of the last poll that showed
        the bay not complete to the response that showed it complete, and the
        time until Magnum accepted the create request; all of ``create_s``
        without such a poll
    :param nodes_ready_s: from the create request to the last node Ready
    :param nodes_ready_resolution_s: resolution of ``nodes_ready_s``, from the
        watch and the time stamps of the nodes
    :param delete_s: from the delete request until Magnum no longer has it
    :param delete_resolution_s: as ``create_resolution_s``, for ``delete_s``
    :param nodes_deleted: number of nodes when it was deleted; None if equal
        to ``nodes``
    :param poll_interval_s: pause between two polls of Magnum; in older
        records, which have no resolution, it is the resolution
    :param failure: class of the failure; empty without one
    :param reason: why it failed, in words
    :param made_by: one of :data:`MAKERS`
    :param node_ready_s: ``p50``, ``p90``, ``p99`` and ``max`` over the nodes,
        each from the create request to Ready, in seconds
    :param nodes_timed: number of nodes in ``node_ready_s``; None in older
        records
    :param node_ready_resolution_s: resolution of each time in
        ``node_ready_s``
    :param node_ready_missing: which time stamps of nodes can't be right, so
        that there is no ``node_ready_s``; empty if all may be right
    :param client_memory_peak_bytes: peak resident memory of the process that
        ran the scenario, until the record was written
    :param magnum_requests: requests to Magnum's API during the life of the
        bay
    :param magnum_request_s: ``p50``, ``p90``, ``p99`` and ``max`` of the
        seconds until their response or timeout
    :param magnum_requests_timed_out: number of these requests that timed out
    :param openstack_errors: number of requests to OpenStack during the life
        of the bay that failed in a way that may pass, by service and failure,
        such as ``{"Magnum: 503": 12}``; None in older records
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
    driver: str = ""
    nodes_deleted: int | None = None
    magnum_requests: int | None = None
    magnum_request_s: dict[str, float] | None = None
    create_resolution_s: float | None = None
    nodes_ready_resolution_s: float | None = None
    delete_resolution_s: float | None = None
    node_ready_missing: str = ""
    magnum_requests_timed_out: int | None = None
    openstack_errors: dict[str, int] | None = None
    nodes_timed: int | None = None

    @property
    def template_and_driver(self) -> str:
        """The name, or else the id, of the template, and its driver."""
        name = self.template_name or self.template
        return f"{name} (driver {self.driver})" if self.driver else name

    @property
    def polled_resolution_s(self) -> float | None:
        """The coarser resolution of ``create_s`` and ``delete_s``, if any."""
        return json_record.greatest(map(self.resolution_s, _POLLED))

    @property
    def usable_s(self) -> float | None:
        """Seconds from the create request until the bay could be used.

        A driver may report CREATE_COMPLETE before the nodes are Ready, and a
        node may be Ready before Magnum reports the bay complete.
        """
        times_s = [self.create_s, self.nodes_ready_s]
        known = [time_s for time_s in times_s if time_s is not None]
        if len(known) < len(times_s):
            return None
        # A time below 0 can't be right, and must not be hidden.
        return min(known) if min(known) < 0 else max(known)

    @property
    def _usable_resolution_s(self) -> float | None:
        if self.usable_s is None:
            return None
        earliest_s = [
            getattr(self, name) - resolution_s
            for name in ("create_s", "nodes_ready_s")
            if (resolution_s := self.resolution_s(name)) is not None
        ]
        return self.usable_s - max(earliest_s) if earliest_s else None

    def resolution_s(self, name: str) -> float | None:
        """Return the resolution of a time of the bay.

        :param name: ``create_s``, ``nodes_ready_s``, ``usable_s`` or
            ``delete_s``
        :returns: seconds; None without the time, or if unknown
        """
        if name == "usable_s":
            return self._usable_resolution_s
        if getattr(self, name) is None:
            return None
        known: float | None = getattr(self, f"{name[:-2]}_resolution_s")
        if known is None and name in _POLLED:
            return self.poll_interval_s
        return known

    def per_node(self, name: str, time_s: float | None) -> float | None:
        """Divide a time, or its resolution, by the nodes that it concerns.

        :param name: ``create_s``, ``nodes_ready_s``, ``usable_s`` or
            ``delete_s``
        :returns: seconds per node; None without the time or without nodes
        """
        nodes = self.nodes
        if name == "delete_s" and self.nodes_deleted is not None:
            nodes = self.nodes_deleted
        return None if time_s is None or not nodes else time_s / nodes

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """Read a ``bay`` record; the default name is that in its envelope.

        :raises ValueError: if a field is missing or wrong
        """
        name = record.get("name") or record.get("bay", "")
        return super().from_json({**record, "name": name})


@dataclasses.dataclass(frozen=True)
class NodeChange(json_record.JsonRecord):
    """A change of a bay's nodes; times that it did not reach are None.

    :param number: number of the change in its iteration, from 1
    :param purpose: :data:`RESIZE` or :data:`REPLACE`
    :param nodes_before: number of nodes before the change
    :param nodes_wanted: number of nodes that the bay was to have
    :param to_go: number of named nodes that had to go
    :param nodes_after: number of nodes after the change
    :param added: number of nodes that were not there before
    :param removed: number of nodes that are no longer there
    :param stayed: number of nodes that were there before and after
    :param drain_s: time to drain the nodes that had to go, before the request
    :param drain_resolution_s: from the request of the last list of pods that
        showed the nodes not empty to the response that showed them empty; all
        of ``drain_s`` if they were empty at first
    :param evicted: number of evicted pods
    :param magnum_s: from the request to UPDATE_COMPLETE
    :param magnum_resolution_s: from the request of the last poll that showed
        the bay not complete to the response that showed it complete, and the
        time until Magnum accepted the request; all of ``magnum_s`` without
        such a poll
    :param nodes_s: from the request to the last node Ready or gone
    :param nodes_resolution_s: from the last moment at which the watch of the
        nodes had certainly reported all changes until it reported the last
        one, and the time until Magnum accepted the request; None in older
        records
    :param node_ready_s: ``p50``, ``p90``, ``p99`` and ``max`` over the new
        nodes, each from the request to Ready, in seconds
    :param node_ready_resolution_s: resolution of each time in
        ``node_ready_s``, as of ``nodes_s``
    :param poll_interval_s: pause between two polls of Magnum
    :param failure: class of the failure; empty without one
    :param reason: why it failed, in words
    :param client_memory_peak_bytes: peak resident memory of the process that
        ran the scenario, until the record was written
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
    nodes_resolution_s: float | None = None
    node_ready_resolution_s: float | None = None

    def resolution_s(self, name: str) -> float | None:
        """Return the resolution of a time of the change.

        :param name: ``magnum_s``, ``drain_s`` or ``nodes_s``
        :returns: seconds; None without the time, or if unknown
        """
        if getattr(self, name) is None:
            return None
        known: float | None = getattr(self, f"{name[:-2]}_resolution_s")
        if known is None and name != "nodes_s":
            return self.poll_interval_s
        return known

    @property
    def coarsest_resolution_s(self) -> float | None:
        """The coarsest resolution of the times of the change, if any."""
        times = map(self.resolution_s, ("drain_s", "magnum_s", "nodes_s"))
        return json_record.greatest([*times, self.node_ready_resolution_s])

    @property
    def changed(self) -> int:
        """Number of nodes that had to come or go."""
        return max(self.to_go, abs(self.nodes_wanted - self.nodes_before))

    def per_node(self, value_s: float | None) -> float | None:
        """Divide a time, or its resolution, by the nodes that had to change.

        :returns: seconds per node; None without the time or without nodes
        """
        if value_s is None or not self.changed:
            return None
        return value_s / self.changed


@dataclasses.dataclass(frozen=True)
class ApiLatency(json_record.JsonRecord):
    """The latency of the API server of a bay, from its own histograms.

    :param kinds: ``mutating``, ``get`` and ``list`` to their ``requests``,
        ``p50_s`` and ``p99_s`` while the bay was used.  ``p50_low_s`` and
        ``p50_high_s``, ``p99_low_s`` and ``p99_high_s`` are the ends of the
        bucket of each quantile.  In the last bucket, which has no upper end,
        the quantile and the upper end are None
    :param verbs: the same by verb
    :param missing: why there are no values; empty if there are
    """

    kinds: dict[str, dict[str, float | None]]
    verbs: dict[str, dict[str, float | None]]
    missing: str = ""
