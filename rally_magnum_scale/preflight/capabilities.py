"""Whether Magnum's driver can do what a task asks for."""

from __future__ import annotations

from collections.abc import Iterator

from rally_magnum_scale.bays import drivers
from rally_magnum_scale.preflight import needs
from rally_magnum_scale.preflight.rows import ENOUGH
from rally_magnum_scale.preflight.rows import SHORT
from rally_magnum_scale.preflight.rows import UNKNOWN
from rally_magnum_scale.preflight.rows import Row

_CHANGES = {
    drivers.REPLACE_NODES: "no such driver can replace named nodes; use "
    "resize_bay, or a template of another driver",
    drivers.DOCKER_VOLUMES: "remove docker_volume_size from the task's "
    "template, or use a template of another driver",
}


def check(bay: needs.Bay) -> Iterator[Row]:
    """Check that the driver can do what the task asks for.

    :param bay: with the driver, as far as Magnum shows it
    """
    asked = [*bay.plan.asks]
    if bay.docker_volume_gb:
        asked.append(drivers.DOCKER_VOLUMES)
    for capability in asked:
        yield _row(bay, capability)


def _row(bay: needs.Bay, capability: str) -> Row:
    what, need = f"driver: {capability}", "supported"
    if not bay.driver:
        reason = "Magnum does not show the driver"
        return Row(what, need, "?", UNKNOWN, reason)
    lacking = drivers.lacking(bay.driver)
    if lacking is None:
        reason = f"what the driver {bay.driver} supports is not known here"
        return Row(what, need, "?", UNKNOWN, reason)
    if capability not in lacking:
        return Row(what, need, bay.driver, ENOUGH)
    found = f"{bay.driver} {lacking[capability]}"
    if capability == drivers.DOCKER_VOLUMES and not bay.volume_asked:
        reason = "the bay can be created, but its nodes have no such volume"
        return Row(what, need, found, UNKNOWN, reason)
    return Row(what, need, found, SHORT, _CHANGES[capability])
