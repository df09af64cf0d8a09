"""Faults of servers and their revert, against a fake Nova and Neutron."""

from __future__ import annotations

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import machines
from tests.unit.bays import fake_nova


def test_the_network_is_disconnected_and_connected_again():
    cloud = fake_nova.FakeCloud(a=True, b=True, c=False)
    with fake_nova.opened(cloud) as known:
        known.fail("m", machines.NETWORK)
        assert cloud.ports == {"a": False, "b": False, "c": False}
        known.fail("m", machines.NETWORK)
        known.revert("m", machines.NETWORK)
        # A port that somebody else had disabled stays disabled.
        assert cloud.ports == {"a": True, "b": True, "c": False}
        before = len(cloud.requests)
        known.revert("m", machines.NETWORK)
        assert len(cloud.requests) == before == 4


def test_a_port_that_can_not_be_enabled_is_tried_again():
    cloud = fake_nova.FakeCloud(a=True, b=True)
    with fake_nova.opened(cloud) as known:
        known.fail("m", machines.NETWORK)
        cloud.refuse["PUT", "/ports/a"] = (403, "Not you.")
        with pytest.raises(exceptions.MachineError, match="put up a port"):
            known.revert("m", machines.NETWORK)
        assert cloud.ports == {"a": False, "b": True}
        cloud.refuse.clear()
        known.revert("m", machines.NETWORK)
        assert cloud.ports == {"a": True, "b": True}


def test_a_request_to_a_busy_cloud_is_retried():
    cloud = fake_nova.FakeCloud(a=True)
    busy = []

    def answer(method, path, body, own=cloud.answer):
        if busy and (method, path) == ("PUT", "/network/v2.0/ports/a"):
            return busy.pop(0), {"fault": {"message": "Busy."}}
        return own(method, path, body)

    cloud.answer = answer
    with fake_nova.opened(cloud) as known:
        known.fail("m", machines.NETWORK)
        busy += [503, 409]
        known.revert("m", machines.NETWORK)
    assert (cloud.ports, busy) == ({"a": True}, [])


def test_a_cloud_that_stays_busy_has_a_deadline():
    cloud = fake_nova.FakeCloud(a=True)
    with fake_nova.opened(cloud) as known:
        known.fail("m", machines.NETWORK)
        cloud.refuse["PUT", "/ports/a"] = (503, "Busy.")
        with pytest.raises(exceptions.DeadlineExceeded, match="Busy"):
            known.revert("m", machines.NETWORK)


@pytest.mark.parametrize(
    ("cloud", "machine", "what"),
    [
        (fake_nova.FakeCloud(), "m", "it has no port in"),
        (fake_nova.FakeCloud(a=True), "x", "it has no port in"),
        (fake_nova.FakeCloud(a=False), "m", "it has no active port in"),
    ],
)
def test_a_server_without_a_port_can_not_be_disconnected(cloud, machine, what):
    with (
        fake_nova.opened(cloud) as known,
        pytest.raises(exceptions.MachineError, match=what) as error,
    ):
        known.fail(machine, machines.NETWORK)
    assert machine in str(error.value)


def test_a_stopped_server_is_started_when_nova_has_no_task_for_it():
    cloud = fake_nova.FakeCloud()
    with fake_nova.opened(cloud) as known:
        known.fail("m", machines.STOP)
        assert cloud.requests == [
            ("POST", "/servers/m/action", {"os-stop": None})
        ]
        cloud.states = [
            ("ACTIVE", "powering-off"),
            ("SHUTOFF", None),
            ("SHUTOFF", "powering-on"),
            ("ACTIVE", None),
        ]
        known.revert("m", machines.STOP)
        assert cloud.requests[1:] == [
            ("POST", "/servers/m/action", {"os-start": None})
        ]
        known.revert("m", machines.STOP)
        assert len(cloud.requests) == 2


def test_a_start_has_a_deadline_and_may_fail():
    cloud = fake_nova.FakeCloud()
    with fake_nova.opened(cloud) as known:
        cloud.states = [("SHUTOFF", None)]
        with pytest.raises(exceptions.DeadlineExceeded, match="SHUTOFF"):
            known.revert("m", machines.STOP)
        assert len(cloud.requests) == 1
        cloud.states = [("ERROR", None)]
        with pytest.raises(exceptions.MachineError, match="ERROR.*: no disk"):
            known.revert("m", machines.STOP)


def test_a_deleted_server_stays_deleted():
    cloud = fake_nova.FakeCloud()
    with fake_nova.opened(cloud) as known:
        known.fail("m", machines.DELETE)
        known.revert("m", machines.DELETE)
    assert cloud.requests == [("DELETE", "/servers/m", None)]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            403,
            "Policy does not allow it (HTTP 403); the user's role does",
        ),
        (404, "Policy does not allow it (HTTP 404); the server is gone or"),
        (409, "Policy does not allow it (HTTP 409)."),
    ],
)
@pytest.mark.parametrize(
    ("how", "request_", "tried"),
    [
        (machines.STOP, ("POST", "/servers/m/action"), "stop the server m"),
        (machines.DELETE, ("DELETE", "/servers/m"), "delete the server m"),
        (machines.NETWORK, ("GET", "/ports"), "list the ports of the serv"),
        (machines.NETWORK, ("PUT", "/ports/a"), "put down a port of the"),
    ],
)
def test_a_refusal_of_openstack_is_one_sentence(
    how, request_, tried, code, message
):
    cloud = fake_nova.FakeCloud(a=True)
    cloud.refuse[request_] = (code, "Policy does not\nallow it.")
    with (
        fake_nova.opened(cloud) as known,
        pytest.raises(exceptions.MachineError) as error,
    ):
        known.fail("m", how)
    assert f"could not {tried}" in str(error.value)
    assert message in str(error.value)


def test_an_unavailable_cloud_is_one_sentence():
    with fake_nova.opened(fake_nova.FakeCloud()) as known:
        pass
    for how in machines.HOWS:
        with pytest.raises(exceptions.MachineError, match="server m: Unable"):
            known.fail("m", how)


def test_an_unknown_fault_is_refused():
    with fake_nova.opened(fake_nova.FakeCloud()) as known:
        for call in (known.fail, known.revert):
            with pytest.raises(exceptions.InvalidInput, match="'fire'"):
                call("m", "fire")


class Ledger:
    """Keeps the recorded faults at each request to the cloud."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.lost = {}
        self.orders_before = []

    def enter(self, loss):
        self.orders_before.append(len(self.cloud.requests))
        self.lost[loss.machine] = loss

    def strike(self, machine):
        del self.lost[machine]


@pytest.mark.parametrize("how", [machines.NETWORK, machines.STOP])
def test_a_fault_is_recorded_before_its_injection_and_removed_after_its_revert(
    how,
):
    cloud = fake_nova.FakeCloud(a=True, b=False)
    ledger = Ledger(cloud)
    with fake_nova.opened(cloud, ledger) as known:
        known.fail("m", how)
        ports = ("a",) if how == machines.NETWORK else ()
        assert ledger.lost == {"m": machines.Loss("m", how, ports)}
        assert ledger.orders_before == [0]
        cloud.states = [("ERROR", None)]
        cloud.refuse["PUT", "/ports/a"] = (403, "Not you.")
        with pytest.raises(exceptions.MachineError):
            known.revert("m", how)
        assert ledger.lost
        cloud.refuse.clear()
        cloud.states = [("ACTIVE", None)]
        known.revert("m", how)
        assert ledger.lost == {}


def test_a_deleted_server_is_not_recorded():
    cloud = fake_nova.FakeCloud()
    ledger = Ledger(cloud)
    with fake_nova.opened(cloud, ledger) as known:
        known.fail("m", machines.DELETE)
    assert ledger.lost == {}


def test_another_run_reverts_exactly_the_recorded_faults():
    cloud = fake_nova.FakeCloud(a=False, b=False)
    with fake_nova.opened(cloud) as known:
        known.recover(machines.Loss("m", machines.NETWORK, ("a",)))
    assert cloud.ports == {"a": True, "b": False}


@pytest.mark.parametrize("how", [machines.NETWORK, machines.STOP])
def test_a_server_that_is_gone_raises_machine_gone(how):
    cloud = fake_nova.FakeCloud()
    cloud.refuse["PUT", "/ports/x"] = (404, "No such port.")
    ledger = Ledger(cloud)
    loss = machines.Loss("other", how, ("x",))
    ledger.enter(loss)
    with (
        fake_nova.opened(cloud, ledger) as known,
        pytest.raises(exceptions.MachineGone, match="404"),
    ):
        known.recover(loss)
    # There is nothing left to revert.
    assert ledger.lost == {}
