"""Command lines and configurations of a bay's components, and errors."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import control_plane
from rally_magnum_sandbox.bay import creation
from rally_magnum_sandbox.bay import deletion
from rally_magnum_sandbox.bay import launching
from rally_magnum_sandbox.bay import network
from rally_magnum_sandbox.bay import node as bay_node
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.bay import timeline
from rally_magnum_sandbox.bay.process import Process


def make_spec(folder: Path) -> bay_spec.BaySpec:
    return bay_spec.BaySpec(
        folder=folder,
        name="bay",
        uuid="u",
        index=9,
        node_count=4,
        real_nodes=2,
        kubernetes_binary=Path("/cache/kubernetes"),
        image_store=Path("/cache/image.tar"),
        cgroup="rally-magnum-sandbox/u",
    )


@pytest.fixture
def spec(tmp_path: Path) -> bay_spec.BaySpec:
    return make_spec(tmp_path)


def test_components_get_the_addresses_of_their_bay(
    spec: bay_spec.BaySpec,
) -> None:
    command = control_plane.api_server(spec)
    program = command.index("/cache/kubernetes")
    assert command[program + 1] == "kube-apiserver"
    # It must not use up root's inotify instances, which the nodes need.
    assert command[:3] == ["setpriv", "--reuid", "64509"]
    assert "--advertise-address=198.18.9.1" in command
    assert "--service-cluster-ip-range=10.254.9.0/24" in command


def test_pods_are_not_scheduled_on_hollow_nodes() -> None:
    node: Any = control_plane.hollow_node("x")
    assert node["spec"]["taints"][0]["effect"] == "NoSchedule"
    assert node["metadata"]["labels"]["rally-magnum-scale/hollow"] == "true"
    assert node["status"]["allocatable"]["cpu"] == "4"


def test_kwok_ignores_an_unready_node() -> None:
    node: Any = control_plane.hollow_node("x", works=False)
    assert node["metadata"]["annotations"] == {}
    assert node["metadata"]["labels"]["rally-magnum-scale/hollow"] == "true"
    assert not api.is_ready(node)


def test_the_bridge_keeps_its_address_when_a_node_leaves(
    spec: bay_spec.BaySpec,
) -> None:
    made = [x for x in network.control_commands(spec) if "type bridge" in x]
    assert made == ["link add bay0 address 02:00:c6:12:09:01 type bridge"]


def test_the_components_of_a_node_avoid_file_watches(
    spec: bay_spec.BaySpec,
) -> None:
    command = bay_node.kube_proxy_command(spec, spec.nodes[0])
    assert not any(x.startswith("--config=") for x in command)
    assert "--proxy-mode=iptables" in command
    config: Any = bay_node.kubelet_config(spec, spec.nodes[0], 1)
    gates = config["featureGates"]
    assert gates == {"ReloadKubeletServerCertificateFile": False}


def test_containerd_is_configured_in_valid_toml(
    spec: bay_spec.BaySpec,
) -> None:
    node = spec.nodes[0]
    config = tomllib.loads(bay_node.containerd_config(node))
    runtime = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert runtime["restrict_oom_score_adj"] is True
    assert config["root"] == f"{node.folder}/containerd"


def test_kubelet_gets_its_control_group_and_reserved_memory(
    spec: bay_spec.BaySpec,
) -> None:
    node = spec.nodes[1]
    config: Any = bay_node.kubelet_config(spec, node, 8 * 1024**3)
    assert config["cgroupRoot"] == "/rally-magnum-sandbox/u/node-1"
    assert config["systemReserved"] == {"memory": "2097152Ki"}
    assert config["address"] == "198.18.9.11"


def test_nodes_have_routes_to_the_pods_of_other_nodes(
    spec: bay_spec.BaySpec,
) -> None:
    one, other = spec.nodes
    commands = network.node_commands(spec, one, [other])
    assert f"route add {other.pods} via {other.address} dev eth0" in commands
    assert not any(one.pods in command for command in commands)


def event(kind: str, name: str, ready: str) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    node = {"metadata": {"name": name}, "status": status}
    return {"type": kind, "object": node}


def test_only_nodes_that_are_ready_count() -> None:
    class NoServer:
        def open_watch(self, path: str) -> None:
            raise OSError(path)

    ready = api.ReadyNodes(NoServer())  # type: ignore[arg-type]
    for change in (
        event("ADDED", "a", "False"),
        event("MODIFIED", "a", "True"),
        event("MODIFIED", "a", "True"),
        event("ADDED", "b", "True"),
        event("MODIFIED", "b", "Unknown"),
        event("ADDED", "c", "True"),
        event("DELETED", "c", "True"),
    ):
        ready.note(change)
    assert ready.count() == 1
    ready.close()


def test_steps_are_timed_and_logged(tmp_path: Path) -> None:
    times = iter([0.0, 1.0, 3.5, 4.0, 5.0, 5.5, 6.0])
    steps = timeline.Timeline(tmp_path / "bay.log", lambda: next(times))
    with steps.step("a"):
        pass
    with steps.step("a"):
        pass
    assert steps.seconds == {"a": 2.5}
    assert (tmp_path / "bay.log").read_text().splitlines() == [
        "   4.00 s  a: 2.50 s",
        "   6.00 s  a: 0.50 s",
    ]


def test_the_error_quotes_the_log_of_a_dead_component(tmp_path: Path) -> None:
    log = tmp_path / "etcd.log"
    log.write_text("first\nno space left\n\n")
    # No process can have this pid, which is above the kernel's limit.
    gone = launching.Component("etcd", "", (), Process.running(2**22 + 1), log)
    with pytest.raises(exceptions.SandboxError, match="no space left"):
        gone.check()


def test_the_error_quotes_a_failed_program() -> None:
    with pytest.raises(exceptions.SandboxError, match="To try, sh .*: oh"):
        launching.run("sh", "-c", "echo oh >&2; exit 3", what="try")


def test_a_bay_without_a_spec_fails_with_a_reason(
    tmp_path: Path,
) -> None:
    status = creation.create(tmp_path)
    assert status["status"] == "CREATE_FAILED"
    assert "spec.json" in status["reason"]
    assert (tmp_path / "status.json").exists()


def test_a_folder_without_a_spec_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "bay"
    folder.mkdir()
    (folder / "ca.crt").write_text("x")
    deletion.delete(folder)
    assert not folder.exists()
    deletion.delete(folder)


def test_hollow_nodes_renew_their_lease_in_time(
    spec: bay_spec.BaySpec,
) -> None:
    hasty = dataclasses.replace(spec, node_grace_s=20)
    command = control_plane.kwok(spec)
    assert f"--config={control_plane.HOLLOW_NODES}" in command
    stages = control_plane.HOLLOW_NODES.read_text()
    assert "durationMilliseconds: 300000" in stages
    # KWOK renews after a quarter of the lease; the limit is the grace period.
    for bay, lease_s in ((spec, 100), (hasty, 40)):
        flag = f"--node-lease-duration-seconds={lease_s}"
        assert flag in control_plane.kwok(bay)
        grace = f"--node-monitor-grace-period={bay.node_grace_s}s"
        assert grace in control_plane.controller_manager(bay)
        assert lease_s / 4 * 1.04 < bay.node_grace_s / 1.5
