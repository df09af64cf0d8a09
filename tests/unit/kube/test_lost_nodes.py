"""Nodes that are deleted from a cluster, and restored."""

import json

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import lost_nodes
from tests.unit.kube import fake_api

CONFIG_MAPS = "/api/v1/namespaces/load/configmaps"
NODE = {
    "kind": "Node",
    "apiVersion": "v1",
    "metadata": {
        "name": "n1",
        "uid": "u",
        "resourceVersion": "7",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [],
        "labels": {"zone": "a"},
    },
    "spec": {
        "podCIDR": "10.1.0.0/24",
        "providerID": "openstack:///x",
        "taints": [
            {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"},
            {"key": "mine", "effect": "NoSchedule"},
        ],
    },
    "status": {"phase": "x"},
}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(client, "PAUSE_S", 0.01)
    monkeypatch.setattr(client, "UP_WITHIN_S", 0.5)


def test_a_node_is_restored_unchanged_and_once():
    script = {
        "/api/v1/nodes/n1": [NODE, {}],
        "/api/v1/nodes": [{}],
        CONFIG_MAPS: [{}],
    }
    with fake_api.serve(script) as (fake, cluster):
        nodes = lost_nodes.NodeObjects(cluster, "load")
        nodes.fail("n1", "delete")
        (kept,) = fake.posted
        # The copy is kept before the delete, for a run after a crash.
        paths = [path for path, _ in fake.queries]
        assert paths == ["/api/v1/nodes/n1", CONFIG_MAPS, "/api/v1/nodes/n1"]
        fake.posted.clear()
        nodes.revert("n1", "delete")
        nodes.revert("n1", "delete")
        nodes.revert("another", "delete")
    (made,) = fake.posted
    assert made["metadata"] == {"name": "n1", "labels": {"zone": "a"}}
    assert made["spec"] == {
        "podCIDR": "10.1.0.0/24",
        "providerID": "openstack:///x",
        # The node controller adds its own taints again where needed.
        "taints": [{"key": "mine", "effect": "NoSchedule"}],
    }
    assert "status" not in made
    assert json.loads(kept["data"]["node.json"]) == made


def test_a_later_run_restores_the_nodes_that_a_crashed_run_deleted():
    taken = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "n1"}}
    kept = {
        "metadata": {"name": "lost-node-n1"},
        "data": {"node.json": json.dumps(taken)},
    }
    found = {"metadata": {"resourceVersion": "1"}, "items": [kept]}
    ready = {
        "metadata": {"name": "n1", "resourceVersion": "2"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    none = {"metadata": {"resourceVersion": "1"}, "items": []}
    script = {
        CONFIG_MAPS: [found],
        # It may be there again by itself.
        "/api/v1/nodes": [
            *({}, none, [{"type": "ADDED", "object": ready}]),
            *(409, {**none, "items": [ready]}),
        ],
    }
    lines = []
    with fake_api.serve(script) as (fake, cluster):
        for _ in range(2):
            lost_nodes.bring_back(cluster, "load", lines.append)
    assert fake.posted == [taken, taken]
    assert lines == ["The node n1 was restored."] * 2
    # It was waited for until it was Ready.
    assert [path for path, _ in fake.queries].count("/api/v1/nodes") == 5


def nodes_of(*ready, lost=()):
    return {
        "metadata": {"resourceVersion": "1"},
        "items": [
            {
                "metadata": {"name": name, "resourceVersion": "1"},
                "status": {
                    "conditions": [{"type": "Ready", "status": status}]
                },
            }
            for names, status in ((ready, "True"), (lost, "Unknown"))
            for name in names
        ],
    }


@pytest.mark.parametrize(
    "shown",
    [
        nodes_of("a", "b", "c"),
        nodes_of("a", "new-1", "new-2"),
        nodes_of("a", "c", "new-1", lost=["b"]),
    ],
)
def test_lost_nodes_come_back_or_are_replaced_by_new_ones(shown):
    with fake_api.serve({"/api/v1/nodes": [shown]}) as (_, cluster):
        lost_nodes.wait_until_back(
            cluster, {"b", "c"}, print, known={"a", "b", "c"}
        )


@pytest.mark.parametrize(
    ("shown", "known"),
    [
        (nodes_of("a", "new-1", lost=["b"]), {"a", "b", "c"}),
        (nodes_of("a", lost=["b", "new-1", "new-2"]), {"a", "b", "c"}),
        (nodes_of("a", "new-1", "new-2"), None),
    ],
)
def test_lost_nodes_without_enough_new_ones_are_named(
    shown, known, monkeypatch
):
    monkeypatch.setattr(lost_nodes, "BACK_WITHIN_S", 0.1)
    with (
        fake_api.serve({"/api/v1/nodes": [shown]}) as (_, cluster),
        pytest.raises(exceptions.DeadlineExceeded, match="b, c not yet"),
    ):
        lost_nodes.wait_until_back(cluster, {"b", "c"}, print, known=known)


def test_a_node_without_a_copy_is_not_deleted():
    script = {"/api/v1/nodes/n1": [NODE, {}], CONFIG_MAPS: [403]}
    with fake_api.serve(script) as (fake, cluster):
        nodes = lost_nodes.NodeObjects(cluster, "load")
        with pytest.raises(exceptions.KubernetesError, match="lost-node-n1"):
            nodes.fail("n1", "delete")
    paths = [path for path, _ in fake.queries]
    assert paths == ["/api/v1/nodes/n1", CONFIG_MAPS]


def test_a_node_that_could_not_be_restored_is_tried_again():
    script = {
        "/api/v1/nodes/n1": [NODE, {}],
        "/api/v1/nodes": [403, {}],
        CONFIG_MAPS: [{}],
    }
    with fake_api.serve(script) as (_, cluster):
        nodes = lost_nodes.NodeObjects(cluster, "load")
        nodes.fail("n1", "delete")
        with pytest.raises(exceptions.KubernetesError, match="Node n1"):
            nodes.revert("n1", "delete")
        nodes.revert("n1", "delete")


@pytest.mark.parametrize("how", ["network", "stop"])
def test_faults_that_the_api_can_t_inject_are_refused(how):
    with fake_api.serve({}) as (fake, cluster):
        with pytest.raises(exceptions.InvalidInput, match=how):
            lost_nodes.NodeObjects(cluster, "load").fail("n1", how)
        assert fake.queries == []


def test_pods_of_lost_nodes_are_deleted_without_a_grace_period():
    pods = "/api/v1/namespaces/load/pods"
    found = [{"metadata": {"name": name}} for name in ("a", "b")]
    script = {
        pods: [{"metadata": {"resourceVersion": "1"}, "items": found}],
        f"{pods}/a": [404],
        f"{pods}/b": [{}],
    }
    lines = []
    with fake_api.serve(script) as (fake, cluster):
        lost_nodes.forget_pods(cluster, "load", ["n1"], lines.append)
    requests = [(path, query) for path, query in fake.queries]
    assert requests[0][1]["fieldSelector"] == "spec.nodeName=n1"
    assert [path for path, _ in requests[1:]] == [f"{pods}/a", f"{pods}/b"]
    assert all(query["gracePeriodSeconds"] == "0" for _, query in requests[1:])
    assert lines == []


def test_pods_that_can_t_be_deleted_do_not_end_the_cleanup():
    pods = "/api/v1/namespaces/load/pods"
    lines = []
    with fake_api.serve({pods: [403]}) as (_, cluster):
        lost_nodes.forget_pods(cluster, "load", ["n1"], lines.append)
    assert "pods of lost nodes may stay" in lines[0]
