"""The Kubernetes objects of a load."""

import json
import re

import pytest

from rally_magnum_scale.in_bay.job import Trust
from rally_magnum_scale.task.scenarios import workload_arguments
from rally_magnum_scale.workload import load_spec
from rally_magnum_scale.workload import manifests
from rally_magnum_scale.workload import nginx
from tests.unit.workload.rendered import TASK
from tests.unit.workload.rendered import every
from tests.unit.workload.rendered import job_of
from tests.unit.workload.rendered import of_kind
from tests.unit.workload.rendered import pod_specs
from tests.unit.workload.rendered import spec

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def test_names_are_dns_labels_and_labels_identify_the_run():
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
        "DaemonSet",
        "ConfigMap",
        "Service",
        "Service",
        "ConfigMap",
        "Deployment",
        "Pod",
        "Job",
    ]


def test_pods_have_no_privileges():
    for one in pod_specs(every(spec())):
        assert one["enableServiceLinks"] is False
        assert one["automountServiceAccountToken"] is False
        assert one["securityContext"]["runAsNonRoot"] is True
        for container in one["containers"]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}


def test_the_namespace_enforces_the_restricted_standard():
    objects = every(spec())
    (namespace,) = of_kind(objects, "Namespace")
    enforced = namespace["metadata"]["labels"]
    assert enforced["pod-security.kubernetes.io/enforce"] == "restricted"
    for one in pod_specs(objects):
        profile = one["securityContext"]["seccompProfile"]
        assert profile == {"type": "RuntimeDefault"}


def test_pod_options_are_in_the_manifests():
    taint = {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}
    objects = every(
        spec(
            image_pull_policy="Never",
            pods={
                "target": {
                    "requests": {"cpu": "500m"},
                    "node_selector": {"disk": "local"},
                },
                "worker": {
                    "limits": {"memory": "1Gi"},
                    "tolerations": [taint],
                },
            },
        )
    )
    pull, target, master, worker = pod_specs(objects)
    for one in (pull, target, master, worker):
        assert one["containers"][0]["imagePullPolicy"] == "Never"
        assert "imagePullSecrets" not in one
    assert target["nodeSelector"] == {"disk": "local"}
    assert "nodeSelector" not in worker
    assert worker["tolerations"] == pull["tolerations"] == [taint]
    assert "tolerations" not in target
    assert [
        one["containers"][0]["resources"] for one in (target, master, worker)
    ] == [
        {"requests": {"cpu": "500m"}, "limits": {}},
        {"requests": {}, "limits": {}},
        {"requests": {}, "limits": {"memory": "1Gi"}},
    ]


@pytest.mark.parametrize("prefix", ["mirror.example/a", "mirror.example/a/"])
def test_the_image_prefix_applies_to_both_images(prefix):
    images = {
        container["image"]
        for one in pod_specs(every(spec(image_prefix=prefix)))
        for container in one["containers"]
    }
    assert images == {
        f"mirror.example/a/{workload_arguments.LOCUST_IMAGE}",
        f"mirror.example/a/{workload_arguments.NGINX_IMAGE}",
    }


def test_every_pod_has_the_pull_secret_and_nothing_else_shows_it():
    secret = json.dumps({"auths": {"mirror.example": {"auth": "cGFzcw=="}}})
    one = spec(image_pull_secret=secret)
    objects = every(one)
    (made,) = of_kind(objects, "Secret")
    assert made["type"] == "kubernetes.io/dockerconfigjson"
    assert made["stringData"] == {".dockerconfigjson": secret}
    for each in pod_specs(objects):
        assert each["imagePullSecrets"] == [{"name": made["metadata"]["name"]}]
    assert "cGFzcw" not in repr(one)
    others = [each for each in objects if each is not made]
    assert "cGFzcw" not in json.dumps(others)


def pull_of(pods):
    (pull,) = pod_specs([manifests.puller(spec(pods=pods))])
    return pull


def test_images_are_pulled_on_every_node_that_a_pod_may_use():
    names = ("target", "worker", "master")
    pods = {name: {"node_selector": {"role": name}} for name in names}
    pull = pull_of(pods)
    affinity = pull["affinity"]["nodeAffinity"]
    ((_, required),) = affinity.items()
    assert required["nodeSelectorTerms"] == [
        {
            "matchExpressions": [
                {"key": "role", "operator": "In", "values": [name]}
            ]
        }
        for name in names
    ]
    # One component that may run anywhere: everywhere.
    assert "affinity" not in pull_of({"target": pods["target"]})
    assert pull["terminationGracePeriodSeconds"] == 0
    assert all(
        one["command"] == ["sleep", "infinity"] for one in pull["containers"]
    )


@pytest.mark.parametrize(
    ("spread", "word"),
    [("preferred", "ScheduleAnyway"), ("required", "DoNotSchedule")],
)
def test_pods_are_spread_over_the_nodes(spread, word):
    for one in pod_specs(every(spec(spread=spread)))[1:]:
        (constraint,) = one["topologySpreadConstraints"]
        assert constraint["whenUnsatisfiable"] == word
        assert constraint["nodeTaintsPolicy"] == "Honor"


def test_spread_none_sets_no_constraint():
    for one in pod_specs(every(spec(spread="none"))):
        assert "topologySpreadConstraints" not in one


def test_targets_with_tls_serve_the_signed_certificate():
    tls = load_spec.TargetTls("the CA", "the certificate", "the key")
    one = spec(tls=tls, workers=1)
    assert "the key" not in repr(one)
    objects = every(one)
    (secret,) = of_kind(objects, "Secret")
    assert secret["stringData"] == {
        "tls.crt": "the certificate",
        "tls.key": "the key",
    }
    (deployment,) = of_kind(objects, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert {"secretName": secret["metadata"]["name"]} in [
        volume.get("secret") for volume in pod["volumes"]
    ]
    conf = of_kind(objects, "ConfigMap")[1]["data"]["nginx.conf"]
    assert f"listen {nginx.PORT} ssl " in conf
    assert f"listen {nginx.status_port(one)};" in conf
    read = job_of(objects)
    assert read.url == "https://10.0.0.1:8080/"
    assert read.tls == Trust(one.names.server, "the CA")
    assert "the key" not in str(of_kind(objects, "Pod"))


def test_targets_without_tls_serve_their_counts_on_the_same_port():
    one = spec()
    objects = every(one)
    assert nginx.status_port(one) == nginx.PORT
    assert of_kind(objects, "Secret") == []
    conf = of_kind(objects, "ConfigMap")[1]["data"]["nginx.conf"]
    assert "ssl" not in conf
    assert conf.count("listen") == 1
    assert job_of(objects).tls is None


def test_targets_listen_on_both_families_if_their_service_has_ipv6():
    tls = load_spec.TargetTls("the CA", "the certificate", "the key")
    plain, secured = spec(), spec(tls=tls)
    (conf, secured_conf) = (
        manifests.targets(one, "fd00::1")[0]["data"]["nginx.conf"]
        for one in (plain, secured)
    )
    ports = re.findall(r"listen (.*);", conf)
    assert ports == [
        "8080 reuseport backlog=4096",
        "[::]:8080 reuseport backlog=4096",
    ]
    assert re.findall(r"listen (.*);", secured_conf) == [
        "8080 ssl reuseport backlog=4096",
        "[::]:8080 ssl reuseport backlog=4096",
        "8081",
        "[::]:8081",
    ]


def test_services_select_their_pods():
    objects = every(spec())
    target, master = of_kind(objects, "Service")
    (deployment,) = of_kind(objects, "Deployment")
    (pod,) = of_kind(objects, "Pod")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert target["spec"]["selector"] == labels
    assert master["spec"]["selector"] == pod["metadata"]["labels"]
    assert target["spec"]["selector"] != master["spec"]["selector"]


def test_a_dead_worker_does_not_fail_the_job():
    (workers,) = of_kind(every(spec()), "Job")
    assert workers["spec"]["parallelism"] == 2
    assert workers["spec"]["completions"] == 2
    assert workers["spec"]["backoffLimit"] == 2
    template = workers["spec"]["template"]["spec"]
    assert template["restartPolicy"] == "Never"
