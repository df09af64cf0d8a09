"""Compare what the bays of a workload take with quotas and other limits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.bays import reading
from rally_magnum_scale.preflight import have
from rally_magnum_scale.preflight import needs
from rally_magnum_scale.preflight.rows import ENOUGH
from rally_magnum_scale.preflight.rows import OTHER_DRIVER
from rally_magnum_scale.preflight.rows import UNKNOWN
from rally_magnum_scale.preflight.rows import Row
from rally_magnum_scale.preflight.rows import compare
from rally_magnum_scale.preflight.rows import unknown
from rally_magnum_scale.preflight.rows import words

Quotas = Mapping[tuple[str, str], int]

_NOTHING = needs.Amount(0, 0)


def check_quotas(
    bays: Sequence[needs.Bay], project: have.Project, planned: Quotas
) -> Iterator[Row]:
    """Compare what all bays take with the quotas of their project.

    :param planned: limits that the task sets, by service and resource
    """
    for service, resource in dict.fromkeys(
        (use.service, use.resource) for use in needs.QUOTA_USES
    ):
        amount = _of_uses(bays, service, resource)
        if amount != _NOTHING:
            yield _row(service, resource, amount, project, planned)
    for resource, attribute in (("cores", "vcpus"), ("ram", "ram")):
        try:
            amount = _of_flavors(bays, project, attribute)
        except reading.Unreadable as error:
            yield unknown(f"Nova {resource}", "?", error)
        else:
            yield _row("nova", resource, amount, project, planned)
    groups = [needs.group_members(bay) for bay in bays]
    largest = max(groups, key=lambda it: (it.at_most is None, it.most))
    yield _row("nova", "server_group_members", largest, project, planned)


def check_addresses(
    bays: Sequence[needs.Bay], project: have.Project
) -> Iterator[Row]:
    """Compare machines with the addresses of their networks."""
    shared: dict[tuple[str, str | None], needs.Amount] = {}
    for bay in bays:
        if bay.network:
            key = bay.network, bay.subnet
            amount = bay.of_all(needs.addresses(bay))
            shared[key] = shared.get(key, _NOTHING) + amount
        else:
            yield _own_subnet(bay)
        yield _pods(bay)
    for (network, subnet), amount in shared.items():
        yield _shared_subnet(network, subnet, amount, project)


def check_heat(bay: needs.Bay, limit: int | None) -> Iterator[Row]:
    """Compare the resources of a bay's stack with Heat's limit.

    :param limit: max_resources_per_stack; None for Heat's default
    """
    if bay.heat is False:
        return
    what, need = "Heat resources of a bay", needs.heat_resources(bay)
    assumed = needs.HEAT_MAX_RESOURCES if limit is None else limit
    if bay.heat is None:
        if 0 <= assumed < need:
            yield Row(what, f"{need}", f"{assumed}", UNKNOWN, OTHER_DRIVER)
        return
    row = compare(
        what,
        needs.Amount(need, need),
        have.Quota(assumed),
        f"set max_resources_per_stack in heat.conf to {need} or -1",
    )
    if limit is None:
        row = dataclasses.replace(row, have=f"{assumed}, Heat's default")
        if row.verdict != ENOUGH:
            row = dataclasses.replace(
                row,
                verdict=UNKNOWN,
                change="no API shows max_resources_per_stack; give yours as "
                "--heat-max-resources",
            )
    yield row


def check_workers(workers: int) -> Iterator[Row]:
    """Compare the workers of a load with what one Locust master serves."""
    what, most = "Locust workers", needs.LOCUST_WORKERS
    if workers > most:
        change = (
            "no Locust master was measured with as many; use fewer processes"
        )
        yield Row(what, f"{workers}", f"{most}", UNKNOWN, change)
    elif workers:
        yield Row(what, f"{workers}", f"{most}", ENOUGH)


def _row(
    service: str,
    resource: str,
    amount: needs.Amount,
    project: have.Project,
    planned: Quotas,
) -> Row:
    what = f"{service.capitalize()} {resource}"
    try:
        quota = project.quota(
            service, resource, planned.get((service, resource))
        )
    except reading.Unreadable as error:
        return unknown(what, words(amount), error)
    change = _change(service, resource, quota.used + amount.most)
    return compare(what, amount, quota, change)


def _change(service: str, resource: str, limit: int) -> str:
    if service == "magnum":
        return f"set bays of bay_quotas@openstack to {limit} or more"
    if service == "octavia":
        return f"openstack loadbalancer quota set --loadbalancer {limit}"
    return (
        f"set {resource} of {service} in quotas@openstack to {limit} or more"
    )


def _of_uses(
    bays: Sequence[needs.Bay], service: str, resource: str
) -> needs.Amount:
    uses = (
        use.of(bay)
        for bay in bays
        for use in needs.QUOTA_USES
        if (use.service, use.resource) == (service, resource)
    )
    return sum(uses, _NOTHING)


def _of_flavors(
    bays: Sequence[needs.Bay], project: have.Project, attribute: str
) -> needs.Amount:
    amounts = (
        bay.amount(
            per_node=_of_flavor(bay.flavor, project, attribute),
            per_master=_of_flavor(bay.master_flavor, project, attribute),
            any_driver=True,
        )
        for bay in bays
    )
    return sum(amounts, _NOTHING)


def _of_flavor(name: str | None, project: have.Project, attribute: str) -> int:
    found: Any = name and project.find("compute", "flavor", name)
    if not found:
        raise reading.Unreadable("a flavor is unknown, see above")
    return int(getattr(found, attribute))


def _own_subnet(bay: needs.Bay) -> Row:
    what, amount = "addresses for the nodes", needs.addresses(bay)
    try:
        limit = needs.node_addresses(bay)
    except ValueError as error:
        return unknown(what, words(amount), f"{error}")
    change = (
        "set the label fixed_subnet_cidr to a larger network, such as "
        "10.0.0.0/21"
    )
    return _of_heat(bay, compare(what, amount, have.Quota(limit), change))


def _pods(bay: needs.Bay) -> Row:
    label = needs.pod_label(bay)
    what = f"pod network ({label})"
    try:
        amount, parts = needs.pod_networks(bay)
    except ValueError as error:
        return unknown(what, "?", f"{error}")
    change = f"set the label {label} to a larger network, such as a /13"
    return _of_heat(bay, compare(what, amount, have.Quota(parts), change))


def _of_heat(bay: needs.Bay, row: Row) -> Row:
    """Withdraw a verdict that holds for the driver of Heat only."""
    if bay.heat:
        return row
    return dataclasses.replace(row, verdict=UNKNOWN, change=OTHER_DRIVER)


def _shared_subnet(
    network: str, subnet: str | None, amount: needs.Amount, project: Any
) -> Row:
    what = f"addresses of {subnet or network}"
    try:
        found = project.find("network", "network", network)
        part = subnet and project.find("network", "subnet", subnet)
        if found is None or (subnet and part is None):
            raise reading.Unreadable("the network is unknown, see above")
        quota = project.free_addresses(found.id, part.id if part else None)
    except reading.Unreadable as error:
        return unknown(what, words(amount), error)
    return compare(what, amount, quota, "use a larger subnet")
