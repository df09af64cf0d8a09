"""Reconcile SandboxMachines: each is one node of a bay."""

from __future__ import annotations

import datetime
from typing import Any

from rally_magnum_sandbox.bay import control_plane
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay import real_nodes
from rally_magnum_sandbox.bay import roster as bay_roster
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.bay import timeline as bay_timeline
from rally_magnum_sandbox.cluster_api import cluster_bays
from rally_magnum_sandbox.cluster_api import flavors
from rally_magnum_sandbox.cluster_api import kinds
from rally_magnum_sandbox.cluster_api import management_objects
from rally_magnum_sandbox.cluster_api import objects

# Core creates machines only for a control plane that is up, unless the
# provider reports the infrastructure first.
BAY_POLL_S = 0.5
OTHERS_DEADLINE_S = 120.0


class Machines:
    """Reconciles the kind.

    :param management: the objects of the management cluster
    :param bays: of the Clusters
    """

    def __init__(
        self,
        management: management_objects.ManagementObjects,
        bays: cluster_bays.ClusterBays,
    ) -> None:
        self._management = management
        self._bays = bays

    def reconcile(self, key: str) -> float | None:
        """Reconcile a SandboxMachine.

        :returns: the seconds after which to reconcile it again, or None
        """
        item = self._management.get(kinds.MACHINE, key)
        if item is None:
            return None
        cluster = objects.cluster_key(item)
        bay = self._bays.find(cluster)
        if objects.is_deleted(item):
            made = objects.has_finalizer(item)
            if bay is not None and made and not self._goes(cluster):
                self._remove(bay, item["metadata"]["name"])
            self._management.release(kinds.MACHINE, item)
            return None
        if not objects.has_owner(item, "Machine") or _is_done(item):
            return None
        if bay is None or bay.state() is not cluster_bays.State.UP:
            return BAY_POLL_S
        if objects.flavor_of(item) == flavors.NO_HOST:
            self._fail(item)
            return None
        return self._make(bay, item)

    def count(self, cluster: str) -> None:
        """Write the number of a Cluster's nodes into its bay's spec."""
        bay = self._bays.find(cluster)
        if bay is None or bay.state() is not cluster_bays.State.UP:
            return
        machines = self._management.of_cluster(kinds.MACHINE, cluster)
        bay.write_size(
            sum(_is_done(x) and not objects.is_deleted(x) for x in machines)
        )

    def _goes(self, cluster: str) -> bool:
        """Tell whether the whole bay of a Cluster is being deleted."""
        planes = self._management.of_cluster(kinds.CONTROL_PLANE, cluster)
        return any(map(objects.is_deleted, planes))

    def _fail(self, item: dict[str, Any]) -> None:
        if not item.get("status"):
            status = objects.failed_machine_status(_now())
            self._management.patch_status(kinds.MACHINE, item, status)

    def _make(
        self, bay: cluster_bays.ClusterBay, item: dict[str, Any]
    ) -> float | None:
        spec, name = bay.spec(), item["metadata"]["name"]
        provider_id = bay_spec.provider_id(spec.machine(name))
        if item["spec"].get("providerID") != provider_id:
            # Before the node is made, so that a delete removes the node.
            change = objects.finalizers(item, ours=True)
            change["spec"] = {"providerID": provider_id}
            self._management.patch(kinds.MACHINE, item, change)
        wait_s = _boot_s(item) - objects.age_s(item, _now())
        if wait_s > 0:
            if not objects.is_provisioned(item):
                self._report(item, spec.control_address, registered=False)
            return wait_s
        address = spec.control_address
        if _is_real(objects.flavor_of(item), bay, name):
            address = self._add_real(bay, spec, name)
        else:
            self._add_hollow(bay, item, provider_id)
        self._report(item, address, registered=True)
        return None

    def _report(
        self, item: dict[str, Any], address: str, *, registered: bool
    ) -> None:
        status = objects.machine_status(address, _now(), registered=registered)
        self._management.patch_status(kinds.MACHINE, item, status)

    def _add_hollow(
        self,
        bay: cluster_bays.ClusterBay,
        item: dict[str, Any],
        provider_id: str,
    ) -> None:
        if objects.flavor_of(item) == flavors.UNINITIALIZED:
            provider_id = ""
        node = control_plane.hollow_node(item["metadata"]["name"])
        bay.client().create(
            "/api/v1/nodes", objects.machine_node(node, provider_id)
        )

    def _add_real(
        self, bay: cluster_bays.ClusterBay, spec: bay_spec.BaySpec, name: str
    ) -> str:
        """Create a real node, unless it exists; return its address."""
        with bay.lock, files.only_one(bay.folder, OTHERS_DEADLINE_S):
            nodes = _real_nodes(bay, spec)
            member = _member(nodes.roster, name)
            if member is not None and not member.whole:
                # A provider that was killed left it incomplete.
                nodes.remove(member)
                member = None
            if member is None:
                member = nodes.reserve(name)
                nodes.join(member)
                nodes.mark(member, whole=True)
        return member.node(spec).address

    def _remove(self, bay: cluster_bays.ClusterBay, name: str) -> None:
        if bay.state() is not cluster_bays.State.UP:
            return
        bay.drop_claim(name)
        member = _member(bay_roster.read(bay.folder), name)
        if member is None:
            bay.client().delete(f"/api/v1/nodes/{name}")
            return
        with bay.lock, files.only_one(bay.folder, OTHERS_DEADLINE_S):
            _real_nodes(bay, bay.spec()).remove(member)


def _is_real(flavor: str, bay: cluster_bays.ClusterBay, name: str) -> bool:
    if flavor == flavors.ONE_REAL:
        return bay.claim_real(name)
    return flavor == flavors.REAL


def _real_nodes(
    bay: cluster_bays.ClusterBay, spec: bay_spec.BaySpec
) -> real_nodes.RealNodes:
    timeline = bay_timeline.Timeline(bay.folder / "bay.log")
    return real_nodes.RealNodes(spec, bay.client(), timeline)


def _member(roster: bay_roster.Roster, name: str) -> bay_roster.Member | None:
    return next((m for m in roster.members if m.name == name), None)


def _is_done(item: objects.Object) -> bool:
    """Tell whether the machine's node was made."""
    return bool(item.get("status", {}).get("registered"))


def _boot_s(item: objects.Object) -> float:
    """Return the age at which a machine's node registers."""
    is_late = objects.flavor_of(item) == flavors.LATE
    return flavors.LATE_S if is_late else 0.0


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
