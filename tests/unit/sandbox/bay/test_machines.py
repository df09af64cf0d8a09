"""Desired and actual states of machines, without root."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import machines
from rally_magnum_sandbox.bay import network
from rally_magnum_sandbox.bay import roster
from rally_magnum_sandbox.bay import spec as bay_spec

VALUES = {
    "name": "bay",
    "uuid": "0123abcd-0000-0000-0000-000000000000",
    "index": 7,
    "node_count": 4,
    "real_nodes": 4,
    "kubernetes_binary": "/cache/kubernetes",
    "image_store": "/cache/image.tar",
    "cgroup": "rally-magnum-sandbox-no-such-group/0123abcd",
}


@pytest.fixture
def spec(tmp_path: Path) -> bay_spec.BaySpec:
    (tmp_path / "spec.json").write_text(json.dumps(VALUES))
    found = bay_spec.read_spec(tmp_path)
    roster.write(tmp_path, roster.of_new_bay(found))
    return found


def test_the_desired_state_of_a_machine_defaults_to_running(
    tmp_path: Path,
) -> None:
    assert machines.wanted(tmp_path, 0) == machines.Wanted()
    machines.want(tmp_path, 0, stopped=True)
    machines.want(tmp_path, 1, cut=True)
    machines.want(tmp_path, 0, cut=True)
    assert machines.wanted(tmp_path, 0) == machines.Wanted(True, True)
    assert machines.wanted(tmp_path, 1) == machines.Wanted(cut=True)
    machines.want(tmp_path, 0, stopped=False, cut=False)
    assert machines.wanted(tmp_path, 0) == machines.Wanted()


@pytest.mark.parametrize(
    ("wanted", "member", "fits"),
    [
        ({}, {}, True),
        ({"cut": True}, {}, False),
        ({"cut": True}, {"cut": True}, True),
        ({}, {"stopped": True}, False),
        ({"stopped": True, "cut": True}, {"stopped": True}, False),
        ({"deleted": True}, {"stopped": True}, False),
        ({"deleted": True, "cut": True}, {"deleted": True}, True),
    ],
)
def test_a_state_fits_only_if_nothing_differs(
    wanted: dict[str, bool], member: dict[str, bool], fits: bool
) -> None:
    made = roster.Member(0, 0, whole=True, **member)
    assert machines.Wanted(**wanted).fits(made) is fits


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, ""),
        ({"cut": True}, "cut off"),
        ({"cut": True, "stopped": True}, "stopped"),
        ({"cut": True, "stopped": True, "deleted": True}, "deleted"),
    ],
)
def test_the_trouble_of_a_member(state: dict[str, bool], words: str) -> None:
    assert roster.Member(0, 0, **state).trouble == words


def test_machines_that_were_made_to_fail_are_listed(
    spec: bay_spec.BaySpec,
) -> None:
    found = roster.read(spec.folder)
    found = found.with_state(0, cut=True)
    found = found.with_state(1, stopped=True)
    roster.write(spec.folder, found.with_state(2, whole=False, deleted=True))
    # The process was killed before it had finished.
    machines.want(spec.folder, 3, deleted=True)
    failed = machines.Failed.read(spec)
    assert failed.unready == {node.name for node in spec.nodes}
    assert failed.off == {"node-1", "node-2", "node-3"}


def test_an_old_roster_is_read(spec: bay_spec.BaySpec) -> None:
    path = spec.folder / roster.FILE
    members = [{"number": 0, "slot": 0, "whole": True}]
    content = {"members": members, "next_real": 1, "next_hollow": 1}
    path.write_text(json.dumps(content))
    assert roster.read(spec.folder).members == (roster.Member(0, 0, True),)
    assert machines.Failed.read(spec) == machines.Failed()


def test_without_a_desired_state_nothing_changes(
    spec: bay_spec.BaySpec,
) -> None:
    lines: list[str] = []
    machines.settle(spec.folder, lines.append)
    assert lines == []


def test_the_error_names_each_machine_that_failed(
    spec: bay_spec.BaySpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(node: bay_spec.RealNode, *_: object, **__: object) -> None:
        if node.number != 2:
            raise exceptions.SandboxError(f"no link {node.link}")

    monkeypatch.setattr(network, "set_link", refuse)
    monkeypatch.setattr(
        machines.launching.Launcher, "namespaces", lambda _: {"control": None}
    )
    for number in (0, 1, 2):
        machines.want(spec.folder, number, cut=True)
    lines: list[str] = []
    with pytest.raises(exceptions.SandboxError, match="node0.*no link node1"):
        machines.settle(spec.folder, lines.append)
    assert lines == ["bay-node-2 was cut off from the network"]
    members = roster.read(spec.folder).members
    assert [member.cut for member in members] == [False, False, True, False]


def test_an_incomplete_node_is_left_to_the_resize(
    spec: bay_spec.BaySpec,
) -> None:
    found = roster.read(spec.folder).with_state(0, whole=False)
    roster.write(spec.folder, found)
    machines.want(spec.folder, 0, stopped=True)
    machines.settle(spec.folder, lambda line: None)
    assert not roster.read(spec.folder).members[0].stopped


def test_the_ids_of_a_machine_are_stable_and_unique(
    spec: bay_spec.BaySpec,
) -> None:
    nodes = spec.nodes
    ids = [x for node in nodes for x in (node.machine, node.port)]
    assert len(set(ids)) == 8
    assert ids == [x for n in spec.nodes for x in (n.machine, n.port)]
    assert str(uuid.UUID(nodes[0].machine)) == nodes[0].machine
    assert nodes[0].provider_id == f"openstack:///{nodes[0].machine}"
    # The slot and the address do not matter.
    assert spec.node(0, 9).machine == nodes[0].machine
