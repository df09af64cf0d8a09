import contextlib

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting
from rally_magnum_scale.kube import node_change_follower
from tests.unit.kube import living_nodes


@contextlib.contextmanager
def following(nodes, **options):
    with (
        living_nodes.serve(nodes) as cluster,
        node_change_follower.NodeChangeFollower(
            cluster, **options
        ).following() as follower,
    ):
        follower.wait_listed()
        yield follower


def settle(follower):
    return waiting.wait_for(
        follower.settled, what="it", deadline_s=10, interval_s=0.01
    )


def until(condition):
    waiting.wait_for(
        lambda: condition() or None, what="it", deadline_s=10, interval_s=0.01
    )


def test_a_bay_has_settled_when_the_new_nodes_are_ready():
    nodes = living_nodes.LivingNodes()
    nodes.put("a", "b")
    with following(nodes) as follower:
        follower.expect(3)
        assert follower.settled() is None
        nodes.put("c", ready=False)
        until(lambda: "2 Ready of 3 nodes, 3 wanted" in follower.progress())
        assert follower.settled() is None
        nodes.put("c")
        found = settle(follower)
    assert {node.uid for node in found.nodes} == {"a-a", "b-a", "c-a"}
    assert set(found.ready) == {"c-a"}
    assert found.ready["c-a"].at <= found.observed.at


def test_an_old_node_that_was_never_ready_does_not_block():
    nodes = living_nodes.LivingNodes()
    nodes.put("a", ready=False)
    with following(nodes) as follower:
        follower.expect(2)
        nodes.put("b")
        assert len(settle(follower).nodes) == 2


def test_the_right_number_is_not_enough_when_nodes_must_be_removed():
    nodes = living_nodes.LivingNodes()
    nodes.put("a", "b")
    with following(nodes) as follower:
        follower.expect(2, {"a-a"})
        assert follower.settled() is None
        assert follower.ignores()
        nodes.remove("a")
        until(lambda: not follower.ignores())
        nodes.put("a", life="b")
        assert set(settle(follower).ready) == {"a-b"}


def test_nodes_that_an_earlier_change_removed_are_not_new():
    nodes = living_nodes.LivingNodes()
    nodes.put("a", "b")
    with following(nodes) as follower:
        follower.expect(2, {"a-a"})
        nodes.put("c")
        nodes.remove("a")
        settle(follower)
        follower.expect(2, {"b-a"})
        nodes.put("d")
        nodes.remove("b")
        assert set(settle(follower).ready) == {"d-a"}


def test_a_state_that_is_lost_again_has_not_settled():
    nodes = living_nodes.LivingNodes()
    nodes.put("a")
    with following(nodes) as follower:
        follower.expect(2)
        nodes.put("b")
        first = settle(follower)
        nodes.remove("b")
        until(lambda: follower.settled() is None)
        nodes.put("c")
        assert settle(follower).observed.at > first.observed.at


def test_a_change_that_a_broken_watch_reports_late_is_not_exact():
    nodes, now = living_nodes.LivingNodes(), [100.0]
    nodes.put("a")
    with following(nodes, clock=lambda: now[0]) as follower:
        follower.expect(2)
        nodes.refuse = 503
        until(lambda: nodes.requests.count("list") > 1)
        nodes.put("b")
        now[0] = 130.0
        nodes.refuse = None
        found = settle(follower)
    for observed in (found.observed, found.ready["b-a"]):
        assert (observed.at, observed.not_before) == (130.0, 100.0)


def test_the_control_plane_is_no_node_of_the_bay():
    nodes = living_nodes.LivingNodes()
    nodes.put("m", labels={"node-role.kubernetes.io/control-plane": ""})
    nodes.put("a", "b")
    with following(nodes) as follower:
        follower.expect(1)
        nodes.remove("b")
        (left,) = settle(follower).nodes
    assert left.name == "a"


def test_one_list_serves_all_changes():
    nodes = living_nodes.LivingNodes()
    nodes.put("a")
    with following(nodes) as follower:
        for count in range(2, 30):
            follower.expect(count)
            nodes.put(f"n{count}")
            settle(follower)
    assert nodes.requests.count("list") == 1


def test_an_api_that_refuses_is_an_error():
    nodes = living_nodes.LivingNodes()
    nodes.refuse = 403
    with (
        pytest.raises(exceptions.KubernetesError, match="followed.*403"),
        following(nodes),
    ):
        pass


def test_a_list_that_never_comes_has_a_deadline():
    nodes = living_nodes.LivingNodes()
    nodes.refuse = 503
    ticks = iter(range(1000))
    with (
        living_nodes.serve(nodes) as cluster,
        node_change_follower.NodeChangeFollower(
            cluster, clock=lambda: float(next(ticks))
        ).following() as follower,
        pytest.raises(exceptions.DeadlineExceeded, match="list of the nodes"),
    ):
        follower.wait_listed(3.0)
