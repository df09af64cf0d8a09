"""The kinds of objects that the provider reconciles."""

from __future__ import annotations

from dataclasses import dataclass

from rally_magnum_sandbox import settings as sandbox_settings

GROUP, VERSION = sandbox_settings.CLUSTER_API_GROUP_VERSION.split("/")
CLUSTER_LABEL = "cluster.x-k8s.io/cluster-name"
SECRET_TYPE = "cluster.x-k8s.io/secret"  # noqa: S105 - the name of a type
# Cluster API waits for the providers to remove their finalizers.
FINALIZER = f"{GROUP}/provider"
# Kubernetes keeps pods away from a node with this taint until Cluster API's
# core has found the node's machine.
UNINITIALIZED = "node.cluster.x-k8s.io/uninitialized"


@dataclass(frozen=True)
class Kind:
    """A kind of objects.

    :param name: of the kind
    :param plural: its name in paths
    """

    name: str
    plural: str

    @property
    def path(self) -> str:
        """The path of all objects of the kind."""
        return f"/apis/{GROUP}/{VERSION}/{self.plural}"

    def path_of(self, key: str) -> str:
        """Return the path of an object.

        :param key: ``NAMESPACE/NAME``
        """
        namespace, name = key.split("/")
        return (
            f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{self.plural}/"
            f"{name}"
        )


# magnum-capi-helm reads the failures of a kind whose plural is fixed.
INFRASTRUCTURE = Kind("OpenStackCluster", "openstackclusters")
CONTROL_PLANE = Kind(
    "SandboxControlPlane", sandbox_settings.CONTROL_PLANES_PLURAL
)
MACHINE = Kind("SandboxMachine", "sandboxmachines")
ALL = (INFRASTRUCTURE, CONTROL_PLANE, MACHINE)
