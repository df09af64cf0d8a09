"""What bays take, by the figures of docs/howto/real-cloud.md."""

import pytest

from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.preflight import needs
from rally_magnum_scale.preflight import plan

DRIVERS = {True: "k8s_fedora_coreos_v1", False: "k8s_capi_helm_v1", None: ""}


def bay(heat=True, template=None, replaced=0, bays=(1, 1), **request):
    wanted = lifecycle.BayRequest(name="", **{"nodes": 200, **request})
    return needs.Bay(
        plan.BayPlan(wanted, *bays, replaced=replaced),
        {} if template is None else template,
        DRIVERS[heat],
    )


def taken(one):
    found = {}
    for figure in needs.QUOTA_USES:
        key = figure.service, figure.resource
        amount = figure.of(one)
        found[key] = found.get(key, needs.Amount(0, 0)) + amount
    return {
        f"{service} {resource}": amount.at_least
        for (service, resource), amount in found.items()
        if amount != needs.Amount(0, 0)
    }


def test_the_published_run():
    assert taken(bay()) == {
        "magnum bays": 1,
        "nova instances": 201,
        "nova server_groups": 2,
        "neutron network": 1,
        "neutron subnet": 1,
        "neutron router": 1,
        "neutron port": 203,
        "neutron floatingip": 201,
        "neutron security_group": 2,
        "neutron security_group_rule": 27,
    }


def test_volumes_balancers_and_a_network_of_others():
    one = bay(
        template={
            "docker_volume_size": 30,
            "floating_ip_enabled": False,
            "master_lb_enabled": True,
            "fixed_network": "lan",
            "labels": {"etcd_volume_size": "10"},
        },
        nodes=10,
        masters=3,
        labels={
            "boot_volume_size": "50",
            "master_lb_floating_ip_enabled": "True",
        },
    )
    assert taken(one) == {
        "magnum bays": 1,
        "nova instances": 13,
        "nova server_groups": 2,
        "cinder volumes": 13 + 13 + 3,
        "cinder gigabytes": 13 * 50 + 13 * 30 + 3 * 10,
        "neutron port": 13 + 2,
        "octavia load_balancer": 2,
        "neutron floatingip": 1,
        "neutron security_group": 2,
        "neutron security_group_rule": 27,
    }


@pytest.mark.parametrize("heat", [None, False])
def test_of_other_drivers_only_machines_and_bays_are_certain(heat):
    assert taken(bay(heat=heat)) == {
        "magnum bays": 1,
        "nova instances": 201,
        "nova server_groups": 0,
        "cinder volumes": 0,
        "cinder gigabytes": 0,
        "neutron network": 0,
        "neutron subnet": 0,
        "neutron router": 0,
        "neutron port": 201,
        "octavia load_balancer": 0,
        "neutron floatingip": 0,
        "neutron security_group": 0,
        "neutron security_group_rule": 0,
    }
    assert needs.group_members(bay(heat=heat)) == needs.Amount(0, None)


def test_several_bays_and_replaced_nodes():
    one = bay(nodes=10, bays=(2, 4), replaced=3)
    assert one.amount(per_node=2, per_master=5) == needs.Amount(50, 124)
    assert needs.group_members(one) == needs.Amount(10, 13)


def test_amounts_add_up():
    known, open_end = needs.Amount(1, 2), needs.Amount(3, None)
    assert known + known == needs.Amount(2, 4)
    assert known + open_end == open_end + known == needs.Amount(4, None)
    assert (known.most, open_end.most) == (2, 3)
    assert known.times(3, 4) == needs.Amount(3, 8)
    assert open_end.times(3, 4) == needs.Amount(9, None)


def test_the_request_takes_precedence_over_the_template():
    template = {
        "flavor_id": "t",
        "master_flavor_id": "t",
        "keypair_id": "t",
        "fixed_network": "t",
        "fixed_subnet": "t",
        "labels": {"a": "t", "b": "t"},
    }
    keys = ("flavor", "master_flavor", "keypair", "network", "subnet")
    for key in keys:
        assert getattr(bay(template=template), key) == "t"
        assert getattr(bay(template=template, **{key: "r"}), key) == "r"
    labels = bay(template=template, labels={"a": "r"}).labels
    assert labels == {"a": "r", "b": "t"}


@pytest.mark.parametrize("size", [None, "", "0", "ten", "-1"])
def test_a_size_that_is_no_number_makes_no_volume(size):
    one = bay(labels={"boot_volume_size": size} if size else {})
    assert one.boot_volume_gb == 0


def test_each_node_has_eleven_resources_in_heat():
    one, other = bay(nodes=90), bay(nodes=91)
    assert needs.heat_resources(other) - needs.heat_resources(one) == 11
    assert needs.heat_resources(bay()) > 2200


@pytest.mark.parametrize(
    ("cidr", "addresses"),
    [("", 253), ("10.0.0.0/21", 2045), ("10.0.0.9/24", 253), ("10.0.0.1", 0)],
)
def test_addresses_of_the_subnet_that_magnum_creates(cidr, addresses):
    one = bay(labels={"fixed_subnet_cidr": cidr})
    assert needs.node_addresses(one) == addresses


def test_addresses_that_a_bay_takes():
    balanced = bay(template={"master_lb_enabled": True}, replaced=5)
    assert needs.addresses(bay()) == needs.Amount(201, 202)
    assert needs.addresses(balanced) == needs.Amount(203, 209)
    other = bay(heat=None, template={"master_lb_enabled": True})
    assert needs.addresses(other) == needs.Amount(201, None)


@pytest.mark.parametrize(
    ("driver", "labels", "amount", "parts"),
    [
        ("flannel", {}, (301, 301), 256),
        ("flannel", {"flannel_network_cidr": "10.8.0.0/13"}, (301, 301), 2048),
        ("flannel", {"calico_ipv4pool": "10.8.0.0/13"}, (301, 301), 256),
        ("calico", {"calico_ipv4pool": "10.8.0.0/13"}, (76, 301), 2048),
        ("calico", {"calico_ipv4pool": "10.8.0.0/25"}, (76, 301), 1),
    ],
)
def test_parts_of_the_pod_network(driver, labels, amount, parts):
    one = bay(nodes=300, template={"network_driver": driver}, labels=labels)
    assert needs.pod_networks(one) == (needs.Amount(*amount), parts)


@pytest.mark.parametrize(
    "read", [needs.node_addresses, needs.pod_networks], ids=["nodes", "pods"]
)
def test_a_label_that_is_no_network(read):
    labels = {"fixed_subnet_cidr": "wide", "flannel_network_cidr": "wide"}
    with pytest.raises(ValueError, match="wide"):
        read(bay(labels=labels))
