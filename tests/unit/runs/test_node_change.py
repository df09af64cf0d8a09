import contextlib
import time

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import node_change_follower
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.runs import node_change
from tests.unit.bays import fake_magnum
from tests.unit.kube import living_nodes

SOON = deadlines.ResizeDeadlines(resize_s=30, settle_s=0.3)
BEFORE = {"status": "CREATE_COMPLETE", "updated_at": "2026-01-01T00:00:00"}
DONE = {"status": "UPDATE_COMPLETE", "updated_at": "2026-01-01T00:02:00"}


@pytest.fixture(autouse=True)
def short_pause(monkeypatch):
    monkeypatch.setattr(client, "PAUSE_S", 0.01)


class Magnum(fake_magnum.FakeMagnum):
    """A Magnum whose resize changes the nodes.

    :param does: is called with the body of the request
    """

    def __init__(self, does, *statuses):
        super().__init__(BEFORE, BEFORE, *statuses or [DONE])
        self._does = does

    def _resize(self):
        self._does(self.requests[-1][2])
        return super()._resize()


@contextlib.contextmanager
def change_of(
    magnum, nodes, spec, limits=SOON, log=None, clock=time.monotonic
):
    with (
        fake_magnum.bays(magnum) as bays,
        living_nodes.serve(nodes) as cluster,
        node_change_follower.NodeChangeFollower(
            cluster, clock
        ).following() as follower,
    ):
        follower.wait_listed()
        wanted = spec(follower.now()) if callable(spec) else spec
        yield node_change.NodeChangeRun(
            bays,
            cluster,
            follower,
            "c-1",
            wanted,
            1,
            (log if log is not None else []).append,
            limits,
            clock,
        )


def bay_of(*names, **options):
    nodes = living_nodes.LivingNodes()
    nodes.put(*names, **options)
    return nodes


def test_a_bay_that_grows_is_timed_and_its_nodes_are_checked():
    nodes, log = bay_of("a", "b"), []
    magnum = Magnum(lambda _: nodes.put("c", "d"))
    with change_of(
        magnum, nodes, node_change.NodeChangeSpec(4), log=log
    ) as change:
        change.run()
    record = change.record
    assert (record.nodes_before, record.nodes_wanted) == (2, 4)
    assert (record.added, record.removed, record.stayed) == (2, 0, 2)
    assert record.nodes_after == 4
    assert record.failure == ""
    assert 0 <= record.node_ready_s["max"] <= record.nodes_s
    assert record.magnum_s >= 0
    assert record.client_memory_peak_bytes
    assert "from 2 to 4 nodes" in log[0]


def test_a_resize_of_a_node_group_leaves_the_other_nodes():
    nodes, bodies = bay_of("a", "b", "g"), []

    def grow(body):
        bodies.append(body)
        nodes.put("h", "i")

    magnum = Magnum(grow)
    magnum.nodegroups = {"gpu": 1}
    spec = node_change.NodeChangeSpec(3, nodegroup="gpu")
    with change_of(magnum, nodes, spec) as change:
        change.run()
    (body,) = bodies
    assert (body["nodegroup"], body["node_count"]) == ("gpu", 3)
    record = change.record
    assert (record.nodes_wanted, record.nodes_after) == (5, 5)
    assert (record.added, record.stayed) == (2, 3)


def test_a_missing_node_group_is_named_and_nothing_is_requested():
    nodes = bay_of("a")
    magnum = Magnum(lambda _: pytest.fail("a resize was requested"))
    spec = node_change.NodeChangeSpec(3, nodegroup="gpu")
    with (
        change_of(magnum, nodes, spec) as change,
        pytest.raises(exceptions.BayResizeFailed, match="node group gpu"),
    ):
        change.run()
    assert change.record.failure


def test_nodes_that_are_not_ready_in_time_exceed_the_deadline():
    nodes = bay_of("a")
    magnum = Magnum(lambda _: nodes.put("b", ready=False))
    with (
        change_of(magnum, nodes, node_change.NodeChangeSpec(2)) as change,
        pytest.raises(
            exceptions.DeadlineExceeded, match="1 Ready of 2 nodes, 2 wanted"
        ),
    ):
        change.run()
    assert change.record.magnum_s is not None
    assert change.record.nodes_s is None
    assert change.record.failure == "deadline"
    assert change.record.added == 1


def test_a_failure_of_magnum_is_recorded_with_its_class():
    failed = {
        **DONE,
        "status": "UPDATE_FAILED",
        "status_reason": "QueuePool limit",
    }
    magnum = Magnum(lambda _: None, failed)
    with (
        change_of(
            magnum, bay_of("a"), node_change.NodeChangeSpec(2)
        ) as change,
        pytest.raises(exceptions.BayResizeFailed, match="QueuePool"),
    ):
        change.run()
    assert change.record.failure == "database_pool"
    assert change.record.magnum_s is None


def test_other_nodes_than_requested_fail_even_in_the_right_number():
    nodes = bay_of("a", "b")

    def rebuild(_body):
        nodes.remove("a", "b")
        nodes.put("c", "d", "e")

    with (
        change_of(
            Magnum(rebuild), nodes, node_change.NodeChangeSpec(3)
        ) as change,
        pytest.raises(
            exceptions.BayResizeFailed, match="not named: a, b .*none of"
        ),
    ):
        change.run()
    assert change.record.failure == "wrong_nodes"
    assert "not named: a, b" in change.record.reason


def test_a_driver_that_ignores_the_nodes_to_remove_is_named(monkeypatch):
    monkeypatch.setattr(node_change, "IGNORED_AFTER_S", 0.05)
    patient = deadlines.ResizeDeadlines(settle_s=600)
    with (
        change_of(
            Magnum(lambda _: None),
            bay_of("a", "b"),
            lambda now: node_change.NodeChangeSpec(2, "replace", now[:1]),
            patient,
        ) as change,
        pytest.raises(
            exceptions.BayResizeFailed,
            match="Ready, though named for removal: a .*ignored",
        ),
    ):
        change.run()
    assert change.record.to_go == 1
    assert change.record.stayed == 2


@pytest.mark.parametrize(
    ("machine", "named"),
    [("openstack:///7-8", "7-8"), ("openstack://one/7-8", "7-8"), ("", "a")],
)
def test_a_node_is_named_by_its_identifier_for_drivers(machine, named):
    nodes = bay_of("a", machine=machine)
    bodies = []

    def replace(body):
        bodies.append(body)
        nodes.remove("a")
        nodes.put("b", machine="openstack:///9")

    with change_of(
        Magnum(replace),
        nodes,
        lambda now: node_change.NodeChangeSpec(1, "replace", now),
    ) as change:
        change.run()
    assert bodies == [{"node_count": 1, "nodes_to_remove": [named]}]
    assert change.record.added == change.record.removed == 1


def numbers(specs):
    return [[int(node.name) for node in spec.to_go] for spec in specs]


@pytest.mark.parametrize(
    ("count", "batch", "expected"),
    [
        (1, None, [[5]]),
        (2, None, [[2, 7]]),
        (5, 2, [[1, 3], [5, 7], [9]]),
        (10, None, [list(range(10))]),
    ],
)
def test_replacements_are_spread_and_come_in_batches(count, batch, expected):
    nodes = [
        node_list.Node(str(number), ready=True, hollow=False, cores=4)
        for number in reversed(range(10))
    ]
    specs = node_change.replacements(nodes, count, batch=batch)
    assert numbers(specs) == expected
    assert {spec.nodes for spec in specs} == {10}
    assert all(spec.drain for spec in specs)


def test_nodes_are_drained_before_they_are_replaced(monkeypatch):
    nodes, happened = bay_of("a", "b"), []

    def replace(body):
        happened.append(("requested", body["nodes_to_remove"]))
        nodes.remove("a")
        nodes.put("c")

    def drain(_cluster, names, **options):
        happened.append(("drained", names, options["deadline_s"]))
        return node_change.draining.Drained(3, 0.0)

    monkeypatch.setattr(node_change.draining, "drain", drain)
    limits = deadlines.ResizeDeadlines(drain_s=7)
    with change_of(
        Magnum(replace),
        nodes,
        lambda now: node_change.NodeChangeSpec(
            2, "replace", now[:1], drain=True
        ),
        limits,
    ) as change:
        change.run()
    assert happened == [("drained", ["a"], 7.0), ("requested", ["a"])]
    assert change.record.evicted == 3
    assert change.record.drain_s >= 0


def test_nodes_are_uncordoned_when_their_replacement_fails(monkeypatch):
    failed = {**DONE, "status": "UPDATE_FAILED", "status_reason": "no"}
    freed = []
    drained = node_change.draining.Drained(0, None)
    monkeypatch.setattr(
        node_change.draining, "drain", lambda *_, **__: drained
    )
    monkeypatch.setattr(
        node_change.draining,
        "uncordon",
        lambda _, names, __: freed.extend(names),
    )
    with (
        change_of(
            Magnum(lambda _: None, failed),
            bay_of("a", "b"),
            lambda now: node_change.NodeChangeSpec(
                2, "replace", now[:1], drain=True
            ),
        ) as change,
        pytest.raises(exceptions.BayResizeFailed),
    ):
        change.run()
    assert freed == ["a"]


def test_missing_nodes_exceed_the_deadline_and_are_not_wrong_nodes():
    with (
        change_of(
            Magnum(lambda _: None), bay_of("a"), node_change.NodeChangeSpec(3)
        ) as change,
        pytest.raises(
            exceptions.DeadlineExceeded, match="1 Ready of 1 nodes, 3 wanted"
        ),
    ):
        change.run()
    assert change.record.failure == "deadline"
    assert change.record.nodes_after == 1


def test_an_unready_node_does_not_count_as_a_request_that_the_driver_ignored():
    nodes = bay_of("a", "b")

    def replace(_body):
        nodes.put("a", ready=False)
        nodes.put("c")

    with (
        change_of(
            Magnum(replace),
            nodes,
            lambda now: node_change.NodeChangeSpec(2, "replace", now[:1]),
        ) as change,
        pytest.raises(
            exceptions.BayResizeFailed, match="no longer Ready: a[.]"
        ),
    ):
        change.run()


@pytest.mark.parametrize("exact_s", [0.0, None])
def test_the_resolution_of_a_drain_is_recorded(monkeypatch, exact_s):
    nodes = bay_of("a", "b")

    def replace(_body):
        nodes.remove("a")
        nodes.put("c")

    magnum = Magnum(replace)

    def drain(*_arguments, **_options):
        magnum.now += 5.0
        return node_change.draining.Drained(0, exact_s)

    monkeypatch.setattr(node_change.draining, "drain", drain)
    with change_of(
        magnum,
        nodes,
        lambda now: node_change.NodeChangeSpec(
            2, "replace", now[:1], drain=True
        ),
        clock=lambda: magnum.now,
    ) as change:
        change.run()
    assert change.record.drain_s == 5.0
    expected_s = 5.0 if exact_s is None else exact_s
    assert change.record.drain_resolution_s == expected_s


def test_the_resolution_of_magnums_part_of_a_change_is_recorded():
    nodes = bay_of("a")
    working = {**DONE, "status": "UPDATE_IN_PROGRESS"}
    magnum = Magnum(
        lambda _: nodes.put("b"),
        *[working] * 3,
        fake_magnum.Slow(9.0, DONE),
    )
    spec = node_change.NodeChangeSpec(2)
    with change_of(magnum, nodes, spec, clock=lambda: magnum.now) as change:
        change.run()
    record = change.record
    assert (record.magnum_s, record.magnum_resolution_s) == (12.0, 10.0)


def test_a_change_whose_request_was_repeated_may_have_begun_later():
    nodes = bay_of("a")
    working = {**DONE, "status": "UPDATE_IN_PROGRESS"}
    magnum = Magnum(lambda _: nodes.put("b"), *[BEFORE] * 20, working, DONE)
    # The first request had no effect, but its response was lost.
    magnum.spoilt = [False]
    spec = node_change.NodeChangeSpec(2)
    with change_of(magnum, nodes, spec, clock=lambda: magnum.now) as change:
        change.run()
    record = change.record
    assert 10.0 < record.nodes_resolution_s <= record.nodes_s
    assert 10.0 < record.node_ready_resolution_s <= record.node_ready_s["max"]


def test_a_change_that_only_removes_nodes_has_no_time_to_ready():
    nodes = bay_of("a", "b")
    magnum = Magnum(lambda _: nodes.remove("b"))
    with change_of(magnum, nodes, node_change.NodeChangeSpec(1)) as change:
        change.run()
    record = change.record
    assert 0 <= record.nodes_resolution_s <= record.nodes_s
    assert (record.node_ready_s, record.node_ready_resolution_s) == (
        None,
        None,
    )
