"""What a bay's new size means for its nodes."""

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
    wish = bay_plan.DesiredSize(1, node_count, real, remove, if_there)
    made = bay_plan.make(NODES, wish)
    names = [node.name for node in made.remove]
    assert len(names) == len(set(names))
    return set(names), made.real, made.hollow


def test_a_bay_grows_by_hollow_nodes() -> None:
    assert plan(8) == (set(), 0, 3)
    assert plan(5) == (set(), 0, 0)


def test_the_highest_hollow_nodes_go_first() -> None:
    assert plan(4) == ({"h7"}, 0, 0)
    assert plan(3) == ({"h3", "h7"}, 0, 0)
    assert plan(1) == ({"h1", "h3", "h7", "r1"}, 0, 0)
    assert plan(0)[0] == {"h1", "h3", "h7", "r0", "r1"}


@pytest.mark.parametrize("named", ["h3", "uid-h3"])
def test_who_is_named_goes_instead(named: str) -> None:
    assert plan(4, named) == ({"h3"}, 0, 0)
    assert plan(3, named) == ({"h3", "h7"}, 0, 0)


def test_who_is_named_and_leaves_room_is_replaced() -> None:
    assert plan(5, "h1", "198.18.0.10") == ({"h1", "r0"}, 1, 1)
    assert plan(4, "r0") == ({"r0"}, 0, 0)
    assert plan(6, "r0", "uid-r0") == ({"r0"}, 1, 1)


def test_real_nodes_come_back_when_a_bay_grows_again() -> None:
    assert plan(9, real=4) == (set(), 2, 2)
    assert plan(6, real=4) == (set(), 1, 0)


@pytest.mark.parametrize("named", ["nope", ""])
def test_a_node_that_is_not_there_is_named(named: str) -> None:
    with pytest.raises(exceptions.SandboxError) as error:
        plan(4, "h1", named)
    assert f"{named!r} is no node of the bay" in str(error.value)
    assert "r0, r1, h1" in str(error.value)


def test_a_machine_is_named_by_its_id() -> None:
    node = bay_plan.Node("r2", 2, True, "uid", machine="machine-2")
    wish = bay_plan.DesiredSize(1, 0, 0, ("machine-2",))
    assert bay_plan.make([node], wish).remove == (node,)


def test_what_is_gone_already_need_not_be_there() -> None:
    gone = bay_plan.Node("r2", 2, True, machine="machine-2")
    wish = bay_plan.DesiredSize(1, 4, 2, ("h1", "machine-2", "r2"))
    left = bay_plan.without(wish, [gone])
    assert left == bay_plan.DesiredSize(1, 4, 2, ("h1",))
    assert bay_plan.without(wish, []) == wish


def test_an_address_of_several_nodes_names_none() -> None:
    with pytest.raises(exceptions.SandboxError, match="address of 3 nodes"):
        plan(4, "198.18.0.1")


def test_nodes_of_an_unfinished_wish_go_if_they_are_there() -> None:
    assert plan(5, if_there=("h1", "gone")) == ({"h1"}, 0, 1)
    assert plan(5, "h1", if_there=("h1",)) == ({"h1"}, 0, 1)


def test_numbers_are_never_used_again_but_addresses_are() -> None:
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


def test_no_address_is_left() -> None:
    roster = bay_roster.Roster()
    for _ in range(100):
        roster, _ = roster.with_member()
    with pytest.raises(exceptions.SandboxError, match="100 real nodes"):
        roster.with_member()


def test_hollow_numbers_go_on() -> None:
    roster, first = bay_roster.Roster().with_hollow(3)
    assert list(first) == [1, 2, 3]
    assert list(roster.with_hollow(2)[1]) == [4, 5]


def test_a_roster_is_read_as_it_was_written(tmp_path: Path) -> None:
    roster, member = bay_roster.Roster().with_member()
    roster = roster.with_state(member.number, whole=True)
    bay_roster.write(tmp_path, roster)
    assert bay_roster.read(tmp_path) == roster
    assert not roster.with_state(0, whole=False).members[0].whole


def test_a_bay_without_a_roster_says_so(tmp_path: Path) -> None:
    with pytest.raises(exceptions.SandboxError, match=r"nodes\.json"):
        bay_roster.read(tmp_path)
