"""What bays take from the services of a cloud.

The figures are those of Magnum 22 and its driver ``k8s_fedora_coreos_v1``;
docs/howto/real-cloud.md explains them.  For other drivers, only a part of
them is certain.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale.bays import drivers
from rally_magnum_scale.preflight import plan as plans

# The os_distro of the images of Heat's driver.
HEAT_DISTRO = "fedora-coreos"

# Defaults of Magnum for the networks of nodes and of pods.
NODE_NETWORK = "10.0.0.0/24"
POD_NETWORK = "10.100.0.0/16"
# Prefix of the part of the pod network that Kubernetes gives to each node.
POD_PREFIX = 24

# Part of the pod network that Calico gives to a node, as a share of a /24.
CALICO_BLOCKS = 4

# Addresses of a subnet that are for no port: network, broadcast, gateway.
RESERVED_ADDRESSES = 3

# Default of Heat's max_resources_per_stack.
HEAT_MAX_RESOURCES = 1000

# The most processes with which a Locust master was measured to keep up; see
# docs/explanation/benchmarks.md.
LOCUST_WORKERS = 2000


@dataclasses.dataclass(frozen=True)
class Amount:
    """How much of a resource is needed.

    :param at_most: at most this much; None if there is no known bound
    """

    at_least: int
    at_most: int | None

    @property
    def most(self) -> int:
        return self.at_least if self.at_most is None else self.at_most

    def times(self, at_least: int, at_most: int) -> Amount:
        """Multiply each bound by its own factor."""
        bounded = self.at_most is not None
        return Amount(
            self.at_least * at_least, self.most * at_most if bounded else None
        )

    def __add__(self, other: Amount) -> Amount:
        bounded = None not in (self.at_most, other.at_most)
        return Amount(
            self.at_least + other.at_least,
            (self.at_most or 0) + (other.at_most or 0) if bounded else None,
        )


@dataclasses.dataclass(frozen=True)
class Bay:
    """Equal bays, as Magnum will create them from a template.

    :param plan: number of bays, and the request for one of them
    :param template: the template's fields, by Magnum's names
    :param driver: name of Magnum's driver; empty if that is unknown
    :param volume_requested: whether the task itself sets docker_volume_size
    """

    plan: plans.BayPlan
    template: Mapping[str, Any]
    driver: str = ""
    volume_requested: bool = False

    @property
    def heat(self) -> bool | None:
        """Whether the driver is Heat's; None if that is unknown."""
        return self.driver.startswith(drivers.HEAT) if self.driver else None

    @property
    def nodes(self) -> int:
        return self.plan.request.nodes

    @property
    def masters(self) -> int:
        return self.plan.request.masters

    @property
    def labels(self) -> dict[str, str]:
        return {
            **(self.template.get("labels") or {}),
            **self.plan.request.labels,
        }

    @property
    def flavor(self) -> str | None:
        return self.plan.request.flavor or self.template.get("flavor_id")

    @property
    def master_flavor(self) -> str | None:
        own = self.plan.request.master_flavor
        return own or self.template.get("master_flavor_id")

    @property
    def keypair(self) -> str | None:
        return self.plan.request.keypair or self.template.get("keypair_id")

    @property
    def network(self) -> str | None:
        own = self.plan.request.network
        return own or self.template.get("fixed_network")

    @property
    def subnet(self) -> str | None:
        own = self.plan.request.subnet
        return own or self.template.get("fixed_subnet")

    @property
    def floating_ips(self) -> bool:
        return self.template.get("floating_ip_enabled") is not False

    @property
    def load_balancers(self) -> bool:
        return bool(self.template.get("master_lb_enabled"))

    @property
    def floating_load_balancer(self) -> bool:
        label = self.labels.get("master_lb_floating_ip_enabled", "")
        return self.load_balancers and (
            self.floating_ips or label.lower() in ("true", "1", "yes", "on")
        )

    @property
    def boot_volume_gb(self) -> int:
        return _size(self.labels.get("boot_volume_size"))

    @property
    def docker_volume_gb(self) -> int:
        return _size(self.template.get("docker_volume_size"))

    @property
    def etcd_volume_gb(self) -> int:
        return _size(self.labels.get("etcd_volume_size"))

    def amount(
        self,
        *,
        per_bay: int = 0,
        per_node: int = 0,
        per_master: int = 0,
        any_driver: bool = False,
    ) -> Amount:
        """Multiply the figures of one bay by the number of bays.

        :param any_driver: whether the figures hold for every driver
        """
        fixed = per_bay + per_master * self.masters
        least = fixed + per_node * self.nodes
        most = least + per_node * self.plan.replaced
        if not (self.heat or any_driver):
            return Amount(0, None)
        return self.of_all(Amount(least, most))

    def of_all(self, of_one: Amount) -> Amount:
        return of_one.times(self.plan.at_least, self.plan.at_most)


@dataclasses.dataclass(frozen=True)
class QuotaUse:
    """What a bay takes of a resource that has a quota.

    :param service: as in the context ``quotas``; ``magnum`` and ``octavia``
        are ours
    :param resource: as in the context ``quotas``
    :param times: multiplies the figures; 0 if the bay takes nothing
    :param any_driver: whether every driver of Magnum takes as much
    """

    service: str
    resource: str
    per_bay: int = 0
    per_node: int = 0
    per_master: int = 0
    times: Callable[[Bay], int] = lambda _: 1
    any_driver: bool = False

    def of(self, bay: Bay) -> Amount:
        times = self.times(bay)
        return bay.amount(
            per_bay=times * self.per_bay,
            per_node=times * self.per_node,
            per_master=times * self.per_master,
            any_driver=self.any_driver,
        )


QUOTA_USES = (
    QuotaUse("magnum", "bays", 1, any_driver=True),
    QuotaUse("nova", "instances", 0, 1, 1, any_driver=True),
    QuotaUse("nova", "server_groups", 2),
    QuotaUse("cinder", "volumes", 0, 1, 1, lambda bay: bay.boot_volume_gb > 0),
    QuotaUse(
        "cinder", "volumes", 0, 1, 1, lambda bay: bay.docker_volume_gb > 0
    ),
    QuotaUse("cinder", "volumes", 0, 0, 1, lambda bay: bay.etcd_volume_gb > 0),
    QuotaUse("cinder", "gigabytes", 0, 1, 1, lambda bay: bay.boot_volume_gb),
    QuotaUse("cinder", "gigabytes", 0, 1, 1, lambda bay: bay.docker_volume_gb),
    QuotaUse("cinder", "gigabytes", 0, 0, 1, lambda bay: bay.etcd_volume_gb),
    QuotaUse("neutron", "network", 1, times=lambda bay: not bay.network),
    QuotaUse("neutron", "subnet", 1, times=lambda bay: not bay.network),
    QuotaUse("neutron", "router", 1, times=lambda bay: not bay.network),
    QuotaUse("neutron", "port", 0, 1, 1, any_driver=True),
    # Of the router, and for DHCP.
    QuotaUse("neutron", "port", 2, times=lambda bay: not bay.network),
    # One for the API, one for etcd.
    QuotaUse("neutron", "port", 2, times=lambda bay: bay.load_balancers),
    QuotaUse("octavia", "load_balancer", 2, times=lambda b: b.load_balancers),
    QuotaUse("neutron", "floatingip", 0, 1, 1, lambda bay: bay.floating_ips),
    QuotaUse(
        "neutron", "floatingip", 1, times=lambda b: b.floating_load_balancer
    ),
    QuotaUse("neutron", "security_group", 2),
    # 14 for the masters, 9 for the nodes, and two of egress in each group,
    # which Neutron adds.
    QuotaUse("neutron", "security_group_rule", 27),
)


def group_members(bay: Bay) -> Amount:
    """Return the servers in the largest server group of a bay."""
    if not bay.heat:
        return Amount(0, None)
    nodes = bay.nodes + bay.plan.replaced
    return Amount(max(bay.nodes, bay.masters), max(nodes, bay.masters))


def heat_resources(bay: Bay) -> int:
    """Return the resources in the stack of a bay, nested stacks included.

    The figure of a bay leaves out what is nested in its network and in its
    load balancers.
    """
    return 17 + 11 * bay.nodes + 16 * bay.masters


def addresses(bay: Bay) -> Amount:
    """Return the addresses that a bay takes in the subnet of its nodes."""
    machines = bay.nodes + bay.masters
    if not bay.heat:
        return Amount(machines, None)
    ports = machines + 2 * bay.load_balancers
    # DHCP takes one more, unless the network has none.
    return Amount(ports, ports + bay.plan.replaced + 1)


def node_addresses(bay: Bay) -> int:
    """Return the addresses of the subnet that Magnum creates.

    :raises ValueError: when the label is no network
    """
    cidr = bay.labels.get("fixed_subnet_cidr") or NODE_NETWORK
    network = ipaddress.ip_network(cidr, strict=False)
    return max(0, network.num_addresses - RESERVED_ADDRESSES)


def pod_label(bay: Bay) -> str:
    """Return the label that sets the pod network."""
    calico = bay.template.get("network_driver") == "calico"
    return "calico_ipv4pool" if calico else "flannel_network_cidr"


def pod_networks(bay: Bay) -> tuple[Amount, int]:
    """Return the parts of the pod network that are needed, and that exist.

    :raises ValueError: when the label is no network
    """
    label = pod_label(bay)
    cidr = bay.labels.get(label) or POD_NETWORK
    network = ipaddress.ip_network(cidr, strict=False)
    machines = bay.nodes + bay.masters
    blocks = CALICO_BLOCKS if label == "calico_ipv4pool" else 1
    return (
        Amount(-(-machines // blocks), machines + bay.plan.replaced),
        2 ** max(0, POD_PREFIX - network.prefixlen),
    )


def _size(given: Any) -> int:
    return int(given) if str(given).isdecimal() else 0
