from decimal import Decimal

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import allocatable
from tests.unit.preflight import fake_bay

NO_SCHEDULE = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}


@pytest.fixture
def bay():
    with fake_bay.serve() as bay:
        yield bay


@pytest.fixture
def cluster(bay):
    with fake_bay.connect(bay.url) as cluster:
        yield cluster


def cores(rooms):
    return {room.name: float(room.free["cpu"]) for room in rooms}


def test_only_ready_nodes_have_room(bay, cluster):
    uninitialized = {"key": "x/uninitialized", "effect": "NoSchedule"}
    bay.nodes = [
        fake_bay.node("a", cpu="3500m", memory="1Gi", pods="10"),
        fake_bay.node("b", ready=False),
        fake_bay.node("c", taints=[uninitialized]),
    ]
    (room,) = allocatable.read_nodes(cluster)
    assert room.name == "a"
    assert room.free == {
        "pods": Decimal(10),
        "cpu": Decimal("3.5"),
        "memory": Decimal(1024**3),
    }


def test_a_node_without_amounts_has_no_room(bay, cluster):
    bay.nodes = [fake_bay.node("a")]
    del bay.nodes[0]["status"]["allocatable"]
    (room,) = allocatable.read_nodes(cluster)
    assert set(room.free.values()) == {Decimal(0)}


def test_an_amount_that_is_none_is_one_sentence(bay, cluster):
    bay.nodes = [fake_bay.node("a", cpu="much")]
    with pytest.raises(exceptions.KubernetesError, match="invalid response"):
        allocatable.read_nodes(cluster)


def test_pods_take_room_from_their_nodes(bay, cluster):
    bay.pods = [
        fake_bay.pod("n-0", "500m"),
        fake_bay.pod("n-0", "1"),
        fake_bay.pod("n-1", "3"),
        fake_bay.pod("", "4"),
    ]
    before = allocatable.read_nodes(cluster)
    after = allocatable.without_pods(cluster, before)
    assert cores(before) == {"n-0": 4.0, "n-1": 4.0, "n-2": 4.0}
    assert cores(after) == {"n-0": 2.5, "n-1": 1.0, "n-2": 4.0}
    assert [room.free["pods"] for room in after] == [108, 109, 110]
    assert cores(allocatable.without_pods(cluster, before, {"n"})) == cores(
        before
    )
    asked, _ = [path for _, path in bay.requests if "/pods" in path]
    assert "status.phase%21%3DSucceeded" in asked


def container(cpu, **fields):
    return {"resources": {"requests": {"cpu": cpu}}, **fields}


@pytest.mark.parametrize(
    ("spec", "taken"),
    [
        ({}, 1.0),
        ({"priority": 5}, 1.0),
        ({"priority": -1}, 0.0),
        ({"overhead": {"cpu": "250m"}}, 1.25),
        ({"containers": [container("1"), container("500m")]}, 1.5),
        ({"containers": [{}]}, 0.0),
        ({"initContainers": [container("3")]}, 3.0),
        ({"initContainers": [container("500m")]}, 1.0),
        ({"initContainers": [container("2", restartPolicy="Always")]}, 3.0),
        (
            {
                "initContainers": [
                    container("2", restartPolicy="Always"),
                    container("1500m"),
                ]
            },
            3.5,
        ),
        ({"resources": {"requests": {"cpu": "2"}}}, 2.0),
    ],
)
def test_what_the_scheduler_reserves_for_a_pod(bay, cluster, spec, taken):
    bay.pods = [fake_bay.pod("n-0", **spec)]
    rooms = allocatable.read_nodes(cluster)
    after = allocatable.without_pods(cluster, rooms)
    assert cores(after)["n-0"] == 4.0 - taken


@pytest.mark.parametrize(
    ("changes", "selector", "tolerations", "accepted"),
    [
        ({}, {}, [], True),
        ({"labels": {"a": "b", "c": "d"}}, {"a": "b"}, [], True),
        ({"labels": {"a": "c"}}, {"a": "b"}, [], False),
        ({}, {"a": "b"}, [], False),
        ({"unschedulable": True}, {}, [], False),
        ({"unschedulable": True}, {}, [{"operator": "Exists"}], True),
        ({"taints": [NO_SCHEDULE]}, {}, [], False),
        (
            {"taints": [{"key": "a", "effect": "PreferNoSchedule"}]},
            {},
            [],
            True,
        ),
        (
            {"taints": [{"key": "a", "effect": "NoExecute"}]},
            {},
            [{"key": "a", "operator": "Exists", "tolerationSeconds": 5}],
            True,
        ),
        (
            {"taints": [NO_SCHEDULE]},
            {},
            [{"key": "gpu", "operator": "Exists"}],
            True,
        ),
        ({"taints": [NO_SCHEDULE]}, {}, [{"key": "gpu"}], False),
        (
            {"taints": [NO_SCHEDULE]},
            {},
            [{"key": "gpu", "value": "yes"}],
            True,
        ),
        (
            {"taints": [NO_SCHEDULE]},
            {},
            [{"key": "gpu", "value": "yes", "effect": "NoExecute"}],
            False,
        ),
        (
            {"taints": [NO_SCHEDULE, {**NO_SCHEDULE, "key": "b"}]},
            {},
            [{"key": "gpu", "value": "yes"}],
            False,
        ),
    ],
)
def test_which_nodes_take_a_pod(
    bay, cluster, changes, selector, tolerations, accepted
):
    bay.nodes = [fake_bay.node("a", **changes)]
    (room,) = allocatable.read_nodes(cluster)
    assert room.accepts(selector, tolerations) is accepted


def test_a_bay_with_an_autoscaler_may_grow(bay, cluster):
    rooms = allocatable.read_nodes(cluster)
    assert not allocatable.may_grow(cluster, rooms)
    bay.config_maps = [{"metadata": {"name": "cluster-autoscaler-status"}}]
    assert allocatable.may_grow(cluster, rooms)
    bay.config_maps = []
    bay.nodes[0]["metadata"]["labels"] = {"karpenter.sh/nodepool": "x"}
    assert allocatable.may_grow(cluster, allocatable.read_nodes(cluster))
    (asked, *_) = [path for _, path in bay.requests if "configmaps" in path]
    assert "metadata.name%3Dcluster-autoscaler-status" in asked
