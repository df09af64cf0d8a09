import json

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.kube import nodes as node_list
from tests.unit.runs.scripted_load import APPS
from tests.unit.runs.scripted_load import BASE
from tests.unit.runs.scripted_load import DONE
from tests.unit.runs.scripted_load import NAMESPACE
from tests.unit.runs.scripted_load import PREFIX
from tests.unit.runs.scripted_load import Run
from tests.unit.runs.scripted_load import job_of
from tests.unit.runs.scripted_load import listed
from tests.unit.runs.scripted_load import pod
from tests.unit.runs.scripted_load import script_of
from tests.unit.runs.scripted_load import spec_of
from tests.unit.runs.scripted_load import whole_log

pytestmark = pytest.mark.usefixtures("short_waits")


def test_a_locust_file_of_the_user_is_deployed():
    text = "from locust import User\nclass Mine(User): pass\n"
    one = spec_of(plan=Plan((Step(None, 2, 1),)), locust_file=text, users=7)
    run = Run(script_of(whole_log()), one)
    (code,) = [
        each["data"]
        for each in run.posted
        if each["metadata"]["name"].endswith("-code")
    ]
    assert text in code.values()
    (master,) = [each for each in run.posted if each["kind"] == "Pod"]
    arguments = master["spec"]["containers"][0]["args"]
    assert "--users=7" in arguments
    assert run.found.throughput.users == 7
    assert run.found.windows


def test_targets_can_be_addressed_by_their_pod_addresses():
    run = Run(script_of(whole_log()), spec_of(target_address="pod"))
    assert job_of(run).addresses == ("10.1.0.1:8080", "10.1.0.2:8080")
    assert run.found.throughput.target_address == "pod"
    assert job_of(Run(script_of(whole_log()))).addresses == ()


def daemonset(ready):
    status = {
        "observedGeneration": 1,
        "desiredNumberScheduled": 1,
        "numberReady": ready,
    }
    metadata = {"name": f"{PREFIX}-pull", "generation": 1}
    return {
        "metadata": {**metadata, "resourceVersion": "1"},
        "status": status,
    }


def pull_script(found):
    return script_of(
        whole_log(),
        **{
            f"{APPS}/daemonsets": [
                {},
                listed(daemonset(0)),
                listed(daemonset(1)),
            ],
            f"{APPS}/daemonsets/{PREFIX}-pull": [DONE],
            f"{BASE}/pods?pull": [found],
        },
    )


def test_images_are_pulled_first_and_timed_separately():
    secret = '{"auths": {}}'
    run = Run(
        pull_script(listed(pod("pull", 5))),
        spec_of(pull_ahead=True, image_pull_secret=secret),
    )
    assert run.error is None
    kinds = [one["kind"] for one in run.posted]
    assert kinds[:3] == ["Namespace", "Secret", "DaemonSet"]
    assert kinds.count("Namespace") == kinds.count("Secret") == 1
    assert f"{APPS}/daemonsets/{PREFIX}-pull" in run.paths
    summary = run.found.throughput
    assert summary.pull_s > 0
    assert summary.deploy_s > 0
    assert secret not in json.dumps(run.written)


def test_an_image_that_can_not_be_pulled_fails_with_the_registrys_message():
    waits = {"reason": "ImagePullBackOff", "message": "manifest unknown"}
    run = Run(
        pull_script(listed(pod("pull", 5, state={"waiting": waits}))),
        spec_of(pull_ahead=True),
    )
    assert isinstance(run.error, exceptions.WorkloadError)
    assert "manifest unknown" in str(run.error)
    assert run.written == []
    # What was made is removed all the same.
    assert run.paths[-1] == f"/api/v1/namespaces/{NAMESPACE}/status"


def test_workers_that_can_not_start_fail_the_load_at_once():
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    dead = [
        pod("worker", number, state=killed, phase="Failed")
        for number in (4, 5)
    ]
    run = Run(
        script_of(whole_log(), **{f"{BASE}/pods?worker": [listed(*dead)]})
    )
    assert isinstance(run.error, exceptions.WorkloadError)
    assert "OOMKilled" in str(run.error)


def test_nothing_is_created_in_a_bay_without_a_real_node():
    hollow = [node_list.Node("h", True, True, 4.0)]
    run = Run(script_of(whole_log()), nodes=hollow)
    assert isinstance(run.error, exceptions.KubernetesError)
    assert run.posted == []
    assert run.written == []


def test_the_count_of_targets_that_can_not_be_reached_is_unknown():
    path = f"{BASE}/pods/{PREFIX}-target-1:8080/proxy/stub_status"
    run = Run(script_of(whole_log(), **{path: [500]}))
    assert run.error is None
    assert run.found.throughput.requests_counted_by_targets is None
    assert any("targets' request counts" in line for line in run.log)
