"""Magnum's driver: a cluster is a bay of real Kubernetes on this machine.

The driver supports these labels, on the cluster or its template:

- ``sandbox_real_nodes``: number of real nodes, 0 to 100 (default 1);
- ``sandbox_fail_create``: a text; the create fails with it as the reason;
- ``sandbox_hang_create``: ``true``; the bay stays CREATE_IN_PROGRESS forever,
  and nothing is created;
- ``sandbox_unready_nodes``: number of hollow nodes that never become Ready,
  although Magnum reports CREATE_COMPLETE, as when kubelets fail;
- ``sandbox_node_grace_s``: seconds without a heartbeat after which Kubernetes
  considers a node lost, 20 to 600 (default 50, as in Kubernetes);
- ``sandbox_fail_resize``: a text; every resize goes through
  UPDATE_IN_PROGRESS and fails with it as the reason, and the bay keeps its
  size;
- ``sandbox_ignore_nodes_to_remove``: ``true``; a resize uses only the number
  of nodes, as some drivers do;
- ``sandbox_fail_delete``: a text; the first delete fails with it as the
  reason, the next delete succeeds;
- ``sandbox_hang_delete``: ``true``; after the first delete the bay stays
  DELETE_IN_PROGRESS; a second delete, which Magnum accepts meanwhile,
  succeeds.

The command ``rally-magnum-sandbox fault bay`` makes a create or a delete fail
without a label.

A wrong value, or a misspelt name that begins with ``sandbox_``, leads to
CREATE_FAILED with a reason that names the label.

A resize removes nodes in this order: the nodes in ``nodes_to_remove`` (each
identified by its name, its address, the uid of its Node object or the id of
its server), the hollow nodes with the highest numbers, the real nodes. Nodes
whose servers were deleted are always removed. ``node_count`` is the final
size, so a removed node may be replaced: a real node by a real node. New nodes
get names that the bay has never used. A new resize replaces a resize that is
still running.

All state is in the bay's folder, so Magnum can be restarted at any time.
"""

# Magnum defines the parameters of a driver's methods.
# ruff: noqa: ARG002

from __future__ import annotations

import pathlib
import sys
import time
import uuid
from typing import Any

import psutil
from cryptography.hazmat.primitives import serialization
from magnum import objects
from magnum.common import exception
from magnum.conductor.handlers.common import cert_manager
from magnum.drivers.common import driver
from magnum.objects import fields

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import labels as bay_labels
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_sandbox.servers import faults
from rally_magnum_scale import commands

OS_DISTRO = "rally-magnum-sandbox"
STATUS = fields.ClusterStatus


class KubernetesDriver(driver.Driver):
    """Clusters of unmodified Kubernetes with hollow and real nodes."""

    def __init__(self) -> None:
        super().__init__()
        self._settings = sandbox_settings.from_environment()
        self._bays = bay_folder.Bays(self._settings.bays_dir)
        self._faults = faults.Faults(self._settings.faults_file)

    @property
    def provides(self) -> list[dict[str, str]]:
        return [{"server_type": "vm", "os": OS_DISTRO, "coe": "kubernetes"}]

    def create_cluster(
        self, context: Any, cluster: Any, cluster_create_timeout: Any
    ) -> None:
        """Write the bay's folder and start the process that creates the bay.

        If the cluster was deleted meanwhile, this does nothing.

        :raises SandboxError: if a label is wrong; Magnum shows the message
            as the reason of CREATE_FAILED
        """
        cluster.stack_id = str(uuid.uuid4())
        cluster.coe_version = self._bays.artifacts()["kubernetes_version"]
        node_count = cluster.default_ng_worker.node_count
        labels = bay_labels.read(cluster.labels, node_count)
        certificate, key = _ca_pair(context, cluster)
        with self._bays.locked():
            if self._bays.tombstone(cluster.uuid).exists():
                # On an error Magnum would set CREATE_FAILED, and so lose the
                # earlier delete.
                return
            bay = self._bays.bay(cluster.uuid)
            bay.folder.mkdir(mode=0o700)
            _write_secret(bay.folder / "ca.crt", certificate)
            _write_secret(bay.folder / "ca.key", key)
            bay_folder.write_json(
                bay.folder / "spec.json",
                self._spec(cluster, node_count, labels),
            )
            bay.note(created_s=time.time())
            if labels.hang_create:
                bay.note(hangs=STATUS.CREATE_IN_PROGRESS)
            else:
                fault = labels.fail_create or self._fault(faults.CREATE)
                self._start_maker(bay, fault)

    def _spec(
        self, cluster: Any, node_count: int, labels: bay_labels.BayLabels
    ) -> dict[str, Any]:
        return {
            "name": cluster.name,
            "uuid": cluster.uuid,
            "index": self._bays.free_index(self._settings.bay_indexes),
            "node_count": node_count,
            "real_nodes": min(labels.real_nodes, node_count),
            "unready_nodes": labels.unready_nodes,
            "node_grace_s": labels.node_grace_s,
            "cgroup": f"{self._settings.bays_cgroup}/{cluster.uuid[:8]}",
        } | self._bays.artifacts()

    def _start_maker(self, bay: bay_folder.Bay, fault: str) -> None:
        if fault:
            bay_folder.write_json(
                bay.folder / "status.json",
                {"status": STATUS.CREATE_FAILED, "reason": fault},
            )
            return
        maker = bay_folder.start_bay_command(
            "create", bay, bay.folder / "maker.log"
        )
        bay.note(maker=maker.record())

    def delete_cluster(self, context: Any, cluster: Any) -> None:
        """Kill processes that work on the bay, and start its removal."""
        bay = self._bays.bay(cluster.uuid)
        with self._bays.locked():
            self._bays.tombstone(cluster.uuid).touch()
            if not bay.folder.exists():
                return
            notes = bay.notes()
            for name in ("maker", "resizer", "machines"):
                worker = bay_folder.Process.of(notes.get(name))
                if worker is not None:
                    worker.kill_group()
            first = not notes.get("fault_shown")
            if first and self._inject_delete_fault(bay, cluster):
                return
            remover = bay_folder.Process.of(notes.get("deleter"))
            if remover is not None and remover.alive():
                return
            bay.note(delete_reason=None, hangs=None)
            log = self._bays.delete_log(cluster.uuid)
            log.unlink(missing_ok=True)
            remover = bay_folder.start_bay_command("delete", bay, log)
            _note_if_there(bay, deleter=remover.record())

    def _inject_delete_fault(self, bay: bay_folder.Bay, cluster: Any) -> bool:
        """Make a bay's first delete fail or hang, if that was requested."""
        fault = cluster.labels.get("sandbox_fail_delete") or self._fault(
            faults.DELETE
        )
        hangs = cluster.labels.get("sandbox_hang_delete") == "true"
        if fault:
            bay.note(fault_shown=True, delete_reason=fault, deleter=None)
        elif hangs:
            bay.note(fault_shown=True, hangs=STATUS.DELETE_IN_PROGRESS)
        return bool(fault) or hangs

    def _fault(self, operation: str) -> str:
        """Return the reason why an operation must fail, or an empty text."""
        fault = self._faults.hit(faults.BAY, operation)
        return fault.reason if fault else ""

    def update_cluster_status(
        self, context: Any, cluster: Any, use_admin_ctx: bool = False
    ) -> None:
        """Copy the state in the bay's folder into Magnum's database."""
        bay = self._bays.bay(cluster.uuid)
        if cluster.status == STATUS.CREATE_IN_PROGRESS:
            # A delete that arrives meanwhile must not be overwritten.
            with self._bays.locked():
                if not self._bays.tombstone(cluster.uuid).exists():
                    self._sync_create(cluster, bay)
        elif cluster.status == STATUS.UPDATE_IN_PROGRESS:
            with self._bays.locked():
                if not self._bays.tombstone(cluster.uuid).exists():
                    self._sync_update(cluster, bay)
        elif cluster.status == STATUS.DELETE_IN_PROGRESS:
            self._sync_delete(cluster, bay)

    def _sync_create(self, cluster: Any, bay: bay_folder.Bay) -> None:
        alive = _worker_alive(bay, "maker")
        # Check the process before reading its result: it writes, then exits.
        status = bay.status()
        if status:
            _finish(cluster, status)
        elif bay.notes().get("maker") and not alive:
            reason = (
                "The process that created the bay exited without a result. "
                f"Its last line was: {_last_line(bay, 'maker.log')}"
            )
            _finish(
                cluster, {"status": STATUS.CREATE_FAILED, "reason": reason}
            )
        elif not bay.folder.exists() and _older_than_magnum(cluster):
            reason = "Magnum was restarted before the create began."
            _finish(
                cluster, {"status": STATUS.CREATE_FAILED, "reason": reason}
            )

    def _sync_update(self, cluster: Any, bay: bay_folder.Bay) -> None:
        alive = _worker_alive(bay, "resizer")
        # Check the process before reading its result: it writes, then exits.
        update = bay.update()
        if update:
            _finish(cluster, update)
        elif not alive:
            reason = (
                "The process that resized the bay exited without a result. "
                f"Its last line was: {_last_line(bay, 'resize.log')}"
            )
            _finish(
                cluster, {"status": STATUS.UPDATE_FAILED, "reason": reason}
            )

    def _sync_delete(self, cluster: Any, bay: bay_folder.Bay) -> None:
        notes = bay.notes()
        remover = bay_folder.Process.of(notes.get("deleter"))
        alive = remover is not None and remover.alive()
        if not bay.folder.exists():
            if not alive:
                cluster.status = STATUS.DELETE_COMPLETE
                cluster.status_reason = None
                cluster.save()
                self._bays.delete_log(cluster.uuid).unlink(missing_ok=True)
        elif notes.get("delete_reason"):
            _fail_delete(cluster, notes["delete_reason"])
        elif remover is not None and not alive and bay.folder.exists():
            line = commands.last_line(self._bays.delete_log(cluster.uuid))
            _fail_delete(
                cluster, line or "The process that removed the bay was killed."
            )

    def update_cluster(
        self,
        context: Any,
        cluster: Any,
        scale_manager: Any = None,
        rollback: bool = False,
    ) -> None:
        """Resize the bay to the current size of its node group."""
        self._resize(cluster, cluster.default_ng_worker.node_count, [])

    def resize_cluster(
        self,
        context: Any,
        cluster: Any,
        resize_manager: Any,
        node_count: int,
        nodes_to_remove: Any,
        nodegroup: Any = None,
    ) -> None:
        """Record the desired size and start the resize."""
        self._resize(cluster, node_count, nodes_to_remove or [])
        if cluster.status == STATUS.UPDATE_IN_PROGRESS:
            # Magnum saves only the fields that it considers changed, and an
            # earlier resize may have finished meanwhile.
            fresh = objects.Cluster.get_by_uuid(context, cluster.uuid)
            fresh.status = STATUS.UPDATE_IN_PROGRESS
            fresh.save()

    def _resize(
        self, cluster: Any, node_count: int, remove: list[str]
    ) -> None:
        labels = bay_labels.read(cluster.labels, sys.maxsize)
        with self._bays.locked():
            bay = self._bays.bay(cluster.uuid)
            if self._bays.tombstone(cluster.uuid).exists():
                raise exceptions.SandboxError("The cluster is being deleted.")
            if not bay.status():
                raise exceptions.SandboxError(
                    f"Can't resize the bay {cluster.name}: its folder "
                    f"{bay.folder} is missing or broken. Delete the bay."
                )
            named = [] if labels.ignore_nodes_to_remove else remove
            bay.wish(node_count, labels.real_nodes, named)
            if labels.fail_resize:
                bay.refuse_wish(STATUS.UPDATE_FAILED, labels.fail_resize)
                return
            resizer = bay_folder.start_bay_command(
                "resize", bay, bay.folder / "resize.log"
            )
            bay.note(resizer=resizer.record())

    def upgrade_cluster(self, *args: Any, **kwargs: Any) -> None:
        raise exception.NotSupported(operation="upgrade of a sandbox bay")

    def get_scale_manager(
        self, context: Any, osclient: Any, cluster: Any
    ) -> None:
        return None

    def validate_master_resize(self, node_count: int) -> None:
        raise exception.MasterNGResizeNotAllowed()

    def _no_nodegroups(self, *args: Any, **kwargs: Any) -> None:
        raise exception.NotSupported(operation="node groups of a sandbox bay")

    create_nodegroup = update_nodegroup = delete_nodegroup = _no_nodegroups

    def _no_federations(self, *args: Any, **kwargs: Any) -> None:
        raise exception.NotSupported(operation="federations")

    create_federation = update_federation = _no_federations
    delete_federation = _no_federations


def _ca_pair(context: Any, cluster: Any) -> tuple[bytes, bytes]:
    ca = cert_manager.get_cluster_ca_certificate(cluster, context)
    key = serialization.load_pem_private_key(
        _bytes(ca.get_private_key()),
        _bytes(ca.get_private_key_passphrase()),
    )
    plain = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return _bytes(ca.get_certificate()), plain


def _bytes(text: Any) -> bytes:
    return text.encode() if isinstance(text, str) else bytes(text)


def _write_secret(path: pathlib.Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def _worker_alive(bay: bay_folder.Bay, name: str) -> bool:
    worker = bay_folder.Process.of(bay.notes().get(name))
    return worker is not None and worker.alive()


def _last_line(bay: bay_folder.Bay, log: str) -> str:
    line = commands.last_line(bay.folder / log) or bay.log_tail()
    return line or "(nothing)"


def _older_than_magnum(cluster: Any) -> bool:
    started_s = psutil.Process().create_time()
    return bool(cluster.created_at.timestamp() < started_s)


def _note_if_there(bay: bay_folder.Bay, **values: Any) -> None:
    # The removal may have finished before it is noted.
    try:
        if bay.folder.exists():
            bay.note(**values)
    except FileNotFoundError:
        return


def _finish(cluster: Any, status: dict[str, Any]) -> None:
    cluster.status = status["status"]
    cluster.status_reason = status.get("reason") or None
    if status.get("api_address"):
        cluster.api_address = status["api_address"]
    resized = str(cluster.status).startswith("UPDATE_")
    for group in cluster.nodegroups:
        if group.role == "master" and resized:
            continue
        group.status = cluster.status
        group.status_reason = cluster.status_reason
        if group.role != "master":
            if "node_addresses" in status:
                group.node_addresses = status["node_addresses"]
            if "node_count" in status:
                group.node_count = status["node_count"]
        group.save()
    cluster.save()


def _fail_delete(cluster: Any, reason: str) -> None:
    cluster.status = STATUS.DELETE_FAILED
    cluster.status_reason = reason
    cluster.save()
