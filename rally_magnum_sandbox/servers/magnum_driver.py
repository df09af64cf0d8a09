"""Magnum's driver: a cluster is a bay of real Kubernetes on this machine.

Labels that it knows, of the cluster or its template:

- ``sandbox_real_nodes``: how many of the nodes are real, 0 to 100
  (default 1);
- ``sandbox_fail_create``: a text; the create fails with it as reason;
- ``sandbox_hang_create``: ``true``; the bay stays CREATE_IN_PROGRESS for
  ever, and nothing is made;
- ``sandbox_unready_nodes``: how many of the hollow nodes never become
  Ready, though Magnum says CREATE_COMPLETE, as when kubelets fail;
- ``sandbox_node_grace_s``: for how many seconds a node may be silent before
  Kubernetes takes it for lost, 20 to 600 (default 50, as Kubernetes has it);
- ``sandbox_fail_resize``: a text; every resize fails with it as reason,
  after it was UPDATE_IN_PROGRESS, and the bay keeps its size;
- ``sandbox_ignore_nodes_to_remove``: ``true``; a resize looks at the
  number of nodes alone, as some drivers do;
- ``sandbox_fail_delete``: a text; the first delete fails with it as
  reason, the next one works;
- ``sandbox_hang_delete``: ``true``; after the first delete the bay stays
  DELETE_IN_PROGRESS; a second one, which Magnum accepts meanwhile, works.

A wrong value, or a misspelt name that begins with ``sandbox_``, makes
CREATE_FAILED with a sentence that names the label.

A resize removes the nodes that ``nodes_to_remove`` names (each by its
name, its address, the uid of its Node object or the id of its server),
then the hollow nodes with the highest numbers, then the real ones.  Nodes
whose servers were deleted go in any case.  ``node_count`` is the size in the
end: who is named and leaves room is replaced, a real node by a real one.
New nodes have names that the bay never had.  A resize that comes while
another one works takes its place.

All state is in the bay's folder, so that Magnum may be restarted at any
time.
"""

# Magnum decides what a driver's methods are called with.
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
from rally_magnum_scale import commands

OS_DISTRO = "rally-magnum-sandbox"
STATUS = fields.ClusterStatus


class KubernetesDriver(driver.Driver):
    """Clusters of unmodified Kubernetes with hollow and real nodes."""

    def __init__(self) -> None:
        super().__init__()
        self._settings = sandbox_settings.from_environment()
        self._bays = bay_folder.Bays(self._settings.bays_dir)

    @property
    def provides(self) -> list[dict[str, str]]:
        return [{"server_type": "vm", "os": OS_DISTRO, "coe": "kubernetes"}]

    def create_cluster(
        self, context: Any, cluster: Any, cluster_create_timeout: Any
    ) -> None:
        """Write the bay's folder and start what makes the bay.

        Of a cluster that was deleted meanwhile nothing is made.

        :raises SandboxError: when a label is wrong; Magnum then shows it
            as the reason of CREATE_FAILED
        """
        cluster.stack_id = str(uuid.uuid4())
        cluster.coe_version = self._bays.artifacts()["kubernetes_version"]
        node_count = cluster.default_ng_worker.node_count
        labels = bay_labels.read(cluster.labels, node_count)
        certificate, key = _ca_pair(context, cluster)
        with self._bays.locked():
            if self._bays.tombstone(cluster.uuid).exists():
                # Of an error Magnum would make CREATE_FAILED, and so forget
                # the delete that came before.
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
                self._start_maker(bay, labels.fail_create)

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
        """End what makes the bay, and start what removes it."""
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
            if not notes.get("fault_shown") and _spoil_delete(bay, cluster):
                return
            remover = bay_folder.Process.of(notes.get("deleter"))
            if remover is not None and remover.alive():
                return
            bay.note(delete_reason=None, hangs=None)
            log = self._bays.delete_log(cluster.uuid)
            log.unlink(missing_ok=True)
            remover = bay_folder.start_bay_command("delete", bay, log)
            _note_if_there(bay, deleter=remover.record())

    def update_cluster_status(
        self, context: Any, cluster: Any, use_admin_ctx: bool = False
    ) -> None:
        """Copy what the bay's folder says into Magnum's database."""
        bay = self._bays.bay(cluster.uuid)
        if cluster.status == STATUS.CREATE_IN_PROGRESS:
            # A delete that comes meanwhile must have the last word.
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
        # Read after looking at the process: it writes, then ends.
        status = bay.status()
        if status:
            _finish(cluster, status)
        elif bay.notes().get("maker") and not alive:
            reason = (
                "The process that made the bay ended without a result; "
                f"its last line was: {_last_words(bay, 'maker.log')}"
            )
            _finish(
                cluster, {"status": STATUS.CREATE_FAILED, "reason": reason}
            )
        elif not bay.folder.exists() and _older_than_magnum(cluster):
            reason = "Magnum was restarted before the bay was begun."
            _finish(
                cluster, {"status": STATUS.CREATE_FAILED, "reason": reason}
            )

    def _sync_update(self, cluster: Any, bay: bay_folder.Bay) -> None:
        alive = _worker_alive(bay, "resizer")
        # Read after looking at the process: it writes, then ends.
        update = bay.update()
        if update:
            _finish(cluster, update)
        elif not alive:
            reason = (
                "The process that resized the bay ended without a result; "
                f"its last line was: {_last_words(bay, 'resize.log')}"
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
            said = commands.last_line(self._bays.delete_log(cluster.uuid))
            _fail_delete(
                cluster, said or "The process that removed the bay was killed."
            )

    def update_cluster(
        self,
        context: Any,
        cluster: Any,
        scale_manager: Any = None,
        rollback: bool = False,
    ) -> None:
        """Resize the bay to what its node group says now."""
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
        """Write the wish down and start what fulfils it."""
        self._resize(cluster, node_count, nodes_to_remove or [])
        if cluster.status == STATUS.UPDATE_IN_PROGRESS:
            # Magnum saves what it takes for a change, and an earlier
            # resize may have ended meanwhile.
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
                    f"The bay {cluster.name} can't be resized, since its "
                    f"folder {bay.folder} is gone or broken; delete it."
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


def _spoil_delete(bay: bay_folder.Bay, cluster: Any) -> bool:
    """Let a bay's first delete fail or hang, if its labels say so."""
    fault = cluster.labels.get("sandbox_fail_delete")
    hangs = cluster.labels.get("sandbox_hang_delete") == "true"
    if fault:
        bay.note(fault_shown=True, delete_reason=fault, deleter=None)
    elif hangs:
        bay.note(fault_shown=True, hangs=STATUS.DELETE_IN_PROGRESS)
    return bool(fault) or hangs


def _last_words(bay: bay_folder.Bay, log: str) -> str:
    said = commands.last_line(bay.folder / log) or bay.log_tail()
    return said or "(nothing)"


def _older_than_magnum(cluster: Any) -> bool:
    started_s = psutil.Process().create_time()
    return bool(cluster.created_at.timestamp() < started_s)


def _note_if_there(bay: bay_folder.Bay, **values: Any) -> None:
    # A removal may be over before it is noted.
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
