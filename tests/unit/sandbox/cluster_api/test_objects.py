from __future__ import annotations

import datetime

import pytest

from rally_magnum_sandbox.cluster_api import kinds
from rally_magnum_sandbox.cluster_api import objects

NOW = datetime.datetime(2026, 1, 1, 0, 1, tzinfo=datetime.UTC)
OWNED = {
    "metadata": {
        "namespace": "ns",
        "name": "a-control-plane",
        "ownerReferences": [{"kind": "Cluster", "name": "a"}],
    }
}
MACHINE = {
    "metadata": {
        "namespace": "ns",
        "name": "a-worker-1",
        "labels": {kinds.CLUSTER_LABEL: "a"},
        "ownerReferences": [{"kind": "Machine", "name": "a-worker-1"}],
    }
}


@pytest.mark.parametrize("item", [OWNED, MACHINE])
def test_the_cluster_is_the_owner_or_in_the_label(
    item: objects.Object,
) -> None:
    assert objects.cluster_key(item) == "ns/a"


def test_an_object_without_an_owner_has_no_cluster() -> None:
    metadata = {"namespace": "ns", "name": "a"}
    assert objects.cluster_key({"metadata": metadata}) == ""
    labels = {kinds.CLUSTER_LABEL: "a"}
    without = {"metadata": {**metadata, "labels": labels}}
    assert objects.cluster_key(without) == ""


def test_a_condition_with_a_message_is_false() -> None:
    failed = objects.condition("Ready", "Failed", NOW, "No host.")
    assert (failed["status"], failed["message"]) == ("False", "No host.")
    ready = objects.condition("Ready", "Up", NOW)
    assert ready["status"] == "True"
    assert ready["lastTransitionTime"] == "2026-01-01T00:01:00Z"


def test_the_finalizers_of_others_stay() -> None:
    metadata = {"finalizers": ["other"], "resourceVersion": "7"}
    item = {"metadata": metadata}
    ours = objects.finalizers(item, ours=True)["metadata"]
    assert ours["finalizers"] == ["other", kinds.FINALIZER]
    assert ours["resourceVersion"] == "7"
    item = {"metadata": {**metadata, "finalizers": ours["finalizers"]}}
    assert objects.has_finalizer(item)
    left = objects.finalizers(item, ours=False)["metadata"]
    assert left["finalizers"] == ["other"]


def test_the_age_of_an_object() -> None:
    metadata = {"creationTimestamp": "2026-01-01T00:00:15Z"}
    assert objects.age_s({"metadata": metadata}, NOW) == 45.0


def test_a_control_plane_reports_the_counts_of_both_contracts() -> None:
    status = objects.control_plane_status(3, "v1.33.1", NOW)
    for name in (
        "replicas",
        "readyReplicas",
        "availableReplicas",
        "upToDateReplicas",
        "updatedReplicas",
    ):
        assert status[name] == 3
    types = {c["type"] for c in status["conditions"]}
    assert {"Ready", "Available"} <= types


def test_a_failed_control_plane_is_neither_ready_nor_available() -> None:
    status = objects.failed_control_plane_status("Bad", "No host.", NOW)
    assert {c["status"] for c in status["conditions"]} == {"False"}
    assert "initialization" not in status


@pytest.mark.parametrize("provider_id", ["openstack:///1", ""])
def test_a_node_waits_for_core(provider_id: str) -> None:
    node = {"metadata": {"name": "n"}, "spec": {"taints": [{"key": "own"}]}}
    spec = objects.machine_node(node, provider_id)["spec"]
    keys = [taint["key"] for taint in spec["taints"]]
    assert keys == ["own", kinds.UNINITIALIZED]
    assert spec.get("providerID", "") == provider_id
    assert node["spec"] == {"taints": [{"key": "own"}]}


def test_the_kubeconfig_secret_is_deleted_with_its_owner() -> None:
    owner = {
        "apiVersion": "g/v1",
        "kind": "K",
        "metadata": {"name": "o", "uid": "1"},
    }
    secret = objects.kubeconfig_secret("ns/a", "text", owner)
    assert secret["metadata"]["name"] == "a-kubeconfig"
    assert secret["metadata"]["ownerReferences"][0]["uid"] == "1"
    assert secret["stringData"] == {"value": "text"}
