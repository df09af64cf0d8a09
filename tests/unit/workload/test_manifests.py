import json
import re

import pytest

from rally_magnum_scale.measurement.steps import Plan
from rally_magnum_scale.measurement.steps import Step
from rally_magnum_scale.workload import manifests
from rally_magnum_scale.workload.in_bay import job
from rally_magnum_scale.workload.manifests import WorkloadSpec

TASK = "3F2A9B7C-1111-2222-3333-444455556666"
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def spec(**changes):
    values = {
        "task": TASK,
        "iteration": 7,
        "bay": 'bay "ü" <1>',
        "plan": Plan((Step(1000, 10, 2), Step(None, 5))),
        "targets": 3,
        "workers": 2,
        **changes,
    }
    return WorkloadSpec(**values)


def every(one):
    return manifests.foundation(one) + manifests.load(
        one, target_ip="10.0.0.1", master_ip="10.0.0.2"
    )


def of_kind(objects, kind):
    return [one for one in objects if one["kind"] == kind]


def pod_specs(objects):
    return [
        one["spec"]
        if one["kind"] == "Pod"
        else one["spec"]["template"]["spec"]
        for one in objects
        if one["kind"] in ("Pod", "Job", "Deployment")
    ]


def test_names_are_dns_safe_and_labels_tell_the_run():
    objects = every(spec())
    for one in objects:
        name = one["metadata"]["name"]
        assert DNS_LABEL.fullmatch(name)
        assert name.startswith("rms-3f2a9b7c-7-")
        labels = one["metadata"]["labels"]
        assert labels["rally-magnum-scale/task"] == TASK
        assert labels["rally-magnum-scale/iteration"] == "7"
        assert labels["app.kubernetes.io/managed-by"] == "rally-magnum-scale"
        if one["kind"] != "Namespace":
            assert one["metadata"]["namespace"] == "rms-3f2a9b7c-7-load"
    assert [one["kind"] for one in objects] == [
        "Namespace",
        "ConfigMap",
        "ConfigMap",
        "Service",
        "Service",
        "Deployment",
        "Pod",
        "Job",
    ]


def test_pods_are_modest():
    for one in pod_specs(every(spec())):
        assert one["enableServiceLinks"] is False
        assert one["automountServiceAccountToken"] is False
        assert one["securityContext"]["runAsNonRoot"] is True
        (container,) = one["containers"]
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}


def test_arguments_reach_the_pods():
    objects = every(
        spec(
            locust_image="mirror/locust:1",
            nginx_image="mirror/nginx:1",
            image_pull_policy="Never",
            image_pull_secrets=("pull",),
            node_selector={"disk": "local"},
            target_requests={"cpu": "500m"},
            worker_limits={"memory": "1Gi"},
        )
    )
    for one in pod_specs(objects):
        assert one["imagePullSecrets"] == [{"name": "pull"}]
        assert one["nodeSelector"] == {"disk": "local"}
        assert one["containers"][0]["imagePullPolicy"] == "Never"
        assert one["containers"][0]["image"].startswith("mirror/")
    target, master, worker = (
        one["containers"][0]["resources"] for one in pod_specs(objects)
    )
    assert target == {"requests": {"cpu": "500m"}, "limits": {}}
    assert master == {"requests": {}, "limits": {}}
    assert worker == {"requests": {}, "limits": {"memory": "1Gi"}}


def test_the_master_gets_the_job_back_as_it_was():
    (master,) = of_kind(every(spec(connections_per_worker=9)), "Pod")
    environment = {
        one["name"]: one["value"]
        for one in master["spec"]["containers"][0]["env"]
    }
    read = job.from_environ(environment)
    assert read.plan == spec().plan
    assert read.bay == 'bay "ü" <1>'
    assert read.iteration == 7
    assert read.connections == 9
    assert read.address == ("10.0.0.1", manifests.TARGET_PORT)
    assert read.request.startswith(
        b"GET / HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n"
    )


def test_services_select_their_pods():
    objects = every(spec())
    target, master = of_kind(objects, "Service")
    (deployment,) = of_kind(objects, "Deployment")
    (pod,) = of_kind(objects, "Pod")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert target["spec"]["selector"] == labels
    assert master["spec"]["selector"] == pod["metadata"]["labels"]
    assert target["spec"]["selector"] != master["spec"]["selector"]


def test_a_dead_worker_does_not_take_the_others_along():
    (workers,) = of_kind(every(spec()), "Job")
    assert workers["spec"]["parallelism"] == 2
    assert workers["spec"]["completions"] == 2
    assert workers["spec"]["backoffLimit"] == 2
    template = workers["spec"]["template"]["spec"]
    assert template["restartPolicy"] == "Never"


def test_the_code_fits_into_a_config_map():
    code = of_kind(every(spec()), "ConfigMap")[0]["data"]
    assert "workload.in_bay.engine.py" in code
    assert sum(map(len, code.values())) < 500_000


def test_addresses_of_ip_version_6():
    objects = manifests.load(spec(), target_ip="fd00::1", master_ip="fd00::2")
    (master,) = of_kind(objects, "Pod")
    environment = master["spec"]["containers"][0]["env"]
    (text,) = (e["value"] for e in environment if e["name"] == "RMS_JOB")
    assert json.loads(text)["url"] == "http://[fd00::1]:8080/"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("targets", 0),
        ("workers", 1.5),
        ("connections_per_worker", True),
        ("timeout_s", 0),
        ("target_processes", 0),
        ("image_pull_policy", "Sometimes"),
        ("locust_image", ""),
    ],
)
def test_a_wrong_argument_is_named(key, value):
    with pytest.raises(ValueError, match=key):
        spec(**{key: value})


def test_no_address():
    with pytest.raises(ValueError, match="None"):
        manifests.load(spec(), target_ip="None", master_ip="10.0.0.2")


def test_what_nginx_counted():
    text = (
        "Active connections: 1 \nserver accepts handled requests\n"
        " 65 65 592456 \nReading: 0 Writing: 1 Waiting: 0 \n"
    )
    assert manifests.requests_counted(text) == 592456
    with pytest.raises(ValueError, match="404"):
        manifests.requests_counted("404 Not Found")


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, "RMS_JOB"),
        ({"RMS_JOB": "{}", "RMS_TASK": "t", "RMS_ITERATION": "1"}, "RMS_BAY"),
    ],
)
def test_a_missing_variable_is_named(environ, missing):
    with pytest.raises(ValueError, match=missing):
        job.from_environ(environ)


def test_what_is_no_job_is_refused():
    with pytest.raises(ValueError, match="no job"):
        job.Job.from_json({"plan": [{"rate_rps": 1, "duration_s": 1}]})
