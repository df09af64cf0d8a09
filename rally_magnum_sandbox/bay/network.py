"""A bay's network: one bridge in a namespace, with a link to each real node.

The control plane is in the bridge's namespace, so each bay can use the
standard ports. On the host, a bay adds one link and one connected route, and
changes nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence

from rally_magnum_sandbox.bay import launching
from rally_magnum_sandbox.bay.spec import LINK_LENGTH
from rally_magnum_sandbox.bay.spec import BaySpec
from rally_magnum_sandbox.bay.spec import RealNode

BRIDGE = "bay0"
# A node forwards its pods' packets. It also filters bridged packets with
# iptables; otherwise a pod can't reach a Service that it serves itself.
NODE_SETTINGS = (
    "echo 1 > /proc/sys/net/ipv4/ip_forward && "
    "echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables"
)


def control_commands(spec: BaySpec) -> list[str]:
    """List the ``ip -batch`` commands for the control plane's namespace.

    The bridge gets a fixed MAC address. By default it uses the address of one
    of its links. When that link is added or removed, the other nodes would
    send to a stale address until their ARP entry expires after half a minute.
    """
    hardware = f"02:00:c6:12:{spec.index:02x}:01"
    address = f"{spec.control_address}/{LINK_LENGTH}"
    return [
        "link set lo up",
        f"link add {BRIDGE} address {hardware} type bridge",
        f"address add {address} dev {BRIDGE}",
        f"link set {BRIDGE} up",
        f"link set host master {BRIDGE} up",
    ]


def host_commands(spec: BaySpec, control_pid: int) -> list[str]:
    """List the commands for the host, which run first."""
    link, address = spec.host_link, f"{spec.host_address}/{LINK_LENGTH}"
    return [
        f"link add {link} type veth peer name host netns {control_pid}",
        f"address add {address} dev {link}",
        f"link set {link} up",
    ]


def attach_commands(node: RealNode, node_pid: int) -> list[str]:
    """List the commands that attach a node, in the control namespace."""
    peer = f"peer name eth0 netns {node_pid}"
    return [
        f"link add {node.link} type veth {peer}",
        f"link set {node.link} master {BRIDGE} up",
        f"route add {node.pods} via {node.address} dev {BRIDGE}",
    ]


def node_commands(
    spec: BaySpec, node: RealNode, others: Sequence[RealNode]
) -> list[str]:
    """List the commands for a node's namespace, which run last."""
    return [
        "link set lo up",
        f"address add {node.address}/{LINK_LENGTH} dev eth0",
        "link set eth0 up",
        f"route add default via {spec.control_address}",
        *(f"route add {x.pods} via {x.address} dev eth0" for x in others),
    ]


def make_control_network(spec: BaySpec, control: launching.Namespace) -> None:
    """Create the bridge and the host's link to it.

    :raises SandboxError: if the kernel refuses, for example because the link
        already exists
    """
    batch(host_commands(spec, control.pid), f"create {spec.host_link}")
    batch(control_commands(spec), "create the bay's bridge", control)


def attach_node(
    spec: BaySpec,
    node: RealNode,
    others: Sequence[RealNode],
    control: launching.Namespace,
    inside: launching.Namespace,
) -> None:
    """Attach a real node to the bay's bridge.

    :param others: the other real nodes; the node gets routes to their pods
    :param control: the control plane's namespace
    :param inside: the node's namespaces
    :raises SandboxError: if the kernel refuses
    """
    what = f"attach {node.name} to the bay's bridge"
    batch(attach_commands(node, inside.pid), what, control)
    batch(node_commands(spec, node, others), what, inside)
    command = inside.entering("/bin/sh", "-c", NODE_SETTINGS)
    launching.run(*command, what=f"set up the network of {node.name}")


def introduce(node: RealNode, others: Iterable[launching.Namespace]) -> None:
    """Add routes to a new real node's pods on the other real nodes.

    :raises SandboxError: if the kernel refuses
    """
    for inside in others:
        route = f"route replace {node.pods} via {node.address} dev eth0"
        batch([route], f"add a route to {node.name} on {inside.name}", inside)


def detach_node(
    node: RealNode,
    control: launching.Namespace,
    others: Iterable[launching.Namespace],
) -> None:
    """Remove a real node's link and the routes to its pods, if any."""
    what = f"detach {node.name} from the bay's bridge"
    lost = [f"link delete {node.link}", f"route delete {node.pods}"]
    batch(lost, what, control, missing_ok=True)
    for inside in others:
        batch([f"route delete {node.pods}"], what, inside, missing_ok=True)


def set_link(
    node: RealNode,
    control: launching.Namespace,
    *,
    up: bool,
    missing_ok: bool = False,
) -> None:
    """Set the link of a real node up or down.

    This sets the bridge's end. The node's end only loses its carrier, so the
    node keeps its addresses and routes.

    :param missing_ok: ignore a missing link
    :raises SandboxError: if the kernel refuses
    """
    what = f"set the link of {node.name}"
    command = f"link set {node.link} {'up' if up else 'down'}"
    batch([command], what, control, missing_ok=missing_ok)


def remove_link(node: RealNode, control: launching.Namespace) -> None:
    """Remove a real node's link, if it exists."""
    what = f"remove the link of {node.name}"
    batch([f"link delete {node.link}"], what, control, missing_ok=True)


def batch(
    commands: Sequence[str],
    what: str,
    namespace: launching.Namespace | None = None,
    *,
    missing_ok: bool = False,
) -> None:
    """Run ``ip`` commands on the host or in a namespace.

    :param missing_ok: ignore failed commands
    """
    force = ("-force",) if missing_ok else ()
    command: tuple[str, ...] = ("ip", *force, "-batch", "-")
    if namespace is not None:
        command = namespace.entering(*command)
    if missing_ok:
        # `ip` exits with 1 if an object to delete does not exist.
        command = ("/bin/sh", "-c", '"$@" || [ $? = 1 ]', "sh", *command)
    launching.run(*command, what=what, given="\n".join(commands))
