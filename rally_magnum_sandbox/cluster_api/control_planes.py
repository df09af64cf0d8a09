"""Reconcile OpenStackClusters and SandboxControlPlanes.

The infrastructure of a Cluster is the address of its bay, and the control
plane is the bay itself. By default, the bay is created first, and only then
is the infrastructure reported as complete. So core's first connection to the
bay succeeds. A failed connection is repeated only after 30 seconds.

Real providers report the infrastructure first. ``early=False`` does that.
"""

from __future__ import annotations

import datetime
from typing import Any

from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.cluster_api import cluster_bays
from rally_magnum_sandbox.cluster_api import flavors
from rally_magnum_sandbox.cluster_api import kinds
from rally_magnum_sandbox.cluster_api import management_objects
from rally_magnum_sandbox.cluster_api import objects

# While a bay is created or its machines are deleted, look for the result this
# often. That reads a file, or the objects of a watch.
POLL_S = 0.1
# The certificate authority's secret usually exists before the Cluster.
SECRET_POLL_S = 0.5
State = cluster_bays.State


class ControlPlanes:
    """Reconciles the two kinds.

    :param management: the objects of the management cluster
    :param bays: of the Clusters
    :param early: whether to report the infrastructure only when the control
        plane is up
    """

    def __init__(
        self,
        management: management_objects.ManagementObjects,
        bays: cluster_bays.ClusterBays,
        *,
        early: bool,
    ) -> None:
        self._management = management
        self._bays = bays
        self._early = early

    def reconcile_infrastructure(self, key: str) -> float | None:
        """Reconcile an OpenStackCluster.

        :returns: the seconds after which to reconcile it again, or None
        """
        item = self._management.get(kinds.INFRASTRUCTURE, key)
        if item is None:
            return None
        cluster = objects.cluster_key(item)
        if objects.is_deleted(item):
            # The bay goes with the control plane, unless the provider has
            # never seen the control plane.
            return self._delete(
                kinds.INFRASTRUCTURE, item, kinds.CONTROL_PLANE, kinds.MACHINE
            )
        if not cluster or objects.is_provisioned(item):
            return None
        self._management.keep(kinds.INFRASTRUCTURE, item)
        bay = self._bays.find(cluster) or self._reserve(cluster)
        if bay is None:
            return SECRET_POLL_S
        if self._early and self._comes(cluster):
            if not self._is_up(bay):
                return POLL_S
            self._publish(cluster, bay, item)
        self._report_infrastructure(item, bay)
        return None

    def reconcile_control_plane(self, key: str) -> float | None:
        """Reconcile a SandboxControlPlane.

        :returns: the seconds after which to reconcile it again, or None
        """
        item = self._management.get(kinds.CONTROL_PLANE, key)
        if item is None:
            return None
        cluster = objects.cluster_key(item)
        if objects.is_deleted(item):
            return self._delete(kinds.CONTROL_PLANE, item, kinds.MACHINE)
        if not cluster:
            return None
        self._management.keep(kinds.CONTROL_PLANE, item)
        bay = self._bays.find(cluster)
        if bay is None:
            return SECRET_POLL_S
        if objects.flavor_of(item) == flavors.NO_CONTROL_PLANE:
            self._fail(item, "ScalingUp", flavors.NO_HOST_MESSAGE)
            return None
        if bay.state() is State.FAILED:
            self._fail(item, "CreateFailed", str(bay.bay.status()["reason"]))
            return None
        if not self._is_up(bay):
            return POLL_S
        self._publish(cluster, bay, item)
        self._report_control_plane(item)
        return None

    def _delete(
        self, kind: kinds.Kind, item: dict[str, Any], *earlier: kinds.Kind
    ) -> float | None:
        """Delete the bay of an object once all objects of others are gone.

        Helm deletes all objects of a bay at once, in no order.
        """
        cluster = objects.cluster_key(item)
        if cluster and any(
            self._management.of_cluster(other, cluster) for other in earlier
        ):
            return POLL_S
        self._bays.delete(cluster)
        self._management.release(kind, item)
        return None

    def _reserve(self, cluster: str) -> cluster_bays.ClusterBay | None:
        authority = self._management.secret(cluster, "ca")
        return self._bays.reserve(cluster, authority) if authority else None

    def _comes(self, cluster: str) -> bool:
        """Tell whether the flavor of a control plane lets it come."""
        planes = self._management.of_cluster(kinds.CONTROL_PLANE, cluster)
        return all(
            objects.flavor_of(plane) != flavors.NO_CONTROL_PLANE
            for plane in planes
        )

    def _is_up(self, bay: cluster_bays.ClusterBay) -> bool:
        with bay.lock:
            state = bay.state()
            if state is State.RESERVED:
                self._bays.start(bay)
        return state is State.UP

    def _publish(
        self,
        cluster: str,
        bay: cluster_bays.ClusterBay,
        owner: objects.Object,
    ) -> None:
        """Give core access to the bay."""
        if self._management.secret(cluster, "kubeconfig") is None:
            secret = objects.kubeconfig_secret(
                cluster, bay.kubeconfig(), owner
            )
            self._management.apply_secret(secret)

    def _report_infrastructure(
        self, item: dict[str, Any], bay: cluster_bays.ClusterBay
    ) -> None:
        address = bay.spec().control_address
        endpoint = {"host": address, "port": bay_spec.API_PORT}
        change = {"spec": {"controlPlaneEndpoint": endpoint}}
        self._management.patch(kinds.INFRASTRUCTURE, item, change)
        status = objects.infrastructure_status(_now())
        self._management.patch_status(kinds.INFRASTRUCTURE, item, status)

    def _report_control_plane(self, item: dict[str, Any]) -> None:
        replicas = item["spec"].get("replicas", 1)
        version = item["spec"]["version"]
        status = item.get("status", {})
        reported = status.get("replicas"), status.get("version")
        if reported != (replicas, version):
            status = objects.control_plane_status(replicas, version, _now())
            self._management.patch_status(kinds.CONTROL_PLANE, item, status)

    def _fail(self, item: dict[str, Any], reason: str, message: str) -> None:
        if not item.get("status", {}).get("conditions"):
            status = objects.failed_control_plane_status(
                reason, message, _now()
            )
            self._management.patch_status(kinds.CONTROL_PLANE, item, status)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
