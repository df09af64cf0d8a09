"""Machines of a bay that fail and are mended, for real."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting
from rally_magnum_scale.bays import machines
from tests.functional import host_state
from tests.functional import test_bay_by_hand
from tests.functional import test_sandbox
from tests.functional.conftest import Sandbox
from tests.functional.test_bay_driver import Cloud

LOST_DEADLINE_S = 100
# Kubernetes' own 50 s would make the test so much longer.
LABELS = {"sandbox_real_nodes": "2", "sandbox_node_grace_s": "20"}


class Bay:
    """A bay of two real nodes with a pod each, and a hollow one."""

    def __init__(self, cloud: Cloud, uuid: str) -> None:
        self.cloud = cloud
        self.uuid = uuid
        self.folder = cloud.folder(uuid)
        self.spec = bay_spec.read_spec(self.folder)
        port = bay_spec.API_PORT
        address = self.spec.control_address
        self.api = api.ApiClient(address, port, self.folder)

    def nodes(self) -> dict[str, Any]:
        items = json.loads(self.api.get("/api/v1/nodes"))["items"]
        return {item["metadata"]["name"]: item for item in items}

    def wait_ready(self, *names: str, ready: bool = True) -> None:
        def poll() -> bool:
            found = self.nodes()
            return all(api.is_ready(found[name]) == ready for name in names)

        state = "Ready" if ready else "not Ready"
        wait(f"{names} to be {state}", poll)

    def wait_pods(self, count: int) -> None:
        """Wait for pods whose containers run, now."""

        def poll() -> bool:
            items = json.loads(self.api.get(test_bay_by_hand.PODS))["items"]
            return sum(map(is_ready, items)) == count

        wait(f"{count} pods", poll)

    def processes(self, node: bay_spec.RealNode) -> set[str]:
        """Name what runs in a node's pods and of its own."""
        pods = cgroups.processes(node.cgroup)
        folder = str(node.folder)
        lines = {pid: line(pid) for pid in cgroups.processes(self.spec.cgroup)}
        return {
            text
            for pid, text in lines.items()
            if pid in pods or folder in text or f"={node.name}" in text
        }


def line(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
    return " ".join(text.split("\0"))


def is_ready(pod: Any) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(
        x["type"] == "Ready" and x["status"] == "True" for x in conditions
    )


def wait(what: str, poll: Callable[[], bool]) -> None:
    waiting.wait_for(
        lambda: poll() or None,
        what=what,
        deadline_s=LOST_DEADLINE_S,
        interval_s=0.2,
        sleep=time.sleep,
    )


@pytest.fixture
def connection(sandbox: Sandbox) -> Any:
    """Nova and Neutron, through Keystone's catalogue."""
    secrets = secrets_file.ensure(sandbox.settings.state_dir)
    session = openstack.admin_session(sandbox.settings, secrets)
    return machines.connect(session, openstack.REGION, "public")


@pytest.fixture
def bay(sandbox: Sandbox, tmp_path: Path) -> Iterator[Bay]:
    """A bay of which nothing may stay."""
    # Without the servers: PostgreSQL starts processes as it needs them.
    settings = sandbox.settings
    before = host_state.capture(
        host_state.Owner(
            settings.bays_cgroup, settings.bays_dir, settings.bay_indexes
        )
    )
    cloud = Cloud(sandbox, tmp_path)
    try:
        made = Bay(cloud, cloud.complete(3, **LABELS))
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        wait("the service account", lambda: made.api.answers(account))
        nginx = {"image": artifacts.NGINX_IMAGE}
        manifest = test_bay_by_hand.daemon_set("nginx", nginx)
        made.api.post(test_bay_by_hand.DAEMON_SETS, manifest)
        made.wait_pods(2)
        with contextlib.closing(made.api):
            yield made
    finally:
        for each in cloud.made:
            cloud.remove(each)
    assert host_state.settle(before) == []


def test_machines_fail_are_mended_and_deleted(
    sandbox: Sandbox, bay: Bay, connection: Any
) -> None:
    known = machines.Machines(connection, print)
    cut, off = bay.spec.nodes
    shown = bay.nodes()
    for node in (cut, off):
        said = shown[node.name]["spec"]["providerID"]
        assert said == f"openstack:///{node.machine}"
    listed = {one.id: one.name for one in connection.compute.servers()}
    assert listed[cut.machine] == cut.name
    assert listed[off.machine] == off.name

    known.fail(cut.machine, machines.NETWORK)
    known.fail(off.machine, machines.STOP)
    wait("the machine to be off", lambda: status(connection, off) == "SHUTOFF")
    assert bay.processes(off) == set()
    assert bay.processes(cut)
    with pytest.raises(exceptions.MachineError, match=r"HTTP 409"):
        known.fail(off.machine, machines.STOP)
    # What is off on purpose is not mended by us.
    sandbox.up()
    assert bay.processes(off) == set()
    said = test_sandbox.status(sandbox)["bays"]
    (failed,) = [x["failed"] for x in said if x["uuid"] == bay.uuid]
    assert failed == {cut.name: "cut off", off.name: "stopped"}
    bay.wait_ready(cut.name, off.name, ready=False)
    bay.wait_pods(0)

    known.revert(cut.machine, machines.NETWORK)
    known.revert(off.machine, machines.STOP)
    known.revert(off.machine, machines.STOP)
    bay.wait_ready(cut.name, off.name)
    bay.wait_pods(2)
    assert any("nginx" in text for text in bay.processes(off))

    known.fail(off.machine, machines.DELETE)
    wait("the machine to be gone", lambda: not status(connection, off))
    assert bay.processes(off) == set()
    assert not off.folder.exists()
    assert off.name in bay.nodes()
    assert status(connection, cut) == "ACTIVE"
    with pytest.raises(exceptions.MachineError, match=r"HTTP 404"):
        known.fail(off.machine, machines.STOP)
    with pytest.raises(exceptions.MachineError, match="it has no port"):
        known.fail(off.machine, machines.NETWORK)
    # The bay is one short: a resize to its size makes a new node.
    found = bay.cloud.resize(bay.uuid, 3, off.machine)
    assert found["status"] == "UPDATE_COMPLETE", found["status_reason"]
    assert bay.cloud.ready(bay.uuid) == {"node-0", "node-2", "hollow-0001"}
    assert off.name not in bay.nodes()
    # And it goes with one that is off and one that is cut off.
    known.fail(cut.machine, machines.STOP)
    known.fail(bay.spec.node(2, 2).machine, machines.NETWORK)


def status(connection: Any, node: bay_spec.RealNode) -> str:
    """Return a server's status, or an empty string when it is gone."""
    found = connection.compute.servers(name=node.name)
    return next((one.status for one in found), "")
