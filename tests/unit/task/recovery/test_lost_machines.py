"""Servers that a killed run has let fail, and the start after it."""

from __future__ import annotations

import contextlib

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import machines
from rally_magnum_scale.task.recovery import lost_machines
from tests.unit.bays import fake_nova


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "task.workload.json"


def note(mark, machine="m", how=machines.STOP, ports=()):
    lost_machines.Notes(mark).enter(machines.Loss(machine, how, ports))


def recover(mark, *clouds):
    """Recover with a project for each cloud.

    :returns: the sentences of what failed, and what was reported
    """
    reported = []
    notes = lost_machines.Notes(mark)
    with contextlib.ExitStack() as stack:
        made = [
            stack.enter_context(fake_nova.opened(cloud, notes))
            for cloud in clouds
        ]
        failed = lost_machines.recover(
            mark, [lambda _, each=each: each for each in made], reported.append
        )
    return failed, reported


def test_the_servers_of_a_dead_run_are_recovered_once(mark):
    cloud = fake_nova.FakeCloud(a=False, b=False)
    note(mark, how=machines.NETWORK, ports=("a",))
    assert recover(mark, cloud) == ([], [])
    assert cloud.ports == {"a": True, "b": False}
    assert lost_machines.Notes(mark).paths() == []
    before = len(cloud.requests)
    assert recover(mark, cloud) == ([], [])
    assert len(cloud.requests) == before


def test_a_server_that_can_not_be_mended_is_tried_again(mark):
    cloud = fake_nova.FakeCloud()
    cloud.states = [("ERROR", None)]
    note(mark)
    ((sentence,), _) = recover(mark, cloud)
    assert "The server m went to ERROR" in sentence
    cloud.states = [("SHUTOFF", None), ("ACTIVE", None)]
    assert recover(mark, cloud) == ([], [])
    assert lost_machines.Notes(mark).paths() == []


def test_a_server_is_looked_for_in_all_projects(mark):
    other, own = fake_nova.FakeCloud(), fake_nova.FakeCloud()
    other.refuse["GET", "/servers/m"] = (404, "Not yours.")
    own.states = [("SHUTOFF", None), ("ACTIVE", None)]
    note(mark)
    assert recover(mark, other, own) == ([], [])
    assert own.requests == [("POST", "/servers/m/action", {"os-start": None})]


def test_a_missing_server_is_reported_once(mark):
    note(mark, machine="gone")
    failed, (line,) = recover(mark, fake_nova.FakeCloud())
    assert failed == []
    assert "server gone, in which a dead run injected the fault 'stop'" in line
    assert recover(mark, fake_nova.FakeCloud()) == ([], [])


def test_a_broken_note_is_reported_and_does_not_hide_another(mark):
    cloud = fake_nova.FakeCloud()
    note(mark)
    mark.with_name("task.workload.a.lost").write_text("{")
    ((sentence,), _) = recover(mark, cloud)
    assert "task.workload.a.lost of a server" in sentence
    assert [p.name for p in lost_machines.Notes(mark).paths()] == [
        "task.workload.a.lost"
    ]


def test_nothing_is_opened_where_there_is_nothing_to_mend(mark):
    def refuse(notes):
        raise AssertionError

    note(mark.with_name("other.workload.json"))
    assert lost_machines.recover(mark, [refuse], print) == []


def test_no_fault_is_injected_without_a_note_for_the_recovery(mark):
    cloud = fake_nova.FakeCloud(a=True)
    notes = lost_machines.Notes(mark.parent / "missing" / mark.name)
    with fake_nova.opened(cloud, notes) as known:
        for how in (machines.NETWORK, machines.STOP):
            with pytest.raises(exceptions.MachineError, match="be written"):
                known.fail("m", how)
    assert cloud.requests == []


def test_an_interruption_ends_it(mark, monkeypatch):
    def interrupted(*_):
        raise exceptions.Interrupted("stop")

    note(mark)
    monkeypatch.setattr(machines.Machines, "recover", interrupted)
    with pytest.raises(exceptions.Interrupted):
        recover(mark, fake_nova.FakeCloud())
    assert lost_machines.Notes(mark).paths()
