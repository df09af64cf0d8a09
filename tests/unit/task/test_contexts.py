"""The contexts that make templates, quotas and bays, on a fake Magnum."""

import copy
import pickle
import re

import pytest
from rally.task import context
from rally.task import scenario

from rally_magnum_scale import exceptions
from rally_magnum_scale.task.contexts import bay_groups
from rally_magnum_scale.task.contexts import bay_quotas
from rally_magnum_scale.task.contexts import bay_templates
from rally_magnum_scale.task.contexts import bays
from tests.unit.task import cloud_of_bays

OWNER = "0a1b2c3d-0000-0000-0000-000000000000"
PLAIN = {"name": "plain", "image": "fedora", "flavor": "m1.small"}


@pytest.fixture
def cloud():
    return cloud_of_bays.Cloud()


@pytest.fixture
def clients(cloud):
    with cloud_of_bays.serve(cloud) as opened:
        yield opened


@pytest.fixture
def build(clients):
    """Return a context of two tenants, which share the fake cloud."""

    def make(cls, config, tenants=("t1", "t2"), **user):
        users = [
            {"tenant_id": tenant, "credential": clients, **user}
            for tenant in tenants
            for _ in range(2)
        ]
        return cls(
            {
                "config": {cls.get_fullname(): config},
                "task": {"uuid": OWNER},
                "owner_id": OWNER,
                "admin": {"credential": clients},
                "users": users,
                "tenants": {tenant: {} for tenant in tenants},
            }
        )

    return make


@pytest.fixture
def failing(cloud, build):
    """Return the context of a bay, or more, whose create fails."""
    cloud.add("clustertemplates", "k8s")
    cloud.created = "CREATE_FAILED"

    def make(**config):
        return build(
            bays.BaysContext, {"nodes": 5, "concurrency": 1, **config}
        )

    return make


def refusals(name, config):
    """Return what Rally says of the configuration of a context."""
    return context.Context.validate(name, None, None, config, vtype="syntax")


# Templates


def test_templates_are_made_in_each_tenant_and_removed(cloud, build):
    wanted = {
        **PLAIN,
        "keypair": "mine",
        "labels": {"a": "b"},
        "docker_volume_size": 5,
    }
    made = build(bay_templates.BayTemplates, {"templates": [wanted]})
    made.setup()
    sent = [body for _, body in cloud.asked("POST", "clustertemplates")]
    assert len(sent) == 2
    assert sent[0]["image_id"] == "fedora"
    assert sent[0]["flavor_id"] == "m1.small"
    assert sent[0]["keypair_id"] == "mine"
    assert sent[0]["labels"] == {"a": "b"}
    assert sent[0]["docker_volume_size"] == 5
    assert sent[0]["name"].startswith("rms-0a1b2c3d-")
    ids = [
        t["bay_templates"]["plain"] for t in made.context["tenants"].values()
    ]
    assert set(ids) == set(cloud.objects["clustertemplates"])
    made.cleanup()
    assert cloud.objects["clustertemplates"] == {}


def test_a_template_may_choose_its_driver(cloud, build):
    wanted = {**PLAIN, "driver": "k8s_capi_helm_v1"}
    build(bay_templates.BayTemplates, {"templates": [wanted]}).setup()
    (template, _) = cloud.objects["clustertemplates"].values()
    assert template["driver"] == "k8s_capi_helm_v1"


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"insecure_registry": "registry.example.org:5000"}, ""),
        ({"insecure_registry": True}, "not of type 'string'"),
        ({"image": "i" * 256}, "too long"),
        ({"docker_volume_size": 0}, "minimum"),
        ({"registry_enabled": "yes"}, "not of type 'boolean'"),
    ],
)
def test_the_fields_of_a_template_have_the_types_of_magnum(fields, refused):
    config = {"templates": [{**PLAIN, **fields}]}
    found = refusals("bay_templates@openstack", config)
    assert bool(found) == bool(refused)
    assert re.search(refused, " ".join(map(str, found)))


def test_a_template_is_copied_except_for_the_given_fields(cloud, build):
    source = {
        "image_id": "fedora",
        "flavor_id": "big",
        "keypair_id": None,
        "public": True,
        "labels": {"kept": "1", "changed": "1"},
    }
    cloud.add("clustertemplates", "production", **source)
    wanted = {
        "name": "variant",
        "from": "production",
        "flavor": "small",
        "labels": {"changed": "2"},
    }
    build(bay_templates.BayTemplates, {"templates": [wanted]}).setup()
    _, sent = cloud.asked("POST", "clustertemplates")[0]
    assert sent["image_id"] == "fedora"
    assert sent["flavor_id"] == "small"
    assert sent["labels"] == {"kept": "1", "changed": "2"}
    assert not {"public", "keypair_id", "uuid"} & set(sent)


def test_variants_of_the_only_template_are_made_without_its_name(cloud, build):
    cloud.add("clustertemplates", "only", image_id="fedora")
    config = {"templates": [{"name": n, "from": None} for n in ("a", "b")]}
    build(bay_templates.BayTemplates, config, tenants=("t1",)).setup()
    sent = [body for _, body in cloud.asked("POST", "clustertemplates")]
    assert [body["image_id"] for body in sent] == ["fedora", "fedora"]


@pytest.mark.parametrize(
    ("changed", "magnum", "words"),
    [
        (
            {"image": "nope"},
            "Cluster type (vm, Unset, kubernetes) not supported",
            "'plain' because its image 'nope' does not exist.*key 'image'",
        ),
        (
            {"master_flavor": "huge"},
            "Unable to find flavor huge.",
            r"'plain' because of its key 'master_flavor' \('huge'\)",
        ),
        (
            {"server_type": "zvm"},
            "Invalid input for field/attribute server_type.",
            "'plain' because of its key 'server_type'",
        ),
        ({}, "Something new.", "create the template 'plain': Something new"),
        (
            {"driver": "k8s_capi_helm_v1"},
            "",
            "ignored the driver 'k8s_capi_helm_v1' .* chose 'k8s_fedora_core",
        ),
        ({"from": "nowhere"}, "", "from is 'nowhere'"),
        ({"keypair": "lost"}, "", "no keypair 'lost'"),
    ],
)
def test_a_template_that_can_not_be_made_names_its_key(
    cloud, build, changed, magnum, words
):
    wanted = {**PLAIN, **changed}
    cloud.driver = "k8s_fedora_coreos_v1"
    if magnum:
        cloud.refused["fedora" if not changed else "name"] = magnum
    good = build(bay_templates.BayTemplates, {"templates": [wanted]})
    with pytest.raises(exceptions.BayError, match=words) as caught:
        good.setup()
    assert str(caught.value).count(". ") == 0
    good.cleanup()
    assert cloud.objects["clustertemplates"] == {}


def test_templates_of_a_set_up_that_failed_half_way_are_removed(cloud, build):
    cloud.refused["second-image"] = "no"
    second = {"name": "second", "image": "second-image"}
    half = build(bay_templates.BayTemplates, {"templates": [PLAIN, second]})
    with pytest.raises(exceptions.TemplateCreateFailed):
        half.setup()
    assert len(cloud.objects["clustertemplates"]) == 1
    half.cleanup()
    assert cloud.objects["clustertemplates"] == {}


@pytest.mark.parametrize(
    ("made", "wanted", "found"),
    [
        ({}, None, None),
        ({}, "production", "production"),
        ({"a": "u1"}, None, "u1"),
        ({"a": "u1", "b": "u2"}, "b", "u2"),
        ({"a": "u1", "b": "u2"}, "production", "production"),
    ],
)
def test_a_scenario_names_a_template_of_the_context(made, wanted, found):
    tenant = {"bay_templates": made}
    assert bay_templates.choose(tenant, wanted) == found


def test_without_a_name_several_templates_are_an_error():
    tenant = {"bay_templates": {"a": "u1", "b": "u2"}}
    with pytest.raises(exceptions.TemplateNotFound, match="one of: a, b"):
        bay_templates.choose(tenant, None)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "templates"),
        ({"templates": []}, "templates"),
        ({"templates": [{"image": "x"}]}, "name"),
        ({"templates": [{"name": "x"}]}, "neither 'image' nor 'from'"),
        ({"templates": [PLAIN, PLAIN]}, "two templates of the name 'plain'"),
        ({"templates": [{**PLAIN, "labels": "a=b"}]}, "a=b"),
        ({"templates": [{**PLAIN, "labels": {"a": 1}}]}, "1 is not of type"),
        ({"templates": [{**PLAIN, "imag": "x"}]}, "imag"),
    ],
    ids=str,
)
def test_wrong_templates_are_named_before_anything_is_made(config, words):
    errors = refusals("bay_templates@openstack", config)
    assert any(words in each for each in errors), errors


def test_right_configurations_are_accepted():
    every = {
        "name": "x",
        "from": "y",
        "labels": {"a": "b"},
        "master_lb_enabled": True,
        "docker_volume_size": 3,
    }
    assert not refusals("bay_templates", {"templates": [PLAIN, every]})
    assert not refusals("bay_quotas", {"bays": 5})
    assert not refusals("bays", {"nodes": 5})
    assert not refusals(
        "bays",
        {
            "bays": [{"nodes": 5, "count": 2, "name": "big"}, {"nodes": 1}],
            "concurrency": 2,
            "deadlines": {"create_s": 60.5},
        },
    )


# Quotas


def test_a_quota_is_set_and_taken_back(cloud, build):
    cloud.quotas = {"t2": 7}
    quota = build(bay_quotas.BayQuotasContext, {"bays": 50})
    quota.setup()
    assert cloud.quotas == {"t1": 50, "t2": 50}
    quota.cleanup()
    assert cloud.quotas == {"t2": 7}


def test_a_quota_that_was_never_set_is_not_touched(cloud, build):
    cloud.quotas = {"t1": 3}
    build(bay_quotas.BayQuotasContext, {"bays": 50}).cleanup()
    assert cloud.quotas == {"t1": 3}


def workload(quota, kept=None, **runner):
    contexts = {"bay_quotas@openstack": {"bays": quota}}
    if kept:
        contexts["bays"] = kept
    return {"contexts": contexts, "runner": runner}


@pytest.mark.parametrize(
    ("config", "needed"),
    [
        (workload(1, {"nodes": 5}), 2),
        (workload(3, times=8, concurrency=4), 4),
        (workload(4, {"nodes": 5, "count": 2}, times=9, concurrency=3), 5),
        (workload(4, {"bays": [{"nodes": 1, "count": 3}, {"nodes": 2}]}), 5),
    ],
)
def test_a_quota_too_small_for_the_task_names_the_needed_one(config, needed):
    check = bay_quotas.BayQuotasValidator()
    with pytest.raises(Exception, match=f"Set bay_quotas to {needed} or"):
        check.validate(None, config, None, None)
    config["contexts"]["bay_quotas@openstack"]["bays"] = needed
    check.validate(None, config, None, None)


def test_a_scenario_that_makes_no_bay_needs_no_quota_of_its_own():
    check = bay_quotas.BayQuotasValidator(per_iteration=0)
    check.validate(
        None, workload(1, {"nodes": 5}, times=9, concurrency=9), None, None
    )


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"contexts": {"bays": {"nodes": 5}}, "runner": {}},
        workload("many"),
        workload(1, {"bays": 5}),
        workload(1, times=9, concurrency="x"),
    ],
    ids=str,
)
def test_errors_that_the_schemas_find_are_left_to_them(config):
    bay_quotas.BayQuotasValidator().validate(None, config, None, None)


# Bays


def test_both_forms_say_which_bays():
    short = bay_groups.read({"nodes": 5, "count": 2, "labels": {"a": "b"}})
    assert [(w.nodes, w.count, w.role) for w in short] == [(5, 2, None)]
    assert short[0].request("x", None, None).labels == {"a": "b"}
    full = {
        "bays": [{"nodes": 5, "count": 2, "name": "big"}, {"nodes": 1}],
        "deadlines": {"create_s": 60},
    }
    big, small = bay_groups.read(full)
    assert (big.role, small.role) == ("big", None)
    assert bay_groups.count(full) == 3
    assert small.request("x", None, None).deadlines.create_s == 60


def test_a_keypair_of_the_task_goes_before_that_of_the_user():
    own, none = bay_groups.read(
        {"bays": [{"nodes": 1, "keypair": "own"}, {"nodes": 1}]}
    )
    assert own.request("x", None, "users").keypair == "own"
    assert none.request("x", None, "users").keypair == "users"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "neither 'nodes' nor 'bays'"),
        ({"nodes": 5, "bays": [{"nodes": 5}]}, "both 'bays' and 'nodes'"),
        ({"nodes": 0}, "0 is less than the minimum"),
        ({"nodez": 5}, "nodez"),
        ({"bays": [{"nodes": 5, "nam": "x"}]}, "nam"),
        ({"nodes": 5, "concurrency": 0}, "0 is less than the minimum"),
        ({"nodes": 5, "deadlines": {"create": 5}}, "create"),
        ({"nodes": 5, "deadlines": {"create_s": 0}}, "0"),
    ],
    ids=str,
)
def test_wrong_bays_are_named_before_anything_is_made(config, words):
    errors = refusals("bays@openstack", config)
    assert any(words in each for each in errors), errors


def test_a_quota_without_room_is_reported_before_the_first_bay(cloud, build):
    cloud.add("clusters", "another", project_id="t1")
    cloud.add("clusters", "not counted", project_id="t9")
    cloud.quotas = {"t1": 3, "t2": 3}
    many = build(bays.BaysContext, {"nodes": 5, "count": 3})
    with pytest.raises(exceptions.InvalidInput, match="3 bays.*room for 2"):
        many.setup()
    many.cleanup()
    assert cloud.asked("POST", "clusters") == []
    assert len(cloud.objects["clusters"]) == 2


def test_when_one_bay_fails_all_are_removed(cloud, failing):
    cloud.add("clusters", "production")
    failing = failing(count=3, concurrency=2)
    with pytest.raises(exceptions.BayCreateFailed, match="port in use"):
        failing.setup()
    count = len(cloud.asked("POST", "clusters"))
    assert 1 <= count <= 2
    failing.cleanup()
    assert [o["name"] for o in cloud.objects["clusters"].values()] == [
        "production"
    ]
    assert failing.context["tenants"] == {"t1": {}, "t2": {}}


def test_a_bay_takes_the_template_and_the_keypair_of_its_tenant(cloud, build):
    cloud.created = "CREATE_FAILED"
    uuid = cloud.add("clustertemplates", "rms-x")
    cloud.add("clustertemplates", "rms-y")
    one = build(
        bays.BaysContext,
        {"nodes": 5, "bay_template": "mine", "concurrency": 1},
        keypair={"name": "users-own"},
    )
    for tenant in one.context["tenants"].values():
        tenant["bay_templates"] = {"mine": uuid}
    with pytest.raises(exceptions.BayCreateFailed):
        one.setup()
    ((_, sent),) = cloud.asked("POST", "clusters")
    assert sent["cluster_template_id"] == uuid
    assert sent["keypair"] == "users-own"
    assert sent["name"].startswith("rms-0a1b2c3d-")
    one.cleanup()


def test_how_long_each_bay_took_is_kept_also_when_it_failed(failing):
    failing = failing()
    with pytest.raises(exceptions.BayCreateFailed):
        failing.setup()
    (action,) = failing.atomic_actions()
    assert action["name"] == "magnum.create_bay"
    assert action["failed"]
    assert action["finished_at"] >= action["started_at"]
    failing.reset_atomic_actions()
    failing.cleanup()
    names = [each["name"] for each in failing.atomic_actions()]
    assert names == ["magnum.delete_bay"]


def test_a_bay_that_can_not_be_deleted_is_an_error_of_the_cleanup(
    cloud, failing
):
    cloud.after_delete, cloud.once = "DELETE_FAILED", True
    stuck = failing()
    with pytest.raises(exceptions.BayCreateFailed):
        stuck.setup()
    with pytest.raises(exceptions.BayDeleteFailed, match="port in use"):
        stuck.cleanup()
    # It was tried again, by name.
    assert cloud.objects["clusters"] == {}


def test_without_a_set_up_there_is_nothing_to_clean_up(cloud, build):
    cloud.add("clusters", "production")
    build(bays.BaysContext, {"nodes": 5}).cleanup()
    assert len(cloud.objects["clusters"]) == 1


def test_the_context_of_iterations_survives_pickling(build):
    one = build(bays.BaysContext, {"nodes": 5})
    bay = {
        "name": "rms-1",
        "uuid": "u",
        "nodes": 5,
        "role": None,
        "record": {},
    }
    one.context["tenants"]["t1"]["bays"] = [bay]
    for carried in (
        copy.deepcopy(one.context["tenants"]),
        pickle.loads(pickle.dumps(one.context["tenants"])),
    ):
        assert bays.bays_of({"tenants": carried}, "t1") == (bay,)
        assert bays.bays_of({"tenants": carried}, "t2") == ()


def test_scenarios_check_the_quota_of_their_task():
    config = {
        "args": {"nodes": 1},
        **workload(1, times=4, concurrency=4),
    }
    errors = scenario.Scenario.validate(
        "MagnumScale.create_and_delete_bay", None, config, None, vtype="syntax"
    )
    assert any("Set bay_quotas to 4 or more" in each for each in errors), (
        errors
    )
