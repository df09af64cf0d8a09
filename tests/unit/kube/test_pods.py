import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import nodes
from rally_magnum_scale.kube import pods
from tests.unit.kube import fake_api

PATH = "/api/v1/namespaces/ns/pods"
LOG = f"{PATH}/master/log"
EVENTS = "/api/v1/namespaces/ns/events"


READY = [{"type": "Ready", "status": "True"}]


def pod(phase="Pending", *, conditions=(), state=None, owned=False):
    metadata = {"name": "master", "resourceVersion": "1"}
    if owned:
        metadata["ownerReferences"] = [{"kind": "ReplicaSet"}]
    container = {"name": "locust", "image": "load:1", "state": state or {}}
    return {
        "metadata": metadata,
        "status": {
            "phase": phase,
            "conditions": list(conditions),
            "containerStatuses": [container],
        },
    }


def ready():
    return pod("Running", conditions=[{"type": "Ready", "status": "True"}])


def ended():
    return {"terminated": {"exitCode": 3, "reason": "Error"}}


def pull(reason, message):
    return pod(state={"waiting": {"reason": reason, "message": message}})


def listed(*items):
    return {"metadata": {"resourceVersion": "1"}, "items": [*items]}


def wait(*answers, deadline_s=30.0, log=404):
    with fake_api.serve({PATH: [*answers], LOG: [log]}) as (fake, cluster):
        try:
            return pods.wait_for_ready(
                cluster,
                "ns",
                "app=locust",
                1,
                what="Locust master",
                deadline_s=deadline_s,
            )
        finally:
            queries = [query for path, query in fake.queries if path == LOG]
            assert all(query["tailLines"] == "5" for query in queries)


def refused(message, *, name="rms-1-worker", at="2026-01-01T00:00:00Z"):
    """An event of a controller that failed to create a pod."""
    return {
        "metadata": {"name": f"{name}.{at}", "resourceVersion": "1"},
        "involvedObject": {"kind": "Job", "name": name},
        "reason": "FailedCreate",
        "message": message,
        "lastTimestamp": at,
    }


def wait_for_refused(*events, pods_seen=(), deadline_s=30.0):
    """Wait for two pods that a controller creates."""
    script = {PATH: [listed(*pods_seen), []], EVENTS: list(events)}
    with fake_api.serve(script) as (fake, cluster):
        try:
            return pods.wait_for_ready(
                cluster,
                "ns",
                "app=locust",
                2,
                what="Locust workers",
                controller="rms-1-worker",
                deadline_s=deadline_s,
            )
        finally:
            fields = {
                query["fieldSelector"]
                for path, query in fake.queries
                if path == EVENTS
            }
            assert fields <= {"reason=FailedCreate"}


# As Kubernetes 1.33 says it; the last one as Kyverno's webhook does.
FORBIDDEN = [
    'Error creating: pods "w" is forbidden: exceeded quota: few, requested: '
    "pods=1, used: pods=2, limited: pods=2",
    'Error creating: pods "w" is forbidden: failed quota: few: must specify '
    "limits.cpu for: locust",
    'Error creating: pods "w" is forbidden: violates PodSecurity '
    '"restricted:latest": seccompProfile (pod or container must set it)',
    'Error creating: pods "w" is forbidden: maximum cpu usage per Container '
    "is 1, but limit is 2",
    'Error creating: admission webhook "validate.kyverno.svc-fail" denied '
    "the request: blocked by a policy",
]


@pytest.mark.parametrize("message", FORBIDDEN)
def test_pods_that_may_not_be_created_end_the_wait(message):
    with pytest.raises(exceptions.WorkloadError) as caught:
        wait_for_refused(listed(refused(message)))
    assert str(caught.value) == (
        f"Kubernetes creates 0 of 2 Locust workers: {message}"
    )
    assert caught.value.reason == message


def test_a_refusal_that_may_pass_is_told_at_the_deadline():
    early = refused("Error creating: exceeded quota: few")
    late = refused(
        'pods "w" is forbidden: error looking up service account',
        at="2026-01-01T00:00:09Z",
    )
    other = refused("exceeded quota: few", name="rms-1-target-5d", at="2027")
    with pytest.raises(
        exceptions.DeadlineExceeded, match=r"0 of 2 Ready, pods \"w\" is forb"
    ):
        wait_for_refused(listed(early, late, other), deadline_s=0.1)


def test_events_that_can_not_be_read_are_told_at_the_deadline():
    with pytest.raises(
        exceptions.DeadlineExceeded, match="0 of 2 Ready, .* refused to list"
    ):
        wait_for_refused(403, deadline_s=0.1)


def test_pods_that_are_all_there_were_not_refused():
    one, two = pod(), pod()
    two["metadata"]["name"] = "other"
    events = listed(refused(FORBIDDEN[0]))
    with pytest.raises(exceptions.DeadlineExceeded, match=r"0 of 2 Ready\.$"):
        wait_for_refused(events, pods_seen=(one, two), deadline_s=0.1)


def then(item):
    return [{"type": "MODIFIED", "object": item}]


def test_a_failed_pod_without_a_controller_ends_the_wait_with_its_log():
    with pytest.raises(exceptions.WorkloadError) as caught:
        wait(
            listed(pod("Failed", state=ended())),
            log="Traceback\nImportError: no module",
        )
    assert str(caught.value) == (
        "The pod master of the Locust master failed: its container locust "
        "ended with exit code 3 (Error); its log ended with: Traceback\n"
        "ImportError: no module"
    )


def test_a_failed_pod_whose_log_is_gone_ends_the_wait_too():
    with pytest.raises(exceptions.WorkloadError, match="code 3.*no log"):
        wait(listed(pod("Failed", state=ended())))


def test_an_evicted_pod_ends_the_wait_with_its_reason():
    evicted = pod("Failed")
    evicted["status"] |= {"reason": "Evicted", "message": "low on memory"}
    with pytest.raises(
        exceptions.WorkloadError, match="failed: Evicted, low on memory"
    ):
        wait(listed(evicted))


def test_a_failed_pod_of_a_controller_is_waited_for():
    found = wait(
        listed(pod("Failed", state=ended(), owned=True)), then(ready())
    )
    assert pods.is_ready(found[0])


def test_the_error_says_why_a_pod_is_not_scheduled():
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "message": "0/1 nodes are available: 1 Insufficient cpu.",
    }
    with pytest.raises(
        exceptions.DeadlineExceeded,
        match="0 of 1 Ready, master is not scheduled: .* Insufficient cpu",
    ):
        wait(listed(pod(conditions=[condition])), [], deadline_s=0.1)


@pytest.mark.parametrize(
    ("waiting", "why"),
    [
        ({"reason": "ContainerCreating"}, "ContainerCreating"),
        (
            {"reason": "ErrImagePull", "message": "no such host"},
            "ErrImagePull, no such host",
        ),
    ],
)
def test_the_error_says_why_a_pod_does_not_run_yet(waiting, why):
    with pytest.raises(
        exceptions.DeadlineExceeded,
        match=f"0 of 1 Ready, master does not run yet: {why}",
    ):
        wait(listed(pod(state={"waiting": waiting})), [], deadline_s=0.1)


@pytest.mark.parametrize(
    "message",
    [
        "toomanyrequests: You have reached your pull rate limit",
        "unexpected status: 429 Too Many Requests",
        "pull rate-limit exceeded",
    ],
)
@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_a_registry_that_limits_the_rate_is_waited_for(reason, message):
    found = wait(listed(pull(reason, message)), then(ready()))
    assert pods.is_ready(found[0])


def test_an_image_that_is_not_there_ends_the_wait():
    with pytest.raises(exceptions.WorkloadError, match="load:1.*not found"):
        wait(listed(pull("ImagePullBackOff", "load:1: not found")))


def test_a_refused_list_is_an_error_and_not_an_empty_list():
    with (
        fake_api.serve({PATH: [500]}) as (_, cluster),
        pytest.raises(exceptions.KubernetesError, match="500"),
    ):
        pods.get(cluster, "ns", "app=locust")


def test_pods_are_listed_by_their_selector():
    with fake_api.serve({PATH: [listed(ready())]}) as (fake, cluster):
        assert pods.get(cluster, "ns", "app=locust") == [ready()]
    assert fake.queries == [(PATH, {"labelSelector": "app=locust"})]


def failed_worker(number):
    one = pod("Failed", state=ended(), owned=True)
    one["metadata"]["name"] = f"worker-{number}"
    return one


def test_a_job_that_has_given_up_ends_the_wait():
    with pytest.raises(
        exceptions.WorkloadError, match="The pod worker-0 .* exit code 3"
    ):
        wait(listed(failed_worker(0)), then(failed_worker(1)))


def placed(name, *, node="n1", ip="10.1.0.1", conditions=READY):
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": node} if node else {},
        "status": {"podIP": ip, "conditions": conditions},
    }


def test_the_nodes_and_addresses_of_pods_are_returned():
    found = [
        placed("a"),
        placed("b", node="n2", ip="10.1.0.2"),
        placed("c", node="n1", ip="fd00::3"),
        placed("d", node=None, ip="", conditions=[]),
    ]
    assert pods.node_names(found) == {"n1", "n2"}
    assert pods.addresses(found) == ["10.1.0.1", "10.1.0.2", "fd00::3"]


def test_a_pod_without_an_address_is_named():
    with pytest.raises(exceptions.WorkloadError, match="The pod a is Ready"):
        pods.addresses([placed("a", ip="")])


def at(node, name, *limits):
    containers = [
        {"resources": {"limits": {"cpu": limit} if limit else {}}}
        for limit in limits
    ]
    return {
        "metadata": {"name": name},
        "spec": {"nodeName": node, "containers": containers},
    }


NODES = [
    nodes.Node("n1", True, False, 4.0),
    nodes.Node("n2", True, False, 3.5, cores_set_apart=0.5),
]


@pytest.mark.parametrize(
    ("found", "cpus", "cores"),
    [
        # Limits, and what a node can allocate.
        ([at("n1", "a", "1"), at("n1", "b", "500m", "500m")], {}, 2.0),
        ([at("n1", "a", "3"), at("n1", "b", "3")], {}, 4.0),
        ([at("n2", "a", None)], {}, 3.5),
        ([at("n1", "a", "1"), at("n2", "b", None)], {}, 4.5),
        ([at("elsewhere", "a", "1")], {}, 0.0),
        # A cpuset that is less than either.
        ([at("n1", "a", None)], {"a": {0, 1}}, 2.0),
        ([at("n1", "a", "1")], {"a": {0, 1}}, 1.0),
        # Shared by both, or one for each.
        ([at("n1", x, "2") for x in "ab"], {"a": {0, 1}, "b": {0, 1}}, 2.0),
        ([at("n1", x, "2") for x in "ab"], {"a": {0, 1}, "b": {2, 3}}, 4.0),
        # A pod whose processors are unknown may use any processor.
        ([at("n1", x, "2") for x in "ab"], {"a": {0}}, 3.0),
        ([at("n1", x, "2") for x in "ab"], {"b": {0}}, 3.0),
    ],
)
def test_cores_are_what_limits_nodes_and_cpusets_leave(found, cpus, cores):
    seen = {name: frozenset(own) for name, own in cpus.items()}
    assert pods.usable_cores(found, NODES, seen) == cores


def test_cores_of_a_node_are_all_that_it_has():
    assert [node.all_cores for node in NODES] == [4.0, 4.0]
    status = {
        "allocatable": {"cpu": "3920m"},
        "capacity": {"cpu": "4"},
    }
    (read,) = nodes.read_nodes(
        {"a": {"metadata": {"name": "a"}, "status": status}}
    )
    assert (read.cores, read.all_cores) == (3.92, 4.0)
