"""The command lines of a bay's control plane."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rally_magnum_sandbox.bay.spec import API_PORT
from rally_magnum_sandbox.bay.spec import BaySpec

ETCD = "http://127.0.0.1:2379"
PEER = "http://127.0.0.1:2380"
HOLLOW = "kwok.x-k8s.io/node"
HOLLOW_LABEL = "rally-magnum-scale/hollow"
HOLLOW_NODES = Path(__file__).with_name("hollow_nodes.yaml")
# The lease duration as a multiple of the grace period. KWOK renews a lease
# after a quarter of its duration, so after half of the grace period. With
# kubelet's 40 s, a thousand nodes would send 100 requests per second and use
# CPU time on the machine that the load is measured on.
HOLLOW_LEASE_OF_GRACE = 2
# The first of 251 user ids, one for each bay, above those of useradd.
FIRST_USER = 64500
# The request limits of the controllers and the scheduler. With the defaults,
# a thousand nodes would wait for minutes.
CLIENT_RATES = {"kube-api-qps": "300", "kube-api-burst": "500"}


# The etcd has one member and its data need not survive a crash. So it does not
# sync to disk, and its leader election has a short timeout.
ETCD_OPTIONS = {
    "name": "bay",
    "heartbeat-interval": "20",
    "election-timeout": "200",
    "unsafe-no-fsync": "true",
    "log-level": "warn",
}


def etcd(spec: BaySpec) -> list[str]:
    """Return etcd's command line."""
    return _command(
        spec,
        "etcd",
        {
            **ETCD_OPTIONS,
            "data-dir": str(spec.folder / "etcd"),
            "listen-client-urls": ETCD,
            "advertise-client-urls": ETCD,
            "listen-peer-urls": PEER,
            "initial-advertise-peer-urls": PEER,
            "initial-cluster": f"bay={PEER}",
        },
    )


def api_server(spec: BaySpec) -> list[str]:
    """Return kube-apiserver's command line."""
    folder = spec.folder
    kubelet = folder / "apiserver-kubelet"
    return _as_bay_user(
        spec,
        "kube-apiserver",
        {
            "etcd-servers": ETCD,
            "bind-address": "0.0.0.0",  # noqa: S104 - of its own namespace
            "advertise-address": spec.control_address,
            "secure-port": str(API_PORT),
            "client-ca-file": str(folder / "ca.crt"),
            "tls-cert-file": str(folder / "apiserver.crt"),
            "tls-private-key-file": str(folder / "apiserver.key"),
            "service-account-key-file": str(folder / "service-account.pub"),
            "service-account-signing-key-file": str(
                folder / "service-account.key"
            ),
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-cluster-ip-range": spec.service_range,
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": "true",
            "kubelet-certificate-authority": str(folder / "ca.crt"),
            "kubelet-client-certificate": f"{kubelet}.crt",
            "kubelet-client-key": f"{kubelet}.key",
            "kubelet-preferred-address-types": "InternalIP",
        },
    )


def controller_manager(spec: BaySpec) -> list[str]:
    """Return kube-controller-manager's command line."""
    folder = spec.folder
    return _as_bay_user(
        spec,
        "kube-controller-manager",
        {
            "kubeconfig": str(folder / "controller-manager.kubeconfig"),
            "service-account-private-key-file": str(
                folder / "service-account.key"
            ),
            "root-ca-file": str(folder / "ca.crt"),
            "cluster-signing-cert-file": str(folder / "ca.crt"),
            "cluster-signing-key-file": str(folder / "ca.key"),
            "use-service-account-credentials": "true",
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            "node-monitor-grace-period": f"{spec.node_grace_s}s",
            **CLIENT_RATES,
        },
    )


def scheduler(spec: BaySpec) -> list[str]:
    """Return kube-scheduler's command line."""
    return _command(
        spec,
        "kube-scheduler",
        {
            "kubeconfig": str(spec.folder / "scheduler.kubeconfig"),
            "leader-elect": "false",
            "bind-address": "127.0.0.1",
            **CLIENT_RATES,
        },
    )


def kwok(spec: BaySpec) -> list[str]:
    """Return the command line of KWOK, which simulates the hollow nodes."""
    return _command(
        spec,
        "kwok",
        {
            "kubeconfig": str(spec.folder / "kwok.kubeconfig"),
            "manage-all-nodes": "false",
            "manage-nodes-with-annotation-selector": f"{HOLLOW}=fake",
            "node-ip": spec.control_address,
            "cidr": spec.hollow_pod_range,
            "config": str(HOLLOW_NODES),
            "node-lease-duration-seconds": str(
                HOLLOW_LEASE_OF_GRACE * spec.node_grace_s
            ),
            "server-address": "127.0.0.1:10247",
        },
    )


def hollow_node(name: str, *, works: bool = True) -> dict[str, object]:
    """Return a hollow node as a kubelet would register it.

    :param name: of the node
    :param works: whether KWOK makes the node Ready; if not, it never becomes
        Ready
    :returns: a Node object
    """
    not_ready = {
        "type": "Ready",
        "status": "False",
        "reason": "KubeletNotReady",
        "message": "requested by the label sandbox_unready_nodes",
    }
    resources = {
        "cpu": "4",
        "memory": "8Gi",
        "ephemeral-storage": "50Gi",
        "pods": "110",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {HOLLOW: "fake"} if works else {},
            "labels": {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                HOLLOW_LABEL: "true",
                "type": "kwok",
            },
        },
        "spec": {
            "taints": [
                {"key": HOLLOW, "value": "fake", "effect": "NoSchedule"}
            ]
        },
        "status": {
            "allocatable": resources,
            "capacity": resources,
            "conditions": [] if works else [not_ready],
        },
    }


def _as_bay_user(
    spec: BaySpec, component: str, options: Mapping[str, str]
) -> list[str]:
    """Run a component as the bay's own user.

    The kernel limits inotify instances per user (128 by default,
    fs.inotify.max_user_instances). The API server and the controllers use 8
    per bay. kubelet and containerd, which must run as root, use 7 per real
    node.
    """
    user = str(FIRST_USER + spec.index)
    # The component may read root's files, and has no other capability.
    capabilities = "-all,+dac_read_search"
    return [
        *("setpriv", "--reuid", user, "--regid", user, "--clear-groups"),
        *("--inh-caps", capabilities, "--ambient-caps", capabilities),
        *_command(spec, component, options),
    ]


def _command(
    spec: BaySpec, component: str, options: Mapping[str, str]
) -> list[str]:
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [str(spec.kubernetes_binary), component, *flags]
