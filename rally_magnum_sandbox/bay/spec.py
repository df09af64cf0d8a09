"""The description of a bay, and the names and addresses derived from it."""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
from pathlib import Path

from rally_magnum_sandbox import exceptions

MAX_INDEX = 250
MAX_REAL_NODES = 100
API_PORT = 6443
LINK_LENGTH = 24
# The default of Kubernetes 1.33. A kubelet sends a heartbeat every 10 s, so
# with less than twice that, a late heartbeat would make a node count as lost.
NODE_GRACE_S = 50
LEAST_NODE_GRACE_S = 20
HIDDEN = ("/run", "/var/run", "/var/log")


@dataclasses.dataclass(frozen=True)
class RealNode:
    """A node that runs containers.

    :param name: of the Node object
    :param number: from 0; never reused in its bay
    :param address: on the bay's link
    :param pods: the address range of its pods
    :param folder: contains all files that the node writes
    :param cgroup: its pods' control group, relative to a hierarchy
    :param machine: the id of its server in the cloud
    """

    name: str
    number: int
    address: str
    pods: str
    folder: Path
    cgroup: str
    machine: str

    @property
    def link(self) -> str:
        """The bridge's end of the node's link, in the control namespace."""
        return f"node{self.number}"

    @property
    def port(self) -> str:
        """The id of its port in the cloud."""
        return _made_of(self.machine, "port")

    @property
    def provider_id(self) -> str:
        """The providerID that OpenStack's cloud provider sets in a Node."""
        return provider_id(self.machine)


@dataclasses.dataclass(frozen=True)
class BaySpec:
    """A bay as requested.

    :param folder: contains all files of the bay
    :param name: prefix of the nodes' names
    :param uuid: the bay's id
    :param index: 0 to 250, unique among the existing bays; determines the
        addresses
    :param node_count: number of worker nodes, real and hollow
    :param real_nodes: number of worker nodes that run containers
    :param kubernetes_binary: the binary that contains every component
    :param image_store: root folder of a containerd with the images that each
        real node starts with
    :param cgroup: the bay's control group, relative to each hierarchy's
        root
    :param unready_nodes: number of the initial hollow nodes that never
        become Ready
    :param node_grace_s: seconds without a heartbeat after which Kubernetes
        considers a node lost
    :param node_taints: taints that a real node's kubelet registers with,
        each as ``key=value:effect`` or ``key:effect``
    """

    folder: Path
    name: str
    uuid: str
    index: int
    node_count: int
    real_nodes: int
    kubernetes_binary: Path
    image_store: Path
    cgroup: str
    unready_nodes: int = 0
    node_grace_s: int = NODE_GRACE_S
    node_taints: tuple[str, ...] = ()

    @property
    def host_link(self) -> str:
        """The host's end of the only link between host and bay."""
        return f"rmsb{self.index}"

    @property
    def host_address(self) -> str:
        return f"{self._network}.254"

    @property
    def control_address(self) -> str:
        return f"{self._network}.1"

    @property
    def api_address(self) -> str:
        return f"https://{self.control_address}:{API_PORT}"

    @property
    def service_range(self) -> str:
        return f"10.254.{self.index}.0/24"

    @property
    def first_service_address(self) -> str:
        """The address of the Service ``kubernetes``, the API server."""
        return f"10.254.{self.index}.1"

    @property
    def pod_range(self) -> str:
        """The range of all pods of the bay; not routed outside the bay."""
        return f"{self._pods}.0.0/16"

    @property
    def hollow_pod_range(self) -> str:
        return f"{self._pods}.128.0/17"

    @property
    def hollow_names(self) -> list[str]:
        """Names of the initial hollow nodes."""
        count = self.node_count - self.real_nodes
        return [self.hollow_name(i) for i in range(1, count + 1)]

    @property
    def nodes(self) -> list[RealNode]:
        """The initial real nodes."""
        return [self.node(number, number) for number in range(self.real_nodes)]

    def hollow_name(self, number: int) -> str:
        """Return the name of a hollow node, counted from 1."""
        return f"{self._prefix}-hollow-{number:04d}"

    def node(self, number: int, slot: int, name: str = "") -> RealNode:
        """Return a real node.

        :param number: of the node, from 0
        :param slot: the number in its addresses, from 0
        :param name: of its Node object; by default one with the number
        """
        name = name or f"{self._prefix}-node-{number}"
        return RealNode(
            name=name,
            number=number,
            address=f"{self._network}.{10 + slot}",
            pods=f"{self._pods}.{slot}.0/24",
            folder=self.folder / f"node-{number}",
            cgroup=f"{self.cgroup}/node-{number}",
            machine=self.machine(name),
        )

    def machine(self, name: str) -> str:
        """Return the id of the server of the node with a name."""
        return _made_of(self.uuid, name)

    @property
    def _network(self) -> str:
        # RFC 2544 reserves 198.18.0.0/15 for benchmarks.
        return f"198.18.{self.index}"

    @property
    def _pods(self) -> str:
        # RFC 6598: 100.64.0.0/10 contains 64 ranges of this size.
        return f"100.{64 + self.index % 64}"

    @property
    def _prefix(self) -> str:
        name = re.sub(r"[^a-z0-9]+", "-", self.name.lower())[:40].strip("-")
        return name or f"bay-{self.uuid[:8]}"


def read_spec(folder: Path) -> BaySpec:
    """Read ``spec.json`` of a bay's folder.

    :param folder: of the bay
    :raises SandboxError: if the file is missing, broken or has impossible
        values; the message names the key
    """
    path = folder / "spec.json"
    try:
        values = json.loads(path.read_text())
        spec = BaySpec(
            folder=folder,
            name=str(values["name"]),
            uuid=str(values["uuid"]),
            index=int(values["index"]),
            node_count=int(values["node_count"]),
            real_nodes=int(values["real_nodes"]),
            kubernetes_binary=Path(values["kubernetes_binary"]),
            image_store=Path(values["image_store"]),
            cgroup=str(values["cgroup"]).strip("/"),
            unready_nodes=int(values.get("unready_nodes", 0)),
            node_grace_s=int(values.get("node_grace_s", NODE_GRACE_S)),
            node_taints=tuple(map(str, values.get("node_taints", ()))),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise exceptions.SandboxError(
            f"The bay's description {path} is invalid: "
            f"{type(error).__name__} {error}. Write it again."
        ) from error
    _check(spec, path)
    return spec


def provider_id(machine: str) -> str:
    """Return the providerID that OpenStack's cloud provider sets in a Node.

    :param machine: the id of the node's server
    """
    return f"openstack:///{machine}"


def _made_of(*parts: str) -> str:
    """Return a UUID that always is the same for these parts."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(parts)))


def _check(spec: BaySpec, path: Path) -> None:
    most = min(spec.node_count, MAX_REAL_NODES)
    paths = (spec.folder, spec.kubernetes_binary, spec.image_store)
    hidden = [
        str(path)
        for path in paths
        if any(path.is_relative_to(place) for place in HIDDEN)
    ]
    wrong = [
        sentence
        for holds, sentence in (
            (0 <= spec.index <= MAX_INDEX, f"index is not 0 to {MAX_INDEX}"),
            (spec.node_count >= 0, "node_count is below 0"),
            (0 <= spec.real_nodes <= most, f"real_nodes is not 0 to {most}"),
            (
                not hidden,
                f"{', '.join(hidden)} would be hidden from real nodes, "
                f"which have their own {' and '.join(HIDDEN)}",
            ),
            (
                bool(spec.cgroup) and ".." not in spec.cgroup,
                "cgroup is empty or contains '..'",
            ),
        )
        if not holds
    ]
    if wrong:
        raise exceptions.SandboxError(
            f"The bay's description {path} has impossible values: "
            f"{'; '.join(wrong)}."
        )
