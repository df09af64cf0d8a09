"""What Magnum's drivers lack of what a task may ask for."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping

from rally_magnum_scale import exceptions

# What a task may ask a driver for, besides bays.
RESIZE = "resize"
RESIZE_NODE_GROUP = "resize of a node group"
REPLACE_NODES = "replacement of named nodes"
DOCKER_VOLUMES = "docker volumes"

# Beginning of the names of Heat's drivers.
HEAT = "k8s_fedora_coreos"

# Beginning of a driver's name to what it lacks, and what it does instead.
_LACKING: Mapping[str, Mapping[str, str]] = {
    # Magnum 22.0.0, magnum/drivers/heat/driver.py.
    HEAT: {},
    # magnum-capi-helm 1.4.0, driver.py: resize_cluster() only warns of
    # nodes_to_remove, and nothing reads docker_volume_size.
    "k8s_capi_helm": {
        REPLACE_NODES: "ignores nodes_to_remove",
        DOCKER_VOLUMES: "ignores docker_volume_size",
    },
    # magnum-cluster-api 0.38.1, driver.py: resize_cluster() annotates the
    # machines of nodes_to_remove for the next time that the node group
    # shrinks; a resize to the same number of nodes removes none.
    "k8s_cluster_api": {
        REPLACE_NODES: "removes nodes_to_remove only from a node group that "
        "shrinks",
    },
}


def lacking(driver: str) -> Mapping[str, str] | None:
    """Return what a driver lacks, and what it does instead.

    :param driver: name of the driver as Magnum shows it
    :returns: None for a driver that is not known here
    """
    for name, known in _LACKING.items():
        if driver.startswith(name):
            return known
    return None


def require(driver: str, capabilities: Iterable[str]) -> None:
    """Raise if a driver is known to lack something.

    :param driver: name of the driver; empty if Magnum does not show it
    :param capabilities: what the task needs, such as :data:`REPLACE_NODES`
    :raises InvalidInput: names the driver and what it does instead
    """
    known = lacking(driver) or {}
    for capability in capabilities:
        if instead := known.get(capability):
            raise exceptions.InvalidInput(
                f"Magnum's driver {driver} {instead}, but this scenario needs "
                f"the {capability}. No bay was created. Use resize_bay, or a "
                "template of another driver."
            )
