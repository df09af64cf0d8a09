"""Whether pods find room on nodes."""

from decimal import Decimal

import pytest

from rally_magnum_scale.kube import allocatable
from rally_magnum_scale.preflight import plan
from rally_magnum_scale.preflight import room
from rally_magnum_scale.workload import pod_options


def node(cpu, pods=110, memory=8, name="n", labels=(), taints=()):
    free = {"cpu": cpu, "pods": pods, "memory": memory * 1024**3}
    return allocatable.NodeRoom(
        name,
        dict(labels),
        taints,
        {key: Decimal(str(value)) for key, value in free.items()},
    )


def nodes(*cores, **common):
    return [node(c, name=f"n-{i}", **common) for i, c in enumerate(cores)]


def pods(count=1, cpu=None, component="target", **options):
    requests = {"cpu": cpu} if cpu else {}
    own = pod_options.PodOptions(**{"requests": requests, **options})
    return plan.PodsPlan(component, count, own)


def test_a_missing_request_is_the_limit():
    some = pods(requests={"cpu": "1"}, limits={"cpu": "2", "memory": "1Gi"})
    assert room.requests_of(some) == {
        "pods": 1,
        "cpu": 1,
        "memory": 1024**3,
    }


@pytest.mark.parametrize(
    ("cores", "cpu", "limit", "spread", "expected"),
    [
        ([4, 4], "1", 110, False, 8),
        ([4, 4], "1500m", 110, False, 4),
        ([4, 4], None, 3, False, 6),
        ([-1, 4], "1", 110, False, 4),
        ([4, 1], "1", 110, True, 3),
        ([4, 0], "1", 110, True, 1),
        ([], "1", 110, False, 0),
        ([], "1", 110, True, 0),
    ],
)
def test_how_many_pods_fit(cores, cpu, limit, spread, expected):
    found = nodes(*cores, pods=limit)
    assert room.capacity(found, pods(cpu=cpu), spread=spread) == expected


@pytest.mark.parametrize(
    ("cores", "wanted", "spread", "fit"),
    [
        ([4, 4], [(8, "1")], False, True),
        ([4, 4], [(9, "1")], False, False),
        # Together there are 4 cores, but on no node there are 3.
        ([2, 2], [(1, "3")], False, False),
        ([4, 4], [(4, "1"), (2, "2")], False, True),
        ([4, 4], [(4, "1"), (3, "2")], False, False),
        ([4, 2], [(6, "1")], False, True),
        ([4, 2], [(6, "1")], True, False),
        ([4, 2], [(5, "1")], True, True),
        ([], [(1, None)], False, False),
        ([], [(0, None)], False, True),
    ],
)
def test_pods_that_fit_together(cores, wanted, spread, fit):
    some = [(pods(cpu=cpu), number) for number, cpu in wanted]
    assert room.fit_together(nodes(*cores), some, spread=spread) is fit


def test_pods_with_few_nodes_to_choose_from_come_first():
    found = [node(4, name="a"), node(4, name="b", labels={"only": "b"})]
    anywhere = pods(cpu="1"), 4
    there = pods(cpu="1", node_selector={"only": "b"}), 4
    for wanted in ([anywhere, there], [there, anywhere]):
        assert room.fit_together(found, wanted, spread=False)


def test_nodes_that_take_no_pods_have_no_room_for_them():
    taint = {"key": "gpu", "effect": "NoSchedule"}
    found = [node(4, name="a", taints=[taint]), node(-2, name="b"), node(1)]
    assert room.free_for_any(found, [pods()])["cpu"] == 1
    tolerant = pods(tolerations=[{"operator": "Exists"}])
    assert room.free_for_any(found, [pods(), tolerant])["cpu"] == 5
