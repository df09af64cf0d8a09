import pytest
from hypothesis import given
from hypothesis import strategies

from rally_magnum_scale.measurement import node_times

REQUESTED_AT = 1_000_000.0
OFFSET_S = 50.0
# The bay's clock is exactly 50 s ahead; a stamp leaves out up to a second.
CLOCKS = node_times.Clocks(REQUESTED_AT, OFFSET_S)
UNKNOWN = node_times.Clocks(REQUESTED_AT)


def on_bay_clock(after_s):
    return None if after_s is None else REQUESTED_AT + OFFSET_S + after_s


def stamped(after_s, seen_after_s=1000.0, created_after_s=None, **values):
    return node_times.ReadyNode(
        "node-1",
        on_bay_clock(after_s),
        seen_after_s,
        created_at=on_bay_clock(created_after_s),
        **values,
    )


def span(node, clocks=CLOCKS):
    (found,) = node_times.spans([node], clocks)
    return found.low_s, found.high_s


def test_a_stamp_is_moved_onto_our_clock_and_its_second_may_be_over():
    assert span(stamped(7.0)) == (7.0, 8.0)


def test_what_is_not_known_of_the_clocks_makes_a_time_less_exact():
    clocks = node_times.Clocks(REQUESTED_AT, OFFSET_S, 0.5)
    assert span(stamped(7.0), clocks) == (6.5, 8.5)


def test_a_node_was_not_ready_after_we_saw_it_nor_while_we_saw_it_unready():
    assert span(stamped(9.0, seen_after_s=9.5)) == (9.0, 9.5)
    assert span(stamped(9.0, unready_after_s=9.5)) == (9.5, 10.0)


@pytest.mark.parametrize(("after_s", "high_s"), [(-0.5, 0.5), (-1.9, 0.0)])
def test_a_stamp_before_the_request_is_no_time_below_0(after_s, high_s):
    assert span(stamped(after_s)) == (0.0, high_s)


@pytest.mark.parametrize(
    ("node", "clocks"),
    [(stamped(None, 4.0), CLOCKS), (stamped(1.0, 4.0), UNKNOWN)],
    ids=["no stamp", "no offset"],
)
def test_without_a_stamp_that_can_be_moved_we_say_what_we_saw(node, clocks):
    assert span(node, clocks) == (0.0, 4.0)


def test_a_stamp_alone_is_enough():
    assert span(stamped(5.0, None)) == (5.0, 6.0)


def test_nothing_known_is_nothing():
    for nodes in ([], [stamped(None, None)]):
        assert node_times.spans(nodes, CLOCKS) == []
    assert node_times.nearest_ranks([]) is None
    assert node_times.resolution_s([]) is None
    assert node_times.all_ready_after_s([], 3) == 0.0


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (stamped(-3600.0), "3,600.0 s before its bay was requested"),
        (stamped(-2.1), "2.1 s before its bay was requested"),
        (
            stamped(10.0, created_after_s=40.0),
            "30.0 s before its Node object was created",
        ),
        (
            stamped(10.0, unready_after_s=25.0),
            "15.0 s before it was seen not Ready",
        ),
        (stamped(30.0, 20.0), "10.0 s after it was seen Ready"),
        (stamped(21.1, 20.0), "1.1 s after it was seen Ready"),
    ],
)
def test_stamps_that_contradict_what_is_known_are_named(node, words):
    found = node_times.doubt([stamped(9.0), node], CLOCKS)
    assert found.startswith("1 impossible timestamp of nodes, ")
    assert f"node-1 is Ready by its own clock {words}; synchronise" in found


def test_all_stamps_that_can_not_be_right_are_counted():
    found = node_times.doubt([stamped(-60.0)] * 1000, CLOCKS)
    assert found.startswith("1,000 impossible timestamps of nodes")


def test_the_first_node_stands_for_those_whose_stamps_can_not_be_right():
    nodes = [stamped(9.0), stamped(-60.0), stamped(-70.0), stamped(-80.0)]
    found = node_times.doubt(nodes, CLOCKS)
    assert found.startswith("3 impossible timestamps of nodes")
    assert "60.0 s before" in found


@pytest.mark.parametrize(
    "node",
    [
        stamped(0.0),
        stamped(-1.9),
        # Not a moment more than two seconds before, or one after.
        stamped(-2.0),
        stamped(10.0, created_after_s=10.0),
        stamped(10.0, created_after_s=11.9),
        stamped(10.0, unready_after_s=11.9),
        stamped(20.9, 20.0),
        stamped(21.0, 20.0),
        stamped(None),
        stamped(5.0, None),
    ],
)
def test_clocks_that_are_kept_in_time_are_believed(node):
    assert node_times.doubt([node], CLOCKS) == ""


def test_stamps_are_believed_as_far_as_the_clocks_are_known():
    slow = node_times.Clocks(REQUESTED_AT, OFFSET_S, 3.0)
    assert node_times.doubt([stamped(-4.9), stamped(23.9, 20.0)], slow) == ""
    assert node_times.doubt([stamped(-5.1)], slow)
    assert node_times.doubt([stamped(24.1, 20.0)], slow)


def test_stamps_that_are_not_used_are_not_judged():
    assert node_times.doubt([stamped(-3600.0)], UNKNOWN) == ""


def test_percentiles_are_as_exact_as_the_least_exact_node():
    found = node_times.spans([stamped(7.0), stamped(None, 4.0)], CLOCKS)
    assert node_times.resolution_s(found) == 4.0


def test_the_last_node_that_was_asked_for_was_not_ready_before_its_stamp():
    found = node_times.spans([stamped(7.0), stamped(9.0)], CLOCKS)
    assert node_times.all_ready_after_s(found, 2) == 9.0
    assert node_times.all_ready_after_s(found, 1) == 7.0
    # Of a node that is not known there is no time, nor of no node.
    assert node_times.all_ready_after_s(found, 0) == 0.0
    assert node_times.all_ready_after_s(found, 3) == 0.0


def test_a_percentile_is_a_time_that_was_measured():
    found = node_times.nearest_ranks(map(float, range(200, 0, -1)))
    assert found == {"p50": 100.0, "p90": 180.0, "p99": 198.0, "max": 200.0}


def test_a_percentile_of_few_times_is_the_one_of_that_rank():
    found = node_times.nearest_ranks(map(float, range(1, 11)))
    assert found == {"p50": 5.0, "p90": 9.0, "p99": 10.0, "max": 10.0}


def test_one_time_is_all_percentiles():
    found = node_times.nearest_ranks([3.0])
    assert found == dict.fromkeys(("p50", "p90", "p99", "max"), 3.0)


@given(
    strategies.lists(
        strategies.tuples(
            strategies.floats(0, 1e4), strategies.floats(0, 100)
        ),
        min_size=1,
    )
)
def test_the_true_percentiles_lie_within_what_is_told(nodes):
    truth = node_times.nearest_ranks(ready_s for ready_s, _ in nodes)
    # Stamps are cut to seconds of the bay's clock.
    seen = [
        stamped(float(int(ready_s)), ready_s + later)
        for ready_s, later in nodes
    ]
    assert node_times.doubt(seen, CLOCKS) == ""
    found = node_times.spans(seen, CLOCKS)
    told = node_times.nearest_ranks(one.high_s for one in found)
    exact_s = node_times.resolution_s(found)
    assert exact_s <= 1.0
    for name, value_s in told.items():
        assert value_s - exact_s - 1e-6 <= truth[name] <= value_s + 1e-6
