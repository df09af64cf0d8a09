"""The bays of Clusters: find, create and delete them.

The bay of a Cluster is an ordinary bay without nodes. The file
``cluster.json`` in its folder names the Cluster. So the provider finds its
bays again after a restart.
"""

from __future__ import annotations

import base64
import enum
import threading
import time
from pathlib import Path
from typing import Any

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import creation
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay import roster as bay_roster
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.cluster_api import kinds
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import commands
from rally_magnum_scale import waiting

FILE = "cluster.json"
DELETE_DEADLINE_S = 120.0
# magnum-capi-helm labels the secrets of a Cluster with the id of the bay.
UUID_LABEL = "magnum.openstack.org/cluster-uuid"


class State(enum.Enum):
    """The state of a bay's control plane."""

    RESERVED = "reserved"
    CREATING = "creating"
    UP = "up"
    FAILED = "failed"


class ClusterBay:
    """The bay of a Cluster.

    :param folder: of the bay
    """

    def __init__(self, folder: Path) -> None:
        self.bay = bay_folder.Bay(folder)
        # For changes of the bay's real nodes, and of its spec.
        self.lock = threading.Lock()
        self._claim = ""
        self._client: api.ApiClient | None = None

    @property
    def folder(self) -> Path:
        return self.bay.folder

    @property
    def cluster(self) -> str:
        """The key of the Cluster."""
        return str(files.read_json(self.folder / FILE)["cluster"])

    def spec(self) -> bay_spec.BaySpec:
        return bay_spec.read_spec(self.folder)

    def state(self) -> State:
        maker = bay_folder.Process.of(self.bay.notes().get("maker"))
        # Check the process before reading its result: it writes, then exits.
        alive = maker is not None and maker.alive()
        status = self.bay.status().get("status")
        if status == creation.COMPLETE:
            return State.UP
        if status:
            return State.FAILED
        # A maker that was killed without a result is started again.
        return State.CREATING if alive else State.RESERVED

    def client(self) -> api.ApiClient:
        """Return a client of the bay's API server."""
        if self._client is None:
            address = self.spec().control_address
            self._client = api.ApiClient(
                address, bay_spec.API_PORT, self.folder
            )
        return self._client

    def kubeconfig(self) -> str:
        """Return an administrator's kubeconfig."""
        return (self.folder / "maker.kubeconfig").read_text()

    def claim_real(self, name: str) -> bool:
        """Tell whether a machine is the bay's only real node, or becomes it.

        :param name: of the machine
        """
        with self.lock:
            members = bay_roster.read(self.folder).members
            if not members and self._claim in ("", name):
                self._claim = name
                return True
            return any(member.name == name for member in members)

    def drop_claim(self, name: str) -> None:
        """Let another machine become the bay's only real node."""
        with self.lock:
            if self._claim == name:
                self._claim = ""

    def write_size(self, node_count: int) -> None:
        """Write the number of nodes into the bay's spec, for ``status``."""
        with self.lock:
            members = bay_roster.read(self.folder).members
            real = sum(member.whole for member in members)
            size = {
                "node_count": max(node_count, real),
                "real_nodes": real,
            }
            path = self.folder / "spec.json"
            files.write_json(path, files.read_json(path) | size)


class ClusterBays:
    """The bays of all Clusters.

    :param settings: of the sandbox
    """

    def __init__(self, settings: sandbox_settings.Settings) -> None:
        self._settings = settings
        self._bays = bay_folder.Bays(settings.bays_dir)
        self._lock = threading.Lock()
        self._found = {
            bay.cluster: bay
            for folder in sorted(settings.bays_dir.glob(f"*/{FILE}"))
            for bay in [ClusterBay(folder.parent)]
        }

    def find(self, cluster: str) -> ClusterBay | None:
        """Return the bay of a Cluster, or None if it has none.

        :param cluster: the key of the Cluster
        """
        return self._found.get(cluster)

    def reserve(self, cluster: str, secret: dict[str, Any]) -> ClusterBay:
        """Create the folder of a Cluster's bay, and so choose its address.

        :param cluster: the key of the Cluster
        :param secret: with the Cluster's certificate authority
        :raises SandboxError: if the sandbox has no index left
        """
        with self._lock, self._bays.locked():
            found = self._found.get(cluster)
            if found is None:
                found = self._reserve(cluster, secret)
                self._found[cluster] = found
        return found

    def _reserve(self, cluster: str, secret: dict[str, Any]) -> ClusterBay:
        metadata = secret["metadata"]
        labels = metadata.get("labels", {})
        uuid = labels.get(UUID_LABEL, metadata["uid"])
        bay = self._bays.bay(uuid)
        # A provider that was killed may have left the folder without its
        # cluster.json.
        bay.folder.mkdir(mode=0o700, exist_ok=True)
        for name in ("crt", "key"):
            path = bay.folder / f"ca.{name}"
            path.touch(mode=0o600)
            path.write_bytes(base64.b64decode(secret["data"][f"tls.{name}"]))
        bay.note(created_s=time.time(), hangs="CREATE_IN_PROGRESS")
        bay_folder.write_json(
            bay.folder / "spec.json",
            {
                "name": cluster.split("/")[1],
                "uuid": uuid,
                "index": self._bays.free_index(self._settings.bay_indexes),
                "node_count": 0,
                "real_nodes": 0,
                "node_taints": [f"{kinds.UNINITIALIZED}:NoSchedule"],
                "cgroup": f"{self._settings.bays_cgroup}/{uuid[:8]}",
            }
            | self._bays.artifacts(),
        )
        bay_folder.write_json(bay.folder / FILE, {"cluster": cluster})
        return ClusterBay(bay.folder)

    def start(self, bay: ClusterBay) -> None:
        """Start the process that creates a reserved bay's control plane."""
        log = bay.folder / "maker.log"
        maker = bay_folder.start_bay_command("create", bay.bay, log)
        bay.bay.note(maker=maker.record(), hangs=None)

    def delete(self, cluster: str) -> None:
        """Delete a Cluster's bay and wait until it is gone.

        :param cluster: the key of the Cluster
        :raises SandboxError: if a part of the bay is left; it can be repeated
        """
        found = self._found.get(cluster)
        if found is None:
            return
        if found.folder.exists():
            self._delete(found)
        self._found.pop(cluster, None)

    def _delete(self, found: ClusterBay) -> None:
        maker = bay_folder.Process.of(found.bay.notes().get("maker"))
        if maker is not None:
            maker.kill_group()
        log = self._bays.delete_log(found.bay.uuid)
        log.unlink(missing_ok=True)
        deleter = bay_folder.start_bay_command("delete", found.bay, log)
        found.bay.note(deleter=deleter.record())
        waiting.wait_for(
            lambda: None if deleter.alive() else True,
            what=f"the bay in {found.folder} to be deleted",
            deadline_s=DELETE_DEADLINE_S,
            interval_s=0.05,
        )
        if found.folder.exists():
            raise exceptions.SandboxError(
                f"The bay in {found.folder} was not deleted: "
                f"{commands.last_line(log) or 'the process was killed'}"
            )
        log.unlink(missing_ok=True)
