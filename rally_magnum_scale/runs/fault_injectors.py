"""Fault injectors: through OpenStack, or through Kubernetes alone."""

from __future__ import annotations

import contextlib
from typing import Protocol

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import machines
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import lost_nodes
from rally_magnum_scale.kube import nodes as node_list

# Prefix of the providerID that OpenStack's cloud controller writes.
_OF_NOVA = "openstack://"


class FaultInjector(Protocol):
    """Injects node faults, and reverts them where that is possible."""

    def check(self, node: node_list.Node) -> None:
        """Raise for a node into which no fault can be injected.

        :raises ScaleError: with the reason
        """

    def fail(self, node: node_list.Node, how: str) -> None:
        """Inject a fault; return when the request is accepted.

        :param how: one of :data:`disruption_records.HOWS`
        :raises ScaleError: when the fault can't be injected
        """

    def revert(self, node: node_list.Node, how: str) -> bool:
        """Revert the fault as far as possible.

        :param how: the fault that was injected
        :returns: whether the node, or a new one in its place, comes back
        :raises ScaleError: when the fault can't be reverted
        """


class NovaFaultInjector:
    """Injects faults into the Nova servers of nodes.

    :param found: the servers of the project
    """

    def __init__(self, found: machines.Machines) -> None:
        self._machines = found

    def check(self, node: node_list.Node) -> None:
        """Raise for a node whose server is unknown.

        :raises BayError: with the name of the node
        """
        _server(node)

    def fail(self, node: node_list.Node, how: str) -> None:
        """Inject a fault into the server of a node."""
        self._machines.fail(_server(node), how)

    def revert(self, node: node_list.Node, how: str) -> bool:
        """Revert the fault; return whether the node comes back.

        A driver that heals bays may have deleted the server meanwhile.  Then
        a new node comes in its place.
        """
        with contextlib.suppress(exceptions.MachineGone):
            self._machines.revert(_server(node), how)
        return how != machines.DELETE


class KubernetesFaultInjector:
    """Removes nodes from a cluster whose machines can't be controlled.

    :param cluster: the open Kubernetes API of the bay
    :param namespace: of the load
    """

    def __init__(self, cluster: client.KubeClient, namespace: str) -> None:
        self._objects = lost_nodes.NodeObjects(cluster, namespace)

    def check(self, node: node_list.Node) -> None:
        """Accept every node: every Node object can be deleted."""

    def fail(self, node: node_list.Node, how: str) -> None:
        """Delete the Node object."""
        self._objects.fail(node.name, how)

    def revert(self, node: node_list.Node, how: str) -> bool:
        """Create the Node object again; return that the node comes back."""
        self._objects.revert(node.name, how)
        return True


def _server(node: node_list.Node) -> str:
    """Return the Nova id of the server that a node runs on."""
    if not node.machine.startswith(_OF_NOVA):
        raise exceptions.BayError(
            f"The server of the node {node.name} is unknown: the node's "
            f"providerID is {node.machine!r}, but OpenStack's cloud "
            f"controller would set it to {_OF_NOVA}/<id>."
        )
    return node.machine.rpartition("/")[2]
