from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import spec as bay_spec

VALUES: dict[str, Any] = {
    "name": "Night Run_1",
    "uuid": "0123abcd-0000-0000-0000-000000000000",
    "index": 7,
    "node_count": 5,
    "real_nodes": 2,
    "kubernetes_binary": "/cache/kubernetes",
    "image_store": "/cache/image.tar",
    "cgroup": "/rally-magnum-sandbox/0123abcd",
}


def read(folder: Path, **changes: Any) -> bay_spec.BaySpec:
    (folder / "spec.json").write_text(json.dumps(VALUES | changes))
    return bay_spec.read_spec(folder)


def test_nodes_are_counted_and_named(tmp_path: Path) -> None:
    spec = read(tmp_path)
    assert [n.name for n in spec.nodes] == [
        "night-run-1-node-0",
        "night-run-1-node-1",
    ]
    assert spec.hollow_names == [
        "night-run-1-hollow-0001",
        "night-run-1-hollow-0002",
        "night-run-1-hollow-0003",
    ]


def test_a_name_without_usable_characters_becomes_the_uuid(
    tmp_path: Path,
) -> None:
    assert read(tmp_path, name="__").nodes[0].name == "bay-0123abcd-node-0"


@pytest.mark.parametrize("index", [0, 63, 64, 250])
def test_addresses_fit_their_ranges(tmp_path: Path, index: int) -> None:
    spec = read(tmp_path, index=index, node_count=100, real_nodes=100)
    link = ipaddress.ip_network(f"{spec.control_address}/24", strict=False)
    addresses = [ipaddress.ip_address(n.address) for n in spec.nodes]
    assert all(address in link for address in addresses)
    ends = [spec.control_address, spec.host_address]
    assert len({*map(str, addresses), *ends}) == 102
    pods = ipaddress.ip_network(spec.pod_range)
    hollow = ipaddress.ip_network(spec.hollow_pod_range)
    shared = ipaddress.ip_network("100.64.0.0/10")
    assert pods.subnet_of(shared)
    assert hollow.subnet_of(pods)
    for node in spec.nodes:
        assert ipaddress.ip_network(node.pods).subnet_of(pods)
        assert not ipaddress.ip_network(node.pods).overlaps(hollow)
    services = ipaddress.ip_network(spec.service_range)
    assert ipaddress.ip_address(spec.first_service_address) in services
    assert len(spec.host_link) <= 15


def test_two_bays_share_no_address(tmp_path: Path) -> None:
    one, other = (read(tmp_path, index=i) for i in (3, 4))
    assert one.control_address != other.control_address
    assert one.pod_range != other.pod_range
    assert one.service_range != other.service_range
    assert one.host_link != other.host_link


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"index": 251}, "index"),
        ({"node_count": -1, "real_nodes": 0}, "node_count"),
        ({"real_nodes": 6}, "real_nodes"),
        ({"node_count": 200, "real_nodes": 101}, "real_nodes"),
        ({"cgroup": ""}, "cgroup"),
        ({"cgroup": "a/../.."}, "cgroup"),
        ({"image_store": "/run/image.tar"}, "/run/image.tar would be"),
        ({"index": "x"}, "'x'"),
    ],
)
def test_impossible_values_are_refused(
    tmp_path: Path, changes: dict[str, Any], word: str
) -> None:
    with pytest.raises(exceptions.SandboxError, match=word):
        read(tmp_path, **changes)


def test_the_error_names_a_missing_spec(tmp_path: Path) -> None:
    with pytest.raises(exceptions.SandboxError, match="spec.json"):
        bay_spec.read_spec(tmp_path)


def test_a_real_node_can_have_another_name(tmp_path: Path) -> None:
    spec = read(tmp_path)
    usual, named = spec.node(0, 0), spec.node(0, 0, "machine-a")
    assert named.name == "machine-a"
    assert (named.folder, named.address) == (usual.folder, usual.address)
    assert named.machine == spec.machine("machine-a") != usual.machine
    assert named.provider_id == bay_spec.provider_id(named.machine)


def test_taints_of_real_nodes_are_read(tmp_path: Path) -> None:
    assert read(tmp_path).node_taints == ()
    assert read(tmp_path, node_taints=["a:NoSchedule"]).node_taints == (
        "a:NoSchedule",
    )
