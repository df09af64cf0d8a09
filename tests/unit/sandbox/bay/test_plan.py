"""The plan of a resize, and the roster of a bay."""

from __future__ import annotations

from pathlib import Path

import pytest

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import plan as bay_plan
from rally_magnum_sandbox.bay import roster as bay_roster

NODES = [
    bay_plan.Node("r0", 0, True, "uid-r0", frozenset({"198.18.0.10"})),
    bay_plan.Node("r1", 1, True, "uid-r1", frozenset({"198.18.0.11"})),
    *(
        bay_plan.Node(
            f"h{i}", i, False, f"uid-h{i}", frozenset({"198.18.0.1"})
        )
        for i in (1, 3, 7)
    ),
]


def plan(
    node_count: int,
    *remove: str,
    real: int = 2,
    if_there: tuple[str, ...] = (),
) -> tuple[set[str], int, int]:
    desired = bay_plan.DesiredSize(1, node_count, real, remove, if_there)
    made = bay_plan.make(NODES, desired)
    names = [node.name for node in made.remove]
    assert len(names) == len(set(names))
    return set(names), made.real, made.hollow


def test_a_bay_grows_by_hollow_nodes() -> None:
    assert plan(8) == (set(), 0, 3)
    assert plan(5) == (set(), 0, 0)


def test_the_highest_hollow_nodes_are_removed_first() -> None:
    assert plan(4) == ({"h7"}, 0, 0)
    assert plan(3) == ({"h3", "h7"}, 0, 0)
    assert plan(1) == ({"h1", "h3", "h7", "r1"}, 0, 0)
    assert plan(0)[0] == {"h1", "h3", "h7", "r0", "r1"}


@pytest.mark.parametrize("named", ["h3", "uid-h3"])
def test_a_listed_node_is_removed_instead(named: str) -> None:
    assert plan(4, named) == ({"h3"}, 0, 0)
    assert plan(3, named) == ({"h3", "h7"}, 0, 0)


def test_a_listed_node_is_replaced_if_the_size_stays() -> None:
    assert plan(5, "h1", "198.18.0.10") == ({"h1", "r0"}, 1, 1)
    assert plan(4, "r0") == ({"r0"}, 0, 0)
    assert plan(6, "r0", "uid-r0") == ({"r0"}, 1, 1)


def test_real_nodes_are_restored_when_a_bay_grows_again() -> None:
    assert plan(9, real=4) == (set(), 2, 2)
    assert plan(6, real=4) == (set(), 1, 0)


@pytest.mark.parametrize("named", ["nope", ""])
def test_the_error_names_a_node_that_does_not_exist(named: str) -> None:
    with pytest.raises(exceptions.SandboxError) as error:
        plan(4, "h1", named)
    assert f"{named!r} is not in the bay" in str(error.value)
    assert "r0, r1, h1" in str(error.value)


def test_a_node_is_identified_by_its_machine() -> None:
    node = bay_plan.Node("r2", 2, True, "uid", machine="machine-2")
    desired = bay_plan.DesiredSize(1, 0, 0, ("machine-2",))
    assert bay_plan.make([node], desired).remove == (node,)


def test_nodes_that_are_already_removed_are_dropped() -> None:
    gone = bay_plan.Node("r2", 2, True, machine="machine-2")
    desired = bay_plan.DesiredSize(1, 4, 2, ("h1", "machine-2", "r2"))
    left = bay_plan.without(desired, [gone])
    assert left == bay_plan.DesiredSize(1, 4, 2, ("h1",))
    assert bay_plan.without(desired, []) == desired


def test_an_ambiguous_address_is_refused() -> None:
    with pytest.raises(exceptions.SandboxError, match="address of 3 nodes"):
        plan(4, "198.18.0.1")


def test_nodes_of_an_unfinished_resize_are_removed_if_they_exist() -> None:
    assert plan(5, if_there=("h1", "gone")) == ({"h1"}, 0, 1)
    assert plan(5, "h1", if_there=("h1",)) == ({"h1"}, 0, 1)


def test_numbers_are_never_reused_but_addresses_are() -> None:
    roster, first = bay_roster.Roster().with_member()
    roster, second = roster.with_member()
    assert (first.number, second.number) == (0, 1)
    assert first.slot != second.slot
    roster = roster.without(0)
    slots = set()
    for _ in range(150):
        roster, member = roster.with_member()
        slots.add(member.slot)
        roster = roster.without(member.number)
    assert member.number == 151
    assert slots == set(range(100)) - {second.slot}


def test_a_node_without_a_free_address_is_refused() -> None:
    roster = bay_roster.Roster()
    for _ in range(100):
        roster, _ = roster.with_member()
    with pytest.raises(exceptions.SandboxError, match="100 real nodes"):
        roster.with_member()


def test_hollow_numbers_are_never_reused() -> None:
    roster, first = bay_roster.Roster().with_hollow(3)
    assert list(first) == [1, 2, 3]
    assert list(roster.with_hollow(2)[1]) == [4, 5]


def test_a_roster_survives_write_and_read(tmp_path: Path) -> None:
    roster, member = bay_roster.Roster().with_member()
    roster = roster.with_state(member.number, whole=True)
    bay_roster.write(tmp_path, roster)
    assert bay_roster.read(tmp_path) == roster
    assert not roster.with_state(0, whole=False).members[0].whole


def test_the_error_names_a_missing_roster(tmp_path: Path) -> None:
    with pytest.raises(exceptions.SandboxError, match=r"nodes\.json"):
        bay_roster.read(tmp_path)
