"""A real node: containerd, kubelet and kube-proxy in its namespaces."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path

import psutil

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import launching
from rally_magnum_sandbox.bay.spec import BaySpec
from rally_magnum_sandbox.bay.spec import RealNode
from rally_magnum_scale import waiting

PAUSE_IMAGE = "rally-magnum-sandbox/pause:1"
SOCKET = "/run/containerd/containerd.sock"
RUNTIME = "io.containerd.grpc.v1.cri"
# A socket's path has at most 107 characters, and kubelet appends 50.
KUBELET_ROOT = "/run/kubelet"
CNI_PLUGINS = "/usr/lib/cni"
CONTAINERD_DEADLINE_S = 60.0
# kubelet sets these for the whole machine unless they already have these
# values. In its mount namespace they do, because they are files of the bay.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}
FOLDERS = (
    "cni",
    "cni-cache",
    "containerd",
    "device-plugins",
    "kubelet",
    "log",
    "run",
)
# CNI and kubelet always write to these folders, whatever their configuration.
# kubelet's has a socket that two kubelets can't share.
FIXED = (Path("/var/lib/cni"), Path("/var/lib/kubelet"))
# $1 is the node's folder, $2 the image store. Containers, volumes and the
# files that containerd, CNI and kubelet write to fixed paths stay in this
# mount namespace. containerd starts with the images. Its databases are copies
# in memory, because containerd syncs every write. Blobs and unpacked layers
# are links, because containerd only reads them.
SETUP = """
mount -t tmpfs -o mode=711 containerd "$1/containerd"
blobs=io.containerd.content.v1.content/blobs/sha256
snapshotter=io.containerd.snapshotter.v1.overlayfs
mkdir -p "$1/containerd/$blobs" "$1/containerd/$snapshotter/snapshots"
ln -s "$2/$blobs/"* "$1/containerd/$blobs"
ln -s "$2/$snapshotter/snapshots/"* "$1/containerd/$snapshotter/snapshots"
cp "$2/$snapshotter/metadata.db" "$1/containerd/$snapshotter"
cp -r "$2/io.containerd.metadata.v1.bolt" "$1/containerd"
mount --bind "$1/run" /run
mkdir /run/kubelet
mount --bind "$1/kubelet" /run/kubelet
mount --bind "$1/log" /var/log
mount --bind "$1/cni-cache" /var/lib/cni
mount --bind "$1/device-plugins" /var/lib/kubelet
cd "$1/sysctl"
for name in $(find . -type f); do
    [ ! -e "/proc/sys/$name" ] || mount --bind "$name" "/proc/sys/$name"
done
cd /
"""


def containerd_config(node: RealNode) -> str:
    """Return containerd's configuration in TOML.

    ``restrict_oom_score_adj`` is set because without CAP_SYS_RESOURCE no
    process may lower its out-of-memory score, and every pod would fail.
    """
    return f"""\
version = 2
root = "{node.folder}/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{node.folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
"""


def cni_config(node: RealNode) -> dict[str, object]:
    """Return the CNI configuration of a node's pod network."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": node.pods}]],
        "dataDir": f"{node.folder}/ipam",
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": ipam,
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    plugins = [bridge, portmap]
    return {"cniVersion": "0.4.0", "name": "bay", "plugins": plugins}


def kubelet_config(
    spec: BaySpec, node: RealNode, memory_bytes: int
) -> dict[str, object]:
    """Return kubelet's configuration.

    A quarter of the memory is reserved for other programs on the machine. No
    CPU is reserved, because the published rates count whole nodes.

    :param memory_bytes: of the machine
    """
    certificate = f"{spec.folder}/kubelet-{node.number}"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{spec.folder}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{certificate}.crt",
        "tlsPrivateKeyFile": f"{certificate}.key",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "systemReserved": {"memory": f"{memory_bytes // 4 // 1024}Ki"},
        "evictionHard": {},
        "imageGCHighThresholdPercent": 100,
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "resolvConf": f"{node.folder}/resolv.conf",
        "podLogsDir": f"{node.folder}/pod-logs",
        "volumePluginDir": f"{node.folder}/volume-plugins",
        "healthzPort": 0,
        # This would watch the certificate, and inotify instances are scarce.
        "featureGates": {"ReloadKubeletServerCertificateFile": False},
        "maxPods": 110,
    }


def kube_proxy_command(spec: BaySpec, node: RealNode) -> list[str]:
    """Return kube-proxy's command line.

    It uses flags: kube-proxy would watch a configuration file, and inotify
    instances are scarce.
    """
    options = {
        "kubeconfig": f"{spec.folder}/proxy.kubeconfig",
        "bind-address": node.address,
        "cluster-cidr": spec.pod_range,
        "hostname-override": node.name,
        "proxy-mode": "iptables",
        "iptables-min-sync-period": "200ms",
        # These limits apply to the whole machine, so leave them unchanged.
        "conntrack-max-per-core": "0",
        "conntrack-min": "0",
        "conntrack-tcp-timeout-established": "0s",
        "conntrack-tcp-timeout-close-wait": "0s",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [str(spec.kubernetes_binary), "kube-proxy", *flags]


def prepare(
    spec: BaySpec, node: RealNode, launcher: launching.Launcher
) -> launching.Namespace:
    """Write a node's files and create its namespaces.

    :raises SandboxError: if the kernel refuses a mount
    """
    for name in FOLDERS:
        (node.folder / name).mkdir(parents=True)
    memory_bytes = psutil.virtual_memory().total
    kubelet = kubelet_config(spec, node, memory_bytes)
    files = {
        "containerd.toml": containerd_config(node),
        "cni/10-bay.conflist": json.dumps(cni_config(node)),
        "kubelet.json": json.dumps(kubelet),
        "resolv.conf": "",
    }
    files |= {f"sysctl/{k}": f"{v}\n" for k, v in KERNEL_SETTINGS.items()}
    for name, text in files.items():
        path = node.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in FIXED:
        path.mkdir(parents=True, exist_ok=True)
    return launcher.namespace(
        node.folder.name, SETUP, str(node.folder), str(spec.image_store)
    )


def start_containerd(
    node: RealNode, launcher: launching.Launcher, inside: launching.Namespace
) -> launching.Component:
    """Start a node's containerd and wait until it accepts connections.

    :raises SandboxError: if it exits
    :raises DeadlineExceeded: if it does not accept connections in time
    """
    config = f"{node.folder}/containerd.toml"
    component = launcher.start(
        "containerd",
        *("containerd", "--config", config),
        inside=inside,
        log_folder=node.folder,
    )
    wait_for_containerd(component)
    return component


def wait_for_containerd(component: launching.Component) -> None:
    """Wait until a started containerd accepts connections.

    :raises SandboxError: if it exits
    :raises DeadlineExceeded: if it does not accept connections in time
    """
    path = component.log.parent / SOCKET.lstrip("/")

    def answers() -> bool | None:
        component.check()
        return True if _accepts_connections(path) else None

    waiting.wait_for(
        answers,
        what=f"{component.title} to accept connections",
        deadline_s=CONTAINERD_DEADLINE_S,
        interval_s=0.02,
    )
    _check_runtime(component)


def _accepts_connections(path: Path) -> bool:
    # The socket's file proves nothing: it exists before the owner listens, and
    # stays when the owner dies. The full path may be too long for connect(2),
    # so connect through the open folder.
    with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
        folder = os.open(path.parent, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
        return True
    return False


def _check_runtime(component: launching.Component) -> None:
    # containerd responds even if it could not load the plugin for kubelet.
    for line in component.log.read_text(errors="replace").splitlines():
        if f"failed to load plugin {RUNTIME}" in line:
            raise exceptions.SandboxError(
                f"{component.title} could not load its container runtime: "
                f"{line.strip()[-300:]}. If files or inotify instances ran "
                "out, delete a bay or raise fs.inotify.max_user_instances "
                "(a real node needs about 6)."
            )


def start_kubelet(
    spec: BaySpec,
    node: RealNode,
    launcher: launching.Launcher,
    inside: launching.Namespace,
) -> list[launching.Component]:
    """Start a node's kubelet and kube-proxy; the node registers itself."""
    binary = str(spec.kubernetes_binary)
    folder = node.folder
    kubelet = (
        *(binary, "kubelet"),
        f"--config={folder}/kubelet.json",
        f"--kubeconfig={spec.folder}/kubelet-{node.number}.kubeconfig",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
        f"--provider-id={node.provider_id}",
        f"--root-dir={KUBELET_ROOT}",
        f"--cert-dir={folder}/pki",
        "--node-labels=rally-magnum-scale/real=true",
        # By default, kubelet reads CPU counters every 10 to 20 s, too rarely
        # for the short steps of a sandbox.
        "--housekeeping-interval=2s",
        *(f"--register-with-taints={taint}" for taint in spec.node_taints),
    )
    commands = {
        "kubelet": kubelet,
        "kube-proxy": kube_proxy_command(spec, node),
    }
    return [
        launcher.start(name, *command, inside=inside, log_folder=folder)
        for name, command in commands.items()
    ]
