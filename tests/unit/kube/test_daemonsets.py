import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import daemonsets
from tests.unit.kube import fake_api
from tests.unit.kube import test_pods

SETS = "/apis/apps/v1/namespaces/ns/daemonsets"
PODS = "/api/v1/namespaces/ns/pods"


def daemonset(wanted, ready, *, observed=1):
    return {
        "metadata": {"name": "pull", "generation": 1, "resourceVersion": "1"},
        "status": {
            "observedGeneration": observed,
            "desiredNumberScheduled": wanted,
            "numberReady": ready,
        },
    }


def listed(*items):
    return {"metadata": {"resourceVersion": "1"}, "items": [*items]}


def changed(item):
    return [{"type": "MODIFIED", "object": item}]


def named(name, item):
    item["metadata"]["name"] = name
    return item


def wait(sets, found, deadline_s=30.0):
    with fake_api.serve({SETS: sets, PODS: found}) as (fake, cluster):
        nodes = daemonsets.wait_for_ready(
            cluster,
            "ns",
            "pull",
            "app=pull",
            what="pods that pull",
            deadline_s=deadline_s,
        )
    return nodes, fake


def test_all_nodes_that_accept_a_pod_are_waited_for():
    ready = [named(name, test_pods.ready()) for name in ("a", "b")]
    nodes, fake = wait(
        [
            # Not reconciled yet: 0 of 0 are not all.
            listed(daemonset(0, 0, observed=0)),
            changed(daemonset(0, 0)),
            changed(daemonset(2, 0)),
            # A node has come meanwhile.
            listed(daemonset(3, 2)),
            changed(daemonset(3, 3)),
        ],
        [listed(ready[0]), changed(ready[1])],
    )
    assert nodes == 3
    queries = [query for path, query in fake.queries if path == SETS]
    assert all(q["fieldSelector"] == "metadata.name=pull" for q in queries)


def test_a_missing_image_fails_with_the_registrys_message():
    pulling = test_pods.pull("ImagePullBackOff", "manifest unknown")
    with pytest.raises(exceptions.WorkloadError, match="manifest unknown"):
        wait([listed(daemonset(1, 0))], [listed(pulling)])


def test_the_error_says_that_no_node_accepts_a_pod():
    with pytest.raises(
        exceptions.DeadlineExceeded,
        match="a node to accept the pods that pull .* 0 Ready of 0 nodes",
    ):
        wait([listed(daemonset(0, 0)), []], [listed()], deadline_s=0.1)


def test_pods_that_are_not_ready_in_time_are_counted():
    pending = named("a", test_pods.pod())
    with pytest.raises(exceptions.DeadlineExceeded, match="0 of 1 Ready"):
        wait([listed(daemonset(1, 0))], [listed(pending), []], deadline_s=0.3)


@pytest.mark.parametrize("answers", [[{}], [503, {}], [404]])
def test_a_daemonset_is_deleted_with_its_pods(answers):
    with fake_api.serve({f"{SETS}/pull": answers}) as (fake, cluster):
        daemonsets.delete(cluster, "ns", "pull")
    assert fake.queries[-1] == (
        f"{SETS}/pull",
        {"propagationPolicy": "Background"},
    )
