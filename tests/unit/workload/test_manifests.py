import ast
import json
import pathlib
import re

import pytest

import rally_magnum_scale
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.job import Trust
from rally_magnum_scale.in_bay.request_spec import Request
from rally_magnum_scale.in_bay.stats.records import Source
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.in_bay.stats.trials import Search
from rally_magnum_scale.task.scenarios import workload_arguments
from rally_magnum_scale.workload import load_spec
from rally_magnum_scale.workload import locust_file
from rally_magnum_scale.workload import locust_pods
from rally_magnum_scale.workload import manifests
from rally_magnum_scale.workload import nginx
from rally_magnum_scale.workload import pod_options
from tests.unit import loads

TASK = "3F2A9B7C-1111-2222-3333-444455556666"
SOURCE = Source(TASK, 7, 'bay "ü" <1>')
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def spec(**changes):
    values = {"targets": 3, "workers": 2, **changes}
    if "pods" in values:
        values["pods"] = pod_options.read_all(values["pods"])
    return loads.load_spec(
        Step(1000, 10, 2), Step(None, 5), source=SOURCE, **values
    )


def every(one):
    return [
        *manifests.namespace(one),
        manifests.puller(one),
        *manifests.foundation(one),
        *manifests.load(one, target_ip="10.0.0.1", master_ip="10.0.0.2"),
    ]


def of_kind(objects, kind):
    return [one for one in objects if one["kind"] == kind]


def pod_specs(objects):
    return [
        one["spec"]
        if one["kind"] == "Pod"
        else one["spec"]["template"]["spec"]
        for one in objects
        if one["kind"] in ("Pod", "Job", "Deployment", "DaemonSet")
    ]


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


@pytest.mark.parametrize("secret", ["hunter2", '["hunter2"]', '{"a": 1}', 7])
def test_the_error_for_a_pull_secret_does_not_contain_it(secret):
    with pytest.raises(ValueError, match="image_pull_secret: must") as caught:
        spec(image_pull_secret=secret)
    assert "hunter2" not in str(caught.value)


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


def test_the_master_expects_every_worker_process():
    objects = every(spec(workers=3, processes_per_worker=4))
    _, _, master, worker = pod_specs(objects)
    assert "--processes=4" in worker["containers"][0]["args"]
    for argument in ("--expect-workers=12", "--users=12"):
        assert argument in master["containers"][0]["args"]
    assert job_of(objects).worker_processes == 12
    single = pod_specs(every(spec()))[-1]["containers"][0]["args"]
    assert not any("--processes" in argument for argument in single)


def job_of(objects):
    (master,) = of_kind(objects, "Pod")
    environment = {
        one["name"]: one["value"]
        for one in master["spec"]["containers"][0]["env"]
    }
    return Job.from_environ(environment)


def connections_of(one, pod_ips, workers):
    """Which targets the connections of each worker process go to."""
    read = job_of(
        manifests.load(
            one, target_ip="10.0.0.1", master_ip="10.0.0.2", pod_ips=pod_ips
        )
    )
    shares = [
        Job.from_json(read.share(worker).to_json())
        for worker in range(workers)
    ]
    counts = [share.traffic.connections_per_worker for share in shares]
    return counts, shares


def test_connections_to_the_service_are_divided_over_processes():
    one = spec(workers=2, processes_per_worker=3, connections_per_worker=8)
    counts, shares = connections_of(one, (), 6)
    assert counts == [3, 3, 2, 3, 3, 2]
    assert all(share.targets == [("10.0.0.1", 8080)] for share in shares)


def test_connections_to_pod_addresses_reach_all_targets_evenly():
    ips = ["10.1.0.1", "10.1.0.2", "10.1.0.3", "fd00::4", "10.1.0.5"]
    one = spec(
        targets=5,
        workers=3,
        processes_per_worker=2,
        connections_per_worker=5,
        target_address="pod",
    )
    counts, shares = connections_of(one, ips, 6)
    assert [len(share.targets) for share in shares] == counts
    hosts = [host for share in shares for host, _ in share.targets]
    assert hosts == ips * 3
    assert {port for share in shares for _, port in share.targets} == {8080}
    # What is asked is the same, whoever answers.
    assert {share.request_bytes for share in shares} == {
        b"GET / HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n\r\n"
    }


def test_default_deadlines_grow_with_the_pods():
    small, large = spec(workers=1), spec(workers=2000)
    assert large.connect_s > small.connect_s
    assert large.start_s(2000) > small.start_s(1)
    assert large.pull_s(1000) > small.pull_s(1)
    deadlines = load_spec.Deadlines(start_s=1, pull_s=2, connect_s=3)
    given = spec(deadlines=deadlines)
    assert (given.start_s(9), given.pull_s(9), given.connect_s) == (1, 2, 3)
    assert job_of(every(given)).connect_deadline_s == 3


def test_the_master_reads_the_traffic_that_the_host_wrote():
    read = job_of(every(spec(connections_per_worker=9)))
    assert read.traffic == spec(connections_per_worker=9).traffic
    assert read.source == SOURCE
    assert read.targets == [("10.0.0.1", nginx.PORT)]
    assert read.request_bytes.startswith(
        b"GET / HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n"
    )


def test_the_job_contains_the_request():
    asked = Request("POST", "/a", {"A": "b"}, "zwölf", 201, 7)
    read = job_of(
        every(spec(request=asked, keep_alive=False, arrivals="poisson"))
    )
    traffic = read.traffic
    assert (traffic.request, traffic.keep_alive) == (asked, False)
    assert traffic.arrivals == "poisson"
    assert read.request_bytes.startswith(b"POST /a HTTP/1.1\r\n")
    assert b"\r\nConnection: close\r\n" in read.request_bytes


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


def test_the_largest_request_fits_into_the_environment():
    asked = Request(
        headers={"A": "\\" * 8000, "B": "b" * 8000}, body="ü" * 10_000
    )
    objects = every(spec(request=asked))
    (pod,) = of_kind(objects, "Pod")
    environment = pod["spec"]["containers"][0]["env"]
    # https://man7.org/linux/man-pages/man2/execve.2.html: MAX_ARG_STRLEN
    assert max(len(str(each["value"])) for each in environment) < 131_072
    assert job_of(objects).traffic.request == asked


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


def test_the_code_fits_into_a_config_map():
    code = of_kind(every(spec()), "ConfigMap")[0]["data"]
    assert "rally_magnum_scale.in_bay.engine.py" in code
    # A Locust file of the user's may take the other half.
    assert sum(map(len, code.values())) < locust_file.MAX_BYTES


def test_ipv6_addresses_are_in_brackets():
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
        ("arrivals", "bursts"),
        ("image_pull_policy", "Sometimes"),
        ("locust_image", ""),
        ("processes_per_worker", 0),
        ("spread", "maybe"),
        ("target_address", "node"),
    ],
)
def test_an_invalid_argument_is_named(key, value):
    with pytest.raises(ValueError, match=key):
        spec(**{key: value})


@pytest.mark.parametrize(
    "key", ["start_s", "pull_s", "connect_s", "update_s", "recover_s"]
)
def test_an_invalid_deadline_is_named(key):
    with pytest.raises(ValueError, match=f"deadlines.{key}: must be above 0"):
        load_spec.Deadlines(**{key: 0})


@pytest.mark.parametrize(
    ("workers", "each", "words"),
    [
        (2001, 1, "workers: 2001 .* supports 2000; use at most 2000"),
        (700, 3, "workers: 700 pods of 3 .* 2100 .* 2000; use at most 666"),
        (1, 2001, "processes_per_worker: 1 pods .* 2000; use at most 2000"),
    ],
)
def test_more_workers_than_a_master_supports_are_refused(workers, each, words):
    limits = {"processes_per_worker": each, "connections_per_worker": 4000}
    with pytest.raises(ValueError, match=words):
        spec(workers=workers, **limits)
    assert spec(workers=2000).worker_processes == 2000
    assert spec(workers=666, processes_per_worker=3).workers == 666


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"processes_per_worker": 65}, "64 are too few for 65 processes"),
        (
            {"connections_per_worker": 2, "targets": 5},
            "4 connections of all workers are too few for 5 targets",
        ),
    ],
)
def test_too_few_connections_are_named(changes, words):
    with pytest.raises(ValueError, match=f"connections_per_worker: {words}"):
        spec(target_address="pod", **changes)


def test_an_invalid_address_is_refused():
    with pytest.raises(ValueError, match="None"):
        manifests.load(spec(), target_ip="None", master_ip="10.0.0.2")


def test_the_request_count_is_read_from_stub_status():
    text = (
        "Active connections: 1 \nserver accepts handled requests\n"
        " 65 65 592456 \nReading: 0 Writing: 1 Waiting: 0 \n"
    )
    assert nginx.requests_counted(text) == 592456
    with pytest.raises(ValueError, match="404"):
        nginx.requests_counted("404 Not Found")


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, "RMS_JOB"),
        ({"RMS_JOB": "{}"}, "source"),
    ],
)
def test_a_missing_variable_is_named(environ, missing):
    with pytest.raises(ValueError, match=missing):
        Job.from_environ(environ)


def test_an_incomplete_job_is_refused():
    with pytest.raises(ValueError, match="not a job"):
        Job.from_json({"plan": [{"rate_rps": 1, "duration_s": 1}]})


def test_the_job_contains_the_search():
    wanted = Search(bounds={"p99_ms": 50}, start_rps=100, max_steps=4)
    one = spec(search=wanted, timeout_s=5, lateness_s=10)
    assert job_of(every(one)).traffic.search == wanted
    # Four steps of 30 s with their ramps, and what lies between them.
    assert one.traffic.longest_s == 4 * (2 + 30) + 4 * (5 + 10)
    assert spec().traffic.longest_s == spec().traffic.plan.total_s


def test_the_modules_of_a_search_are_mounted():
    (code, *_) = of_kind(every(spec()), "ConfigMap")
    found = " ".join(code["data"])
    for name in ("rate_search", "trials", "records", "throughput"):
        assert f"in_bay.stats.{name}.py" in found
    assert "in_bay.search_driver.py" in found


def test_mounted_modules_import_only_mounted_modules():
    package = pathlib.Path(rally_magnum_scale.__file__).parent
    mounted = {
        found.relative_to(package)
        for pattern in locust_pods.CODE_PATHS
        for found in package.glob(pattern)
    }
    for path in mounted:
        for name in imported(ast.parse((package / path).read_text())):
            wanted = pathlib.Path(*name.split(".")[1:])
            assert {
                wanted.with_suffix(".py"),
                wanted / "__init__.py",
            } & mounted, f"{path} imports {name}"


def imported(tree):
    """Name the modules of the package that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            whole = str(node.module)
            if whole.startswith("rally_magnum_scale"):
                package = pathlib.Path(rally_magnum_scale.__file__).parent
                folder = package.joinpath(*whole.split(".")[1:])
                yield from (
                    [f"{whole}.{one.name}" for one in node.names]
                    if folder.is_dir()
                    else [whole]
                )
