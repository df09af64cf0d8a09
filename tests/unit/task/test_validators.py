"""What a wrong argument is answered before anything is created."""

import json

import pytest
import yaml
from rally.task import scenario

from rally_magnum_scale.task.scenarios import node_arguments

STEPS = [{"rate_rps": 500, "duration_s": 5}]
EXISTING = {"platforms": {"openstack": {"users": [{"username": "u"}]}}}
ADMIN_ONLY = {"platforms": {"openstack": {"admin": {}, "users": []}}}
NO_OPENSTACK = {"platforms": {}}


def errors(name, arguments, contexts=None, vtype="syntax", environment=None):
    workload = {"args": arguments, "contexts": contexts or {}, "runner": {}}
    return scenario.Scenario.validate(
        f"MagnumScale.{name}", environment, workload, None, vtype=vtype
    )


def in_throughput(**arguments):
    return errors("throughput", {"nodes": 1, "steps": STEPS, **arguments})


def in_bay(contexts=None, **arguments):
    return errors("throughput_in_bay", {"steps": STEPS, **arguments}, contexts)


def mentions(found, *words):
    return any(all(word in each for word in words) for each in found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"deadlines": {"creat_s": 5}}, ("deadlines", "creat_s")),
        ({"deadlines": {"create_s": 0}}, ("deadlines.create_s: 0",)),
        ({"deadlines": {"connect_s": "5"}}, ("deadlines.connect_s",)),
        ({"labels": {"a": "b", "cpus": 4}}, ("labels.cpus: 4",)),
        ({"labels": ["a=b"]}, ("labels",)),
        ({"keep_bay": "yes"}, ("keep_bay",)),
        ({"bay_template": ""}, ("bay_template",)),
        ({"pods": {"wokrer": {}}}, ("pods", "wokrer")),
        ({"pods": {"worker": {"limit": {}}}}, ("pods.worker", "limit")),
        (
            {"pods": {"worker": {"limits": {"cpu": "2x"}}}},
            ("pods.worker.limits.cpu", "2x"),
        ),
        ({"steps": [{**STEPS[0], "ramp": 3}]}, ("steps[0]", "ramp")),
        ({"steps": [{**STEPS[0], "duration_s": 0}]}, ("steps[0].duration_s",)),
        ({"steps": []}, ("steps",)),
        ({"spread": "wide"}, ("spread", "wide")),
        ({"target_address": "dns"}, ("target_address", "dns")),
        ({"processes_per_worker": 0}, ("processes_per_worker",)),
        ({"workers": 2001}, ("workers: 2001 pods", "use at most 2000")),
        ({"target_processes": 0}, ("target_processes",)),
        ({"request": {"methd": "GET"}}, ("request", "methd")),
        ({"request": {"path": "a b"}}, ("request.path", "'a b'")),
        ({"request": {"headers": {"Host": "x"}}}, ("request.headers.Host",)),
        ({"request": {"expected_status": 100}}, ("expected_status",)),
        ({"keep_alive": "no"}, ("keep_alive",)),
        ({"arrivals": "bursts"}, ("arrivals", "bursts")),
        ({"tls": "always"}, ("tls", "always")),
        (
            {"tls": "bay_ca", "locust_file": __file__, "users": 1},
            ("tls", "locust_file"),
        ),
        ({"image_pull_policy": "Sometimes"}, ("image_pull_policy",)),
    ],
    ids=str,
)
def test_the_key_that_is_wrong_is_named(arguments, words):
    assert mentions(in_throughput(**arguments), *words)


def test_what_is_right_passes():
    everything = in_throughput(
        deadlines={"create_s": 5, "delete_s": 6.5, "pull_s": 7},
        labels={"sandbox_real_nodes": "3"},
        pods={
            "worker": {
                "requests": {"cpu": "500m"},
                "limits": {"memory": "2Gi"},
                "node_selector": {"disk": "ssd"},
                "tolerations": [{"key": "load", "operator": "Exists"}],
            }
        },
        target_processes=2,
        keep_bay=False,
        bay_template=None,
    )
    assert everything == []


def test_a_deadline_of_a_load_is_none_of_a_bay_alone():
    assert mentions(
        errors(
            "create_and_delete_bay", {"nodes": 1, "deadlines": {"pull_s": 5}}
        ),
        "deadlines",
        "pull_s",
    )


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"auths": {}}', '{"auths": ["top secret"]}']
)
def test_a_pull_secret_must_name_a_registry(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_text(content)
    found = in_throughput(image_pull_secret_file=str(path))
    assert mentions(found, "image_pull_secret_file", str(path), "auths")
    assert not mentions(found, "top secret")


def test_a_pull_secret_that_is_not_there_is_named(tmp_path):
    found = in_throughput(image_pull_secret_file=str(tmp_path / "none"))
    assert mentions(found, "image_pull_secret_file", "No such file")


def test_a_pull_secret_of_docker_passes(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {"registry.example.org": {}}}))
    assert in_throughput(image_pull_secret_file=str(path)) == []


@pytest.mark.parametrize(
    ("environment", "users", "passes"),
    [
        (EXISTING, {}, True),
        (EXISTING, {"user_choice_method": "round_robin"}, True),
        (EXISTING, {"tenants": 1}, False),
        (ADMIN_ONLY, {}, False),
        (ADMIN_ONLY, None, False),
    ],
)
@pytest.mark.parametrize("name", ["throughput", "create_and_delete_bay"])
def test_a_kept_bay_needs_a_tenant_that_stays(
    name, environment, users, passes
):
    contexts = {} if users is None else {"users@openstack": users}
    steps = {"steps": STEPS} if name == "throughput" else {}

    def found(keep):
        return errors(
            name,
            {"nodes": 1, "keep_bay": keep, **steps},
            contexts,
            "platform",
            environment,
        )

    assert found(keep=False) == []
    assert (found(keep=True) == []) == passes
    assert passes or mentions(found(keep=True), "keep_bay", "existing users")


@pytest.mark.parametrize(
    ("contexts", "arguments", "words"),
    [
        ({}, {}, "is selected by nothing"),
        ({}, {"bay": "b", "kubeconfig": "k"}, "bay and kubeconfig"),
        ({"bays@openstack": {"nodes": 1}}, {"bay": "b"}, "the context bays"),
        ({"bays": {"nodes": 1}}, {"bay": "b"}, "the context bays"),
        ({}, {"bay": "b", "bay_role": "big"}, "bay_role"),
        (
            {"bays@openstack": {"bays": [{"nodes": 1, "name": "small"}]}},
            {"bay_role": "big"},
            "The names are: small",
        ),
        ({}, {"bay": "b", "kubeconfig_context": "c"}, "kubeconfig_context"),
        ({}, {"bay": "b", "nodes": 5}, "nodes"),
    ],
)
def test_exactly_one_bay_must_be_meant(contexts, arguments, words):
    assert mentions(in_bay(contexts, **arguments), words)


@pytest.mark.parametrize(
    ("contexts", "arguments"),
    [
        ({}, {"bay": "b"}),
        ({"bays@openstack": {"nodes": 1}}, {}),
        ({"bays@openstack": {"nodes": 1, "name": "big"}}, {"bay_role": "big"}),
        (
            {"bays@openstack": {"bays": [{"nodes": 1, "name": "big"}]}},
            {"bay_role": "big", "bay": None, "kubeconfig": None},
        ),
    ],
)
def test_a_bay_that_is_meant_passes(contexts, arguments):
    assert in_bay(contexts, **arguments) == []


def kubeconfig(folder, server="http://127.0.0.1:1"):
    path = folder / "own.kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_a_kubeconfig_is_read_before_anything_is_created(tmp_path):
    path = kubeconfig(tmp_path)
    assert in_bay(kubeconfig=path) == []
    assert in_bay(kubeconfig=path, kubeconfig_context="x") == []
    other = in_bay(kubeconfig=path, kubeconfig_context="y")
    assert mentions(other, "kubeconfig", "'y'")
    missing = in_bay(kubeconfig=str(tmp_path / "none"))
    assert mentions(missing, "kubeconfig", "none")


def test_a_bay_of_a_kubeconfig_has_no_signed_certificates(tmp_path):
    path = kubeconfig(tmp_path)
    assert mentions(in_bay(kubeconfig=path, tls="bay_ca"), "tls", "must sign")
    assert in_bay(kubeconfig=path, tls="none") == []


def on_platform(environment, contexts=None, **arguments):
    return errors(
        "throughput_in_bay",
        {"steps": STEPS, **arguments},
        contexts,
        "platform",
        environment,
    )


def test_a_kubeconfig_needs_no_openstack():
    assert on_platform(NO_OPENSTACK, kubeconfig="k") == []
    cls = scenario.Scenario.get("MagnumScale.throughput_in_bay")
    assert "users@openstack" not in cls.get_default_context()


def test_a_bay_of_magnum_needs_openstack_and_a_user():
    users = {"users@openstack": {}}
    assert mentions(on_platform(NO_OPENSTACK, users, bay="b"), "openstack")
    assert mentions(on_platform(EXISTING, bay="b"), "users@openstack")
    assert on_platform(EXISTING, users, bay="b") == []


def in_search(**arguments):
    given = {"nodes": 1, "bounds": {"p99_ms": 50}, **arguments}
    return errors("find_max_rate", given)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bounds": {}}, ("search", "bounds: give at least one of p50_ms")),
        ({"bounds": {"p98_ms": 1}}, ("bounds", "p98_ms")),
        ({"bounds": {"p99_ms": 0}}, ("bounds.p99_ms: 0",)),
        ({"bounds": {"max_error_ratio": 2}}, ("bounds.max_error_ratio: 2",)),
        ({"start_rps": 0}, ("start_rps", "0")),
        ({"start_rps": 9, "max_rps": 5}, ("start_rps: 9 is above max_rps",)),
        ({"precision": 0}, ("precision",)),
        ({"step_s": 0}, ("step_s",)),
        ({"max_steps": 1}, ("max_steps",)),
        ({"steps": STEPS}, ("steps",)),
        ({"locust_file": "own.py"}, ("locust_file",)),
        ({"connections_per_worker": 0}, ("connections_per_worker",)),
    ],
    ids=str,
)
def test_a_search_that_can_not_be_right_names_the_key(arguments, words):
    assert in_search() == []
    assert mentions(in_search(**arguments), *words)


def test_a_search_in_a_bay_needs_one_way_into_it():
    given = {"bounds": {"p99_ms": 50}}
    found = errors("find_max_rate_in_bay", given)
    assert mentions(found, "exactly one", "kubeconfig")
    assert errors("find_max_rate_in_bay", {**given, "bay": "b"}) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, ("sizes",)),
        ({"sizes": []}, ("sizes: there must be at least one",)),
        ({"sizes": 300}, ("sizes",)),
        ({"sizes": [0]}, ("sizes[0]: 0",)),
        ({"sizes": [2]}, ("sizes[0]: the bay has 2 nodes already",)),
        ({"sizes": [3, 4, 4]}, ("sizes[2]: the bay has 4 nodes",)),
        (
            {"sizes": [2, 2], "nodegroup": "gpu"},
            ("sizes[1]: the bay has 2 nodes",),
        ),
        ({"sizes": [3], "deadlines": {"resize": 3}}, ("deadlines", "resize")),
        (
            {"sizes": [3], "deadlines": {"settle_s": 0}},
            ("deadlines.settle_s: 0",),
        ),
    ],
    ids=str,
)
def test_a_wrong_ladder_of_sizes_is_named(arguments, words):
    assert mentions(errors("resize_bay", {"nodes": 2, **arguments}), *words)


def test_a_ladder_up_and_down_passes():
    arguments = {
        "nodes": 2,
        "sizes": [3, 5, 2],
        "deadlines": {"create_s": 9, "resize_s": 5, "settle_s": 6.5},
    }
    assert errors("resize_bay", arguments) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, ("exactly one of count and share",)),
        ({"count": 1, "share": 0.5}, ("exactly one of count and share",)),
        ({"count": 3}, ("count: 3 nodes", "bay of 2")),
        ({"count": 0}, ("count", "0")),
        ({"share": 1.5}, ("share", "1.5")),
        ({"count": 1, "batch": 0}, ("batch", "0")),
        ({"count": 1, "deadlines": {"drain": 3}}, ("deadlines", "drain")),
    ],
    ids=str,
)
def test_a_wrong_replacement_is_named(arguments, words):
    assert mentions(errors("replace_nodes", {"nodes": 2, **arguments}), *words)


@pytest.mark.parametrize(
    ("nodes", "share", "number"),
    [(100, 0.07, 7), (100, 0.55, 55), (7, 0.1, 1), (200, 0.1, 20), (3, 1, 3)],
)
def test_a_share_is_rounded_up(nodes, share, number):
    found = node_arguments.ReplaceArguments(share=share).number(nodes)
    assert found == number


def test_a_share_in_batches_passes():
    arguments = {"nodes": 9, "share": 0.5, "batch": 2, "drain": False}
    assert errors("replace_nodes", arguments) == []
