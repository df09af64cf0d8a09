"""Who lets nodes be lost: OpenStack, or Kubernetes alone."""

from __future__ import annotations

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import machines
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import lost_nodes
from rally_magnum_scale.kube import nodes as node_list

# What OpenStack's cloud controller writes into a node, before the id.
_OF_NOVA = "openstack://"


class NovaFaultInjector:
    """Lets the servers be lost that nodes run on.

    :param found: the servers of the project
    """

    def __init__(self, found: machines.Machines) -> None:
        self._machines = found

    def check(self, node: node_list.Node) -> None:
        """Refuse a node of which nobody knows its server.

        :raises BayError: naming it
        """
        _server(node)

    def fail(self, node: node_list.Node, how: str) -> None:
        """Let the server of a node be lost."""
        self._machines.fail(_server(node), how)

    def revert(self, node: node_list.Node, how: str) -> bool:
        """Undo that; tell whether the node comes back."""
        self._machines.revert(_server(node), how)
        return how != machines.DELETE


class KubernetesFaultInjector:
    """Takes nodes out of a cluster whose machines nobody here can reach.

    :param cluster: the open Kubernetes API of the bay
    :param namespace: of the load
    """

    def __init__(self, cluster: client.KubeClient, namespace: str) -> None:
        self._objects = lost_nodes.NodeObjects(cluster, namespace)

    def check(self, node: node_list.Node) -> None:
        """Every node can be taken out."""

    def fail(self, node: node_list.Node, how: str) -> None:
        """Delete the Node object."""
        self._objects.fail(node.name, how)

    def revert(self, node: node_list.Node, how: str) -> bool:
        """Bring it back; tell that it comes."""
        self._objects.revert(node.name, how)
        return True


def _server(node: node_list.Node) -> str:
    """Return the id in Nova of the server that a node runs on."""
    if not node.machine.startswith(_OF_NOVA):
        raise exceptions.BayError(
            f"The node {node.name} does not say which server it runs on: its "
            f"providerID is {node.machine!r}, and {_OF_NOVA}/<id> is what "
            "OpenStack's cloud controller would write."
        )
    return node.machine.rpartition("/")[2]
