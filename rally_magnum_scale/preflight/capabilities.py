"""What Magnum's drivers lack of what a task asks for."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping

from rally_magnum_scale.preflight import needs
from rally_magnum_scale.preflight import plan as plans
from rally_magnum_scale.preflight.rows import ENOUGH
from rally_magnum_scale.preflight.rows import SHORT
from rally_magnum_scale.preflight.rows import UNKNOWN
from rally_magnum_scale.preflight.rows import Row

_DOCKER_VOLUMES = "docker volumes"

# Beginning of a driver's name to what it lacks, and what it does instead.
_LACKING: Mapping[str, Mapping[str, str]] = {
    # Magnum 22.0.0, magnum/drivers/heat/driver.py.
    needs.HEAT_DRIVER: {},
    # magnum-capi-helm 1.4.0, driver.py: resize_cluster() only warns of
    # nodes_to_remove, and nothing reads docker_volume_size.
    "k8s_capi_helm": {
        plans.REPLACE_NODES: "ignores nodes_to_remove",
        _DOCKER_VOLUMES: "ignores docker_volume_size",
    },
    # magnum-cluster-api 0.38.1, driver.py: resize_cluster() annotates the
    # machines of nodes_to_remove for the next time that the node group
    # shrinks; a resize to the same number of nodes removes none.
    "k8s_cluster_api": {
        plans.REPLACE_NODES: "removes nodes_to_remove only from a node group "
        "that shrinks",
    },
}

_CHANGES = {
    plans.REPLACE_NODES: "no such driver can replace named nodes; use "
    "resize_bay, or a template of another driver",
    _DOCKER_VOLUMES: "remove docker_volume_size from the task's template, or "
    "use a template of another driver",
}


def check(bay: needs.Bay) -> Iterator[Row]:
    """Check that the driver can do what the task asks for.

    :param bay: with the driver, as far as Magnum shows it
    """
    asked = [*bay.plan.asks]
    if bay.docker_volume_gb:
        asked.append(_DOCKER_VOLUMES)
    for capability in asked:
        yield _row(bay, capability)


def _row(bay: needs.Bay, capability: str) -> Row:
    what, need = f"driver: {capability}", "supported"
    if not bay.driver:
        reason = "Magnum does not show the driver"
        return Row(what, need, "?", UNKNOWN, reason)
    lacking = next(
        (
            known
            for name, known in _LACKING.items()
            if bay.driver.startswith(name)
        ),
        None,
    )
    if lacking is None:
        reason = f"what the driver {bay.driver} supports is not known here"
        return Row(what, need, "?", UNKNOWN, reason)
    if capability not in lacking:
        return Row(what, need, bay.driver, ENOUGH)
    found = f"{bay.driver} {lacking[capability]}"
    if capability == _DOCKER_VOLUMES and not bay.volume_asked:
        reason = "the bay can be created, but its nodes have no such volume"
        return Row(what, need, found, UNKNOWN, reason)
    return Row(what, need, found, SHORT, _CHANGES[capability])
