"""A task's needs against a whole cloud."""

import pytest

from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import templates
from rally_magnum_scale.preflight import comparison
from rally_magnum_scale.preflight import plan
from tests.unit.preflight import fake_cloud


@pytest.fixture
def cloud():
    with fake_cloud.serve() as cloud:
        yield cloud


@pytest.fixture
def compare(cloud):
    """Compare one bay, or several workloads, in a new project."""

    def compared(*workloads, new=True, heat=-1, **request):
        wanted = workloads or [workload(**request)]
        with fake_cloud.project(cloud, new=new) as project:
            found = comparison.compare(wanted, lambda _: [project], heat)
        return {row.what: row for row in found}

    return compared


def workload(bays=(1, 1), quotas=(), made=(), workers=0, **request):
    wanted = lifecycle.BayRequest(name="", **{"nodes": 200, **request})
    return plan.WorkloadPlan(
        "w",
        bays=(plan.BayPlan(wanted, *bays),),
        quotas=dict(quotas),
        templates=tuple(made),
        new_projects=1,
        workers=workers,
    )


def verdicts(rows):
    return {what: row.verdict for what, row in rows.items()}


def test_enough_of_everything(compare):
    found = compare(workers=200)
    assert set(verdicts(found).values()) == {"enough"}
    assert found["Nova instances"].need == "201"
    assert found["Nova cores"].need == f"{200 * 4 + 16}"
    assert found["Nova ram"].need == f"{200 * 8192 + 65536}"
    assert found["Nova server_group_members"].need == "200"
    assert found["addresses for the nodes"].have == "253"
    assert found["pod network (flannel_network_cidr)"].have == "256"
    assert found["flavor of the nodes"].have == "4 cores, 8192 MiB"
    assert next(iter(found)) == "cluster template"


@pytest.mark.parametrize(
    ("what", "service", "resource", "need"),
    [
        ("Nova instances", "compute", "instances", 201),
        ("Nova cores", "compute", "cores", 816),
        ("Nova ram", "compute", "ram", 1703936),
        ("Nova server_groups", "compute", "server_groups", 2),
        ("Nova server_group_members", "compute", "server_group_members", 200),
        ("Cinder volumes", "volume", "volumes", 201),
        ("Cinder gigabytes", "volume", "gigabytes", 2010),
        ("Neutron network", "network", "network", 1),
        ("Neutron subnet", "network", "subnet", 1),
        ("Neutron router", "network", "router", 1),
        ("Neutron port", "network", "port", 205),
        ("Neutron floatingip", "network", "floatingip", 202),
        ("Neutron security_group", "network", "security_group", 2),
        ("Neutron security_group_rule", "network", "security_group_rule", 27),
        ("Octavia load_balancer", "octavia", "load_balancer", 2),
    ],
)
def test_a_quota_that_is_one_too_small(
    cloud, compare, what, service, resource, need
):
    cloud.templates = [fake_cloud.template(master_lb_enabled=True)]
    for shortage, verdict in ((0, "enough"), (1, "short")):
        used = {"security_group": 1, "security_group_rule": 4}.get(resource, 0)
        limit = need + used - shortage
        cloud.quotas[service][resource] = limit
        found = compare(labels={"boot_volume_size": "10"})
        assert verdicts(found)[what] == verdict
        short = [one for one in found.values() if one.verdict == "short"]
        assert len(short) == shortage
    assert f"{need + used}" in short[0].change


def test_a_quota_of_magnum_that_is_too_small(cloud, compare):
    cloud.bay_quota = 2
    found = compare(bays=(3, 3))["Magnum bays"]
    assert (found.need, found.have, found.verdict) == ("3", "2", "short")
    assert found.change == "set bays of bay_quotas@openstack to 3 or more"


def test_quotas_that_the_task_sets_count(cloud, compare):
    cloud.quotas["compute"]["cores"] = 20
    planned = {("nova", "cores"): -1, ("nova", "instances"): 100}
    found = compare(quotas=planned)
    assert found["Nova cores"].verdict == "enough"
    assert found["Nova cores"].have == "unlimited, set by the task"
    assert found["Nova instances"].verdict == "short"


def test_iterations_may_meet_in_one_of_several_projects(cloud, compare):
    cloud.bay_quota = 2
    found = compare(bays=(1, 3))["Magnum bays"]
    assert (found.need, found.verdict) == ("1 to 3", "unknown")


def test_workloads_follow_each_other(cloud, compare):
    cloud.quotas["compute"]["instances"] = 10
    small, large = workload(nodes=5), workload(nodes=50)
    found = compare(small, large, small)
    assert found["Nova instances"].need == "51"
    assert found["Nova instances"].verdict == "short"


@pytest.mark.parametrize("kind", ["compute", "network", "image"])
def test_a_service_that_refuses_is_unknown(cloud, compare, kind):
    cloud.refuse[f"^/{kind}/v"] = 403
    found = compare()
    unknown = [one for one in found.values() if one.verdict == "unknown"]
    assert unknown
    assert "short" not in verdicts(found).values()
    assert any("403" in one.change for one in unknown)


def test_without_magnum_nothing_depends_on_a_template(cloud, compare):
    del cloud.services["container-infra"]
    found = compare(flavor="small", master_flavor="small")
    assert found["cluster template"].verdict == "unknown"
    assert found["Magnum bays"].verdict == "unknown"
    assert found["Neutron floatingip"].verdict == "unknown"
    assert found["Nova instances"].verdict == "enough"
    cloud.quotas["network"]["port"] = 200
    assert compare()["Neutron port"].verdict == "short"


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"image_id": "none"}, "image"),
        ({"image_id": "bare"}, "os_distro of the image"),
        ({"image_id": "own"}, "image"),
        ({"image_id": "capi"}, "kube_version of the image"),
        ({"flavor_id": "none"}, "flavor of the nodes"),
        ({"master_flavor_id": "own"}, "flavor of the masters"),
        ({"external_network_id": "lan"}, "external network"),
        ({"external_network_id": "none"}, "external network"),
        ({"fixed_network": "own"}, "network"),
        ({"fixed_network": "none"}, "network"),
        ({"fixed_network": "lan", "fixed_subnet": "none"}, "subnet"),
    ],
)
def test_something_that_a_new_project_cannot_use(cloud, compare, fields, what):
    own = {"id": "own", "name": "own"}
    cloud.objects["networks"].append({**own, "shared": False})
    cloud.objects["flavors"].append(fake_cloud.flavor("own", 1, 1, False))
    cloud.objects["images"] += [
        fake_cloud.image("bare"),
        fake_cloud.image("own", os_distro="x", visibility="private"),
        fake_cloud.image(
            "capi", os_distro="ubuntu", magnum_driver="k8s_capi_helm_v1"
        ),
    ]
    cloud.templates = [fake_cloud.template(**fields)]
    found = compare()
    short = [one.what for one in found.values() if one.verdict == "short"]
    assert short == [what]
    assert found[what].change


def test_an_existing_project_may_use_its_own(cloud, compare):
    cloud.objects["flavors"].append(fake_cloud.flavor("own", 1, 1, False))
    cloud.objects["networks"][1]["shared"] = False
    cloud.templates = [
        fake_cloud.template(
            public=False,
            flavor_id="own",
            fixed_network="lan",
            fixed_subnet="lan-1",
            keypair_id="key",
        )
    ]
    found = compare(new=False)
    assert set(verdicts(found).values()) == {"enough"}
    assert found["addresses of lan-1"].have == "210 of 250"
    cloud.addresses["used_ips"] = 50
    assert compare(new=False)["addresses of lan-1"].verdict == "short"


def test_the_addresses_may_be_for_administrators_only(cloud, compare):
    cloud.refuse["network-ip-availabilities"] = 403
    found = compare(network="lan", new=False)["addresses of lan"]
    assert (found.need, found.verdict) == ("201 to 202", "unknown")
    assert "403" in found.change


def test_a_keypair_belongs_to_a_user(cloud, compare):
    assert compare(keypair="key")["keypair"].verdict == "unknown"
    assert compare(keypair="key", new=False)["keypair"].verdict == "enough"
    assert compare(keypair="none", new=False)["keypair"].verdict == "short"


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        ([], None),
        (["a", "b"], None),
        (["a"], "b"),
    ],
)
def test_a_template_that_is_not_there(cloud, compare, shown, wanted):
    cloud.templates = [fake_cloud.template(name) for name in shown]
    found = compare(template=wanted)
    assert found["cluster template"].verdict == "short"
    assert found["flavor of the nodes"].verdict == "unknown"
    assert found["Nova cores"].verdict == "unknown"


def test_a_template_that_the_task_creates(compare):
    made = templates.TemplateRequest(
        "new", {"flavor": "large"}, copied=True, labels={"a": "b"}
    )
    for wanted in ("new", None):
        found = compare(template=wanted, made=[made])
        assert found["cluster template"].have == "new"
        assert found["flavor of the nodes"].have == "16 cores, 65536 MiB"
    other = templates.TemplateRequest("other", {}, copied=True, source="none")
    assert compare(template="new", made=[made, other])
    for wanted in (None, "other"):
        found = compare(template=wanted, made=[made, other])
        assert found["cluster template"].verdict == "short"


@pytest.mark.parametrize(
    ("given", "driver", "verdict"),
    [
        ({"os_distro": "fedora-coreos"}, "the one of fedora-coreos", "enough"),
        ({"os_distro": "ubuntu"}, "?", "unknown"),
        (
            {"os_distro": "ubuntu", "magnum_driver": "k8s_cluster_api_ubuntu"},
            "k8s_cluster_api_ubuntu",
            "enough",
        ),
    ],
)
def test_the_driver(cloud, compare, given, driver, verdict):
    cloud.objects["images"] = [fake_cloud.image("fcos", **given)]
    row = compare()["Magnum's driver"]
    assert (row.have, row.verdict) == (driver, verdict)


def test_the_driver_of_a_missing_image(compare):
    assert "Magnum's driver" not in compare(template="none")


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [({"docker_volume_size": 20}, "short"), ({}, "unknown")],
)
def test_a_volume_of_a_template_that_the_task_creates(
    cloud, compare, fields, verdict
):
    given = {"os_distro": "x", "magnum_driver": "k8s_capi_helm_v1"}
    cloud.objects["images"] = [fake_cloud.image("fcos", **given)]
    cloud.templates = [fake_cloud.template(docker_volume_size=10)]
    made = templates.TemplateRequest("new", fields, copied=True)
    found = compare(template="new", made=[made])
    assert found["driver: docker volumes"].verdict == verdict


def test_limits_of_another_driver_are_unknown(cloud, compare):
    cloud.objects["images"] = [fake_cloud.image("fcos", os_distro="ubuntu")]
    cloud.quotas["network"]["router"] = 0
    found = compare(heat=1000, nodes=300)
    for what in (
        "Neutron router",
        "Nova server_group_members",
        "addresses for the nodes",
        "pod network (flannel_network_cidr)",
        "Heat resources of a bay",
    ):
        assert found[what].verdict == "unknown"
    assert found["Nova instances"].verdict == "enough"
    assert "Heat resources of a bay" not in compare(heat=1000, nodes=5)
    cloud.templates = [fake_cloud.template(driver="k8s_capi_helm_v1")]
    assert "Heat resources of a bay" not in compare(heat=1000, nodes=300)


@pytest.mark.parametrize(
    ("labels", "what", "verdict"),
    [
        ({}, "addresses for the nodes", "short"),
        (
            {"fixed_subnet_cidr": "10.0.0.0/21"},
            "addresses for the nodes",
            "enough",
        ),
        ({"fixed_subnet_cidr": "x"}, "addresses for the nodes", "unknown"),
        ({}, "pod network (flannel_network_cidr)", "short"),
        (
            {"flannel_network_cidr": "10.8.0.0/13"},
            "pod network (flannel_network_cidr)",
            "enough",
        ),
        (
            {"flannel_network_cidr": "x"},
            "pod network (flannel_network_cidr)",
            "unknown",
        ),
    ],
)
def test_networks_of_a_large_bay(compare, labels, what, verdict):
    assert compare(nodes=300, labels=labels)[what].verdict == verdict


def test_calico_may_borrow_addresses(cloud, compare):
    cloud.templates = [fake_cloud.template(network_driver="calico")]
    for nodes, verdict in ((200, "enough"), (300, "unknown"), (1025, "short")):
        found = compare(nodes=nodes)["pod network (calico_ipv4pool)"]
        assert found.verdict == verdict


@pytest.mark.parametrize(
    ("limit", "nodes", "verdict"),
    [
        (None, 50, "enough"),
        (None, 90, "unknown"),
        (1000, 90, "short"),
        (1000, 50, "enough"),
        (-1, 1000, "enough"),
    ],
)
def test_resources_of_heat(compare, limit, nodes, verdict):
    found = compare(heat=limit, nodes=nodes)["Heat resources of a bay"]
    assert found.verdict == verdict
    if limit is None:
        assert found.have == "1000, Heat's default"


@pytest.mark.parametrize(
    ("workers", "verdict"), [(2000, "enough"), (2001, "unknown")]
)
def test_workers_of_one_master(compare, workers, verdict):
    assert compare(workers=workers)["Locust workers"].verdict == verdict


def test_a_load_in_an_existing_bay_asks_no_cloud():
    only = plan.WorkloadPlan("w", workers=1)
    (row,) = comparison.compare([only], None)
    assert row.what == "Locust workers"


def test_the_workload_is_named_if_there_are_several(compare):
    assert compare()["Nova cores"].workload == ""
    both = compare(workload(), workload())
    assert both["Nova cores"].workload == "w"
