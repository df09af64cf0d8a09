"""The stub's servers and ports, based on the bays' folders."""

from __future__ import annotations

import os
import pathlib

import pytest

from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay import machines
from rally_magnum_sandbox.bay import roster
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_sandbox.servers import stub
from rally_magnum_sandbox.servers import stub_images
from rally_magnum_sandbox.servers import stub_machines

UUID = "0123abcd-0000-0000-0000-000000000000"
SERVERS = "/compute/v2.1/servers"
PORTS = "/network/v2.0/ports"
ENDED = bay_folder.Process(1, -5)


class Bay:
    """A bay of two real nodes with fake processes."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.bays = bay_folder.Bays(folder)
        self.bay = self.bays.bay(UUID)
        self.bay.folder.mkdir()
        spec = {
            "name": "bay",
            "uuid": UUID,
            "index": 7,
            "node_count": 3,
            "real_nodes": 2,
            "kubernetes_binary": "/cache/kubernetes",
            "image_store": "/cache/image.tar",
            "cgroup": "rally-magnum-sandbox/bays/0123abcd",
        }
        files.write_json(self.bay.folder / "spec.json", spec)
        self.spec = bay_spec.read_spec(self.bay.folder)
        roster.write(self.bay.folder, roster.of_new_bay(self.spec))
        status = {"status": "CREATE_COMPLETE"}
        files.write_json(self.bay.folder / "status.json", status)
        self.worker = bay_folder.Process.running(os.getpid())
        self.started = []
        known = stub_machines.Machines(self.bays, self.start)
        self.stub = stub.Stub(
            stub_images.Images(str), "http://127.0.0.1", machines=known
        )

    def start(self, command, bay, log):
        self.started.append((command, bay.folder))
        return self.worker

    def ask(self, target, method="GET", body=None):
        return self.stub.answer(method, target, body)

    def act(self, node, action):
        path = f"{SERVERS}/{node.machine}/action"
        return self.ask(path, "POST", {action: None})

    def set_port(self, node, *, up):
        body = {"port": {"admin_state_up": up}}
        return self.ask(f"{PORTS}/{node.port}", "PUT", body)

    def server(self, node):
        found = self.ask(f"{SERVERS}/{node.machine}")[1]["server"]
        return found["status"], found["OS-EXT-STS:task_state"]

    def wanted(self, node):
        return machines.wanted(self.bay.folder, node.number)

    def finish(self, node, **state):
        """Simulate that the process has applied the desired state."""
        found = roster.read(self.bay.folder).with_state(node.number, **state)
        roster.write(self.bay.folder, found)
        self.bay.note(machines=ENDED.record())


@pytest.fixture
def bay(tmp_path):
    return Bay(tmp_path)


@pytest.fixture
def node(bay):
    return bay.spec.nodes[0]


def test_each_real_node_is_a_server_with_a_port(bay, node):
    for path in (SERVERS, f"{SERVERS}/detail?name=node-"):
        found = bay.ask(path)[1]["servers"]
        assert [x["name"] for x in found] == ["bay-node-0", "bay-node-1"]
    assert bay.server(node) == ("ACTIVE", None)
    status, found = bay.ask(f"{PORTS}?device_id={node.machine}")
    assert status == 200
    (port,) = found["ports"]
    assert port["id"] == node.port
    assert port["admin_state_up"] is True
    assert port["fixed_ips"] == [{"ip_address": "198.18.7.10"}]
    assert bay.ask(f"{PORTS}/{node.port}")[1]["port"] == port


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("name=node-1$", 1),
        ("name=other", 0),
        ("name=(", 0),
        ("status=active", 2),
        ("status=SHUTOFF", 0),
        ("all_tenants=True&limit=1000", 2),
        ("limit=2&marker=x", 0),
    ],
)
def test_servers_are_filtered(bay, query, count):
    found = bay.ask(f"{SERVERS}/detail?{query}")[1]["servers"]
    assert len(found) == count


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 2),
        ("device_id=x", 0),
        ("tenant_id=somebody", 0),
        ("fields=id", 2),
        ("limit=2&marker=x", 0),
    ],
)
def test_ports_are_filtered(bay, query, count):
    assert len(bay.ask(f"{PORTS}?{query}")[1]["ports"]) == count


def test_a_server_is_stopped_and_started(bay, node):
    assert bay.act(node, "os-stop") == (202, None)
    assert bay.started == [("machines", bay.bay.folder)]
    assert bay.wanted(node).stopped
    assert bay.server(node) == ("ACTIVE", "powering-off")
    assert bay.server(bay.spec.nodes[1]) == ("ACTIVE", None)
    status, found = bay.act(node, "os-start")
    assert status == 409
    message = found["conflictingRequest"]["message"]
    assert message.endswith("while it is in task_state powering-off")
    bay.finish(node, stopped=True)
    assert bay.server(node) == ("SHUTOFF", None)
    status, found = bay.act(node, "os-stop")
    assert status == 409
    message = found["conflictingRequest"]["message"]
    assert message.startswith("Cannot 'stop' instance")
    assert message.endswith("while it is in vm_state stopped")
    assert bay.act(node, "os-start")[0] == 202
    assert bay.server(node) == ("SHUTOFF", "powering-on")
    bay.finish(node, stopped=False)
    assert bay.server(node) == ("ACTIVE", None)
    assert len(bay.started) == 2


def test_an_action_that_was_not_applied_can_be_requested_again(bay, node):
    bay.worker = ENDED
    assert bay.act(node, "os-stop")[0] == 202
    assert bay.server(node) == ("ACTIVE", None)
    assert bay.act(node, "os-stop")[0] == 202


def test_a_port_goes_down_and_up(bay, node):
    status, found = bay.set_port(node, up=False)
    assert status == 200
    assert found["port"]["admin_state_up"] is False
    assert found["port"]["status"] == "DOWN"
    assert bay.wanted(node) == machines.Wanted(cut=True)
    bay.finish(node, cut=True)
    assert bay.server(node) == ("ACTIVE", None)
    found = bay.set_port(node, up=True)[1]
    assert found["port"]["admin_state_up"] is True
    assert bay.wanted(node) == machines.Wanted()


def test_renaming_a_port_has_no_effect(bay, node):
    body = {"port": {"name": "x"}}
    assert bay.ask(f"{PORTS}/{node.port}", "PUT", body)[0] == 200
    assert bay.started == []


def test_a_server_is_listed_until_its_delete_is_applied(bay, node):
    path = f"{SERVERS}/{node.machine}"
    assert bay.ask(path, "DELETE") == (204, None)
    assert bay.server(node) == ("ACTIVE", "deleting")
    assert bay.act(node, "os-stop")[0] == 409
    assert bay.ask(path, "DELETE")[0] == 204
    bay.finish(node, whole=False)
    assert bay.server(node)[0] == "ACTIVE"
    bay.finish(node, deleted=True)
    status, found = bay.ask(path)
    assert status == 404
    assert "could not be found" in found["itemNotFound"]["message"]
    assert bay.ask(path, "DELETE")[0] == 404
    assert bay.act(node, "os-start")[0] == 404
    status, found = bay.set_port(node, up=False)
    assert (status, found["NeutronError"]["type"]) == (404, "PortNotFound")
    assert len(bay.ask(SERVERS)[1]["servers"]) == 1


def test_a_server_that_is_being_created_is_left_alone(bay, node):
    bay.finish(node, whole=False)
    assert bay.server(node) == ("BUILD", None)
    assert bay.act(node, "os-stop")[0] == 409
    assert bay.set_port(node, up=False)[0] == 409
    assert bay.ask(f"{SERVERS}/{node.machine}", "DELETE")[0] == 409
    (bay.bay.folder / "status.json").unlink()
    assert bay.server(bay.spec.nodes[1]) == ("BUILD", None)
    assert bay.started == []


def test_an_unknown_action_is_refused_like_in_nova(bay, node):
    status, found = bay.act(node, "reboot")
    assert status == 400
    assert found["badRequest"]["message"] == "There is no such action: reboot"


def test_a_deleted_bay_has_no_servers(bay, node):
    bay.bays.tombstone(UUID).touch()
    assert bay.ask(SERVERS)[1]["servers"] == []
    assert bay.act(node, "os-stop")[0] == 404


def test_an_incomplete_bay_is_skipped(bay, node):
    half = bay.bays.folder / "feedfeed"
    half.mkdir()
    (half / "spec.json").write_text("{}")
    (bay.bay.folder / roster.FILE).unlink()
    assert bay.ask(SERVERS)[1]["servers"] == []
