import pytest

from rally_magnum_scale.measurement import node_changes


def nodes(*numbers, life="a"):
    return [
        node_changes.Identity(f"n-{number}", f"{life}-{number}")
        for number in numbers
    ]


def test_a_bay_that_grows_keeps_what_it_has():
    change = node_changes.compare(
        before=nodes(1, 2), after=nodes(1, 2, 3, 4), wanted=4
    )
    assert change.added == tuple(nodes(3, 4))
    assert change.removed == ()
    assert change.stayed == tuple(nodes(1, 2))
    assert change.faults == ()


def test_any_may_go_when_it_shrinks_and_none_is_named():
    change = node_changes.compare(nodes(1, 2, 3), nodes(2), wanted=1)
    assert change.removed == tuple(nodes(1, 3))
    assert change.faults == ()


def test_a_count_that_is_right_proves_nothing():
    change = node_changes.compare(nodes(1, 2), nodes(2, 3, 4), wanted=3)
    assert change.faults == (
        "removed, though not named: n-1 (the driver was free to remove none "
        "of these)",
    )


def test_a_shrinking_bay_may_not_replace():
    change = node_changes.compare(nodes(1, 2, 3), nodes(3, 4), wanted=2)
    assert change.faults == (
        "removed, though not named: n-1, n-2 (the driver was free to remove "
        "1 of these)",
    )


def test_named_nodes_go_and_others_come():
    change = node_changes.compare(
        nodes(1, 2, 3), nodes(2, 3, 4), wanted=3, to_go=nodes(1)
    )
    assert change.added == tuple(nodes(4))
    assert change.faults == ()


def test_a_driver_that_ignores_who_is_named_is_found_out():
    change = node_changes.compare(
        nodes(1, 2, 3), nodes(1, 2, 3), wanted=3, to_go=nodes(2)
    )
    (fault,) = change.faults
    assert fault.startswith(
        "still there and Ready, though named for removal: n-2 (as if"
    )


def test_a_node_to_go_that_is_not_ready_any_more_was_not_ignored():
    left = [node_changes.Identity("n-2", "a-2", ready=False)]
    change = node_changes.compare(
        nodes(1, 2), [*nodes(1), *left], wanted=1, to_go=nodes(2)
    )
    assert change.faults == (
        "still there, though named for removal and no longer Ready: n-2",
    )


def test_a_driver_that_takes_another_one_is_found_out():
    change = node_changes.compare(
        nodes(1, 2, 3), nodes(1, 2, 4), wanted=3, to_go=nodes(1)
    )
    assert len(change.faults) == 2
    assert "though named for removal: n-1" in change.faults[0]
    assert "not named: n-3" in change.faults[1]


@pytest.mark.parametrize("machine", ["", "openstack:///7"])
def test_an_old_node_that_joins_again_is_no_new_one(machine):
    before = [node_changes.Identity("n", "a", machine)]
    after = [node_changes.Identity("n", "b", machine)]
    change = node_changes.compare(before, after, wanted=1, to_go=before)
    assert change.faults == (
        "not new machines, but old ones that joined again: n",
    )


def test_a_new_machine_may_have_an_old_name():
    before = [node_changes.Identity("n", "a", "openstack:///7")]
    after = [node_changes.Identity("n", "b", "openstack:///8")]
    change = node_changes.compare(before, after, wanted=1, to_go=before)
    assert change.faults == ()


def test_many_names_are_cut_short():
    change = node_changes.compare(nodes(*range(9)), [], wanted=9)
    assert ": n-0, n-1, n-2 and 6 more (" in change.faults[0]
