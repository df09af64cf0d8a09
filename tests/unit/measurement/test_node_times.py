import pytest
from hypothesis import given
from hypothesis import strategies

from rally_magnum_scale.measurement import node_times

REQUESTED_AT = 1_000_000.0

OFFSET_S = 50.0


def stamped(after_s, seen_after_s=1000.0):
    at = REQUESTED_AT + OFFSET_S + after_s
    return node_times.ReadyNode(at, seen_after_s)


def after(node, offset_s=OFFSET_S):
    return node_times.after_request_s(node, REQUESTED_AT, offset_s)


def test_a_stamp_is_moved_onto_our_clock():
    assert after(stamped(7.0)) == 7.0


def test_a_node_was_not_ready_after_we_saw_it():
    assert after(stamped(9.0, seen_after_s=8.5)) == 8.5


def test_a_node_was_not_ready_before_it_was_asked_for():
    assert after(stamped(-3.0)) == 0.0


@pytest.mark.parametrize(
    ("node", "offset_s"),
    [
        (node_times.ReadyNode(None, 4.0), OFFSET_S),
        (node_times.ReadyNode(REQUESTED_AT + 1, 4.0), None),
    ],
    ids=["no stamp", "no offset"],
)
def test_without_a_stamp_that_can_be_moved_we_say_what_we_saw(node, offset_s):
    assert after(node, offset_s) == 4.0


def test_a_stamp_alone_is_enough():
    assert after(node_times.ReadyNode(REQUESTED_AT + 55, None)) == 5.0


def test_a_percentile_is_a_time_that_was_measured():
    nodes = [stamped(float(after_s)) for after_s in range(1, 201)]
    found = node_times.percentiles(reversed(nodes), REQUESTED_AT, OFFSET_S)
    assert found == {"p50": 100.0, "p90": 180.0, "p99": 198.0, "max": 200.0}


def test_one_node_is_all_percentiles():
    found = node_times.percentiles([stamped(3.0)], REQUESTED_AT, OFFSET_S)
    assert found == dict.fromkeys(("p50", "p90", "p99", "max"), 3.0)


def test_nothing_known_is_nothing():
    silent = node_times.ReadyNode(None, None)
    for nodes in ([], [silent]):
        assert node_times.percentiles(nodes, REQUESTED_AT, 0.0) is None


@given(
    strategies.lists(
        strategies.tuples(
            strategies.floats(-1e4, 1e4), strategies.floats(0, 1e4)
        ),
        min_size=1,
    )
)
def test_percentiles_never_fall_and_stay_within_what_was_seen(times):
    nodes = [stamped(after_s, seen) for after_s, seen in times]
    found = node_times.percentiles(nodes, REQUESTED_AT, OFFSET_S)
    values = list(found.values())
    assert values == sorted(values)
    assert 0.0 <= values[0] <= values[-1] <= max(seen for _, seen in times)
