"""Bays that grow and shrink, and nodes that are replaced, for real."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import kubernetes.client
import pytest

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import secrets_file
from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.kube import objects
from rally_magnum_scale.kube import pods
from rally_magnum_scale.runs import bay_life
from rally_magnum_scale.runs import node_change
from tests.functional import conftest
from tests.functional import test_tasks

# Tests run on slow machines too: what is tested is who came and went.
LOOSE = {
    "max_resize_s_per_node": 300,
    "max_nodes_s_per_node": 300,
    "max_replace_s_per_node": 300,
}


def changes_of(ran: test_tasks.Ran) -> list[bay_records.NodeChange]:
    (run,) = ran.runs()
    return list(run.node_changes)


def counts(change: bay_records.NodeChange) -> tuple[int | None, ...]:
    return change.added, change.removed, change.stayed


def assert_timed(change: bay_records.NodeChange) -> None:
    assert change.failure == ""
    assert change.magnum_s is not None
    assert change.nodes_s is not None
    if change.added:
        assert change.node_ready_s is not None
        assert 0 < change.node_ready_s["max"] <= change.nodes_s
    assert change.client_memory_peak_bytes is not None


def test_a_bay_grows_and_shrinks(
    clean_sandbox: conftest.Sandbox,
) -> None:
    ran = test_tasks.start(
        clean_sandbox,
        "resize-bay.json",
        {
            **LOOSE,
            "nodes": 3,
            "sizes": [8, 2, 5],
            "extra_args": {"nodegroup": "default-worker"},
        },
    )
    assert ran.status == 0, ran.said
    changes = changes_of(ran)
    assert [(c.nodes_before, c.nodes_wanted) for c in changes] == [
        (3, 8),
        (8, 2),
        (2, 5),
    ]
    assert list(map(counts, changes)) == [(5, 0, 3), (0, 6, 2), (3, 0, 2)]
    for change in changes:
        assert_timed(change)
    assert ran.sla["bay_resize_time"]["success"]
    table = test_tasks.export(clean_sandbox, ran.uuid, "magnum-scale-table")
    assert "Changes of nodes" in table


def test_nodes_are_replaced_in_batches(
    clean_sandbox: conftest.Sandbox,
) -> None:
    ran = test_tasks.start(
        clean_sandbox,
        "replace-nodes.json",
        {
            **LOOSE,
            "nodes": 5,
            "count": 4,
            "batch": 3,
            "labels": {"sandbox_real_nodes": "2"},
        },
    )
    assert ran.status == 0, ran.said
    changes = changes_of(ran)
    assert [change.to_go for change in changes] == [3, 1]
    assert list(map(counts, changes)) == [(3, 3, 2), (1, 1, 4)]
    for change in changes:
        assert_timed(change)
        assert change.evicted == 0
    assert ran.sla["node_replace_time"]["success"]


def test_a_driver_that_ignores_who_is_to_go_fails_the_run(
    clean_sandbox: conftest.Sandbox,
) -> None:
    ran = test_tasks.start(
        clean_sandbox,
        "replace-nodes.json",
        {
            **LOOSE,
            "nodes": 3,
            "count": 1,
            "labels": {"sandbox_ignore_nodes_to_remove": "true"},
            "deadlines": {"settle_s": 3},
        },
    )
    assert ran.status != 0
    assert "still there and Ready, though named for removal" in ran.errors[0]
    assert "as if the driver ignored the names" in ran.errors[0]
    (change,) = changes_of(ran)
    assert counts(change) == (0, 0, 3)
    # Magnum itself was content.
    assert change.magnum_s is not None
    assert not ran.sla["node_replace_time"]["success"]


def test_a_failed_resize_gives_magnums_reason(
    clean_sandbox: conftest.Sandbox,
) -> None:
    reason = "No valid host was found for node 4"
    ran = test_tasks.start(
        clean_sandbox,
        "resize-bay.json",
        {"nodes": 2, "sizes": [4], "labels": {"sandbox_fail_resize": reason}},
    )
    assert ran.status != 0
    assert reason in ran.errors[0]
    (change,) = changes_of(ran)
    assert change.failure == "capacity"
    assert not ran.sla["bay_resize_time"]["success"]


@pytest.fixture
def clean_sandbox(sandbox: conftest.Sandbox) -> Iterator[conftest.Sandbox]:
    """A test that must leave no bay behind."""
    yield sandbox
    assert test_tasks.bays(sandbox) == []


@pytest.fixture
def life(sandbox: conftest.Sandbox) -> Iterator[bay_life.BayLife]:
    """A bay of two real nodes."""
    secrets = secrets_file.ensure(sandbox.settings.state_dir)
    session = openstack.admin_session(sandbox.settings, secrets)
    bays = lifecycle.Bays(lifecycle.connect(session, None, "public"), print)
    request = lifecycle.BayRequest(
        f"drain-{uuid.uuid4().hex[:8]}",
        2,
        labels={"sandbox_real_nodes": "2"},
    )
    made = bay_life.BayLife(bays, request, print)
    try:
        yield made
    finally:
        made.delete()


LABELS = {"app": "guarded"}


def guarded(least: int) -> list[dict[str, Any]]:
    """A pod on each of two nodes, and how many must be there always."""
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": LABELS},
    }
    container = {
        "name": "nginx",
        "image": artifacts.NGINX_IMAGE,
        "imagePullPolicy": "Never",
    }
    # A node that has just become Ready may keep its taint for a moment, in
    # which a preference would put both pods on the other node.
    spread = {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [term]
        }
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "guarded", "namespace": "default"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": LABELS},
                "template": {
                    "metadata": {"labels": LABELS},
                    "spec": {
                        "affinity": spread,
                        "containers": [container],
                        "terminationGracePeriodSeconds": 1,
                    },
                },
            },
        },
        budget(least),
    ]


def budget(least: int) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": f"least-{least}", "namespace": "default"},
        "spec": {
            "minAvailable": least,
            "selector": {"matchLabels": LABELS},
        },
    }


def wait_for_pods(cluster: client.KubeClient) -> set[str]:
    """Wait for both pods; return the nodes that they are on."""
    found = pods.wait_for_ready(
        cluster, "default", "app=guarded", 2, what="pods", deadline_s=60
    )
    return {pod["spec"]["nodeName"] for pod in found}


def is_cordoned(cluster: client.KubeClient, name: str) -> bool:
    node = cluster.core.read_node(name)
    return bool(node.spec.unschedulable)


def test_a_budget_holds_back_and_then_a_node_is_emptied_and_replaced(
    life: bay_life.BayLife,
) -> None:
    cluster = life.connect(life.create())
    life.wait_for_nodes(cluster)
    objects.create(cluster, guarded(least=2))
    names = sorted(wait_for_pods(cluster))
    assert len(names) == 2
    old = next(node for node in life.nodes if node.name == names[0])
    soon = deadlines.ResizeDeadlines(drain_s=5)
    with pytest.raises(
        exceptions.DeadlineExceeded,
        match="protected, usually by a PodDisruptionBudget",
    ):
        replace(life, cluster, old, soon)
    assert not is_cordoned(cluster, names[0])
    policy = kubernetes.client.PolicyV1Api(cluster.api)
    policy.delete_namespaced_pod_disruption_budget("least-2", "default")
    objects.create(cluster, [budget(least=1)])
    change = replace(life, cluster, old)
    assert change.record.evicted == 1
    assert counts(change.record) == (1, 1, 1)
    assert names[0] not in wait_for_pods(cluster)


def replace(
    life: bay_life.BayLife,
    cluster: client.KubeClient,
    old: node_list.Node,
    limits: deadlines.ResizeDeadlines = deadlines.DEFAULT_RESIZE,
) -> node_change.NodeChangeRun:
    wish = node_change.NodeChangeSpec(
        2, bay_records.REPLACE, [old], drain=True
    )
    change = life.change_nodes(cluster, wish, 1, limits)
    change.run()
    return change
