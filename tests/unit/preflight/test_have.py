"""What a project has, and why something of it can't be read."""

import pytest

from rally_magnum_scale.bays import reading
from rally_magnum_scale.preflight import have
from tests.unit.preflight import fake_cloud


@pytest.fixture
def cloud():
    with fake_cloud.serve() as cloud:
        yield cloud


@pytest.fixture
def existing(cloud):
    with fake_cloud.project(cloud, new=False) as project:
        yield project


@pytest.fixture
def new(cloud):
    with fake_cloud.project(cloud, new=True) as project:
        yield project


@pytest.mark.parametrize(
    ("service", "resource", "limit"),
    [
        ("nova", "cores", 10_000_000),
        ("cinder", "volumes", 1000),
        ("neutron", "port", 10_000),
        ("octavia", "load_balancer", 10),
        ("magnum", "bays", 20),
    ],
)
def test_an_existing_project_shows_what_is_used(
    cloud, existing, service, resource, limit
):
    cloud.used[resource] = 3
    cloud.balancers = 3
    cloud.bays = [{"uuid": str(n), "project_id": "p"} for n in range(3)]
    found = existing.quota(service, resource)
    assert found == have.Quota(limit, used=3)
    assert found.free == limit - 3


@pytest.mark.parametrize(
    ("service", "resource", "quota"),
    [
        ("nova", "cores", have.Quota(10_000_000)),
        ("cinder", "volumes", have.Quota(1000)),
        ("neutron", "port", have.Quota(10_000)),
        ("neutron", "security_group", have.Quota(10_000, used=1)),
        ("neutron", "security_group_rule", have.Quota(10_000, used=4)),
        ("octavia", "load_balancer", have.Quota(10)),
        ("magnum", "bays", have.Quota(20)),
    ],
)
def test_a_new_project_has_the_defaults(cloud, new, service, resource, quota):
    cloud.used[resource] = 3
    cloud.bays = [{"uuid": "c", "project_id": "p"}]
    assert new.quota(service, resource) == quota


def test_a_planned_quota_counts_before_it_is_set(cloud, existing):
    cloud.used["cores"] = 3
    planned = have.Quota(800, used=3, planned=True)
    assert existing.quota("nova", "cores", 800) == planned


@pytest.mark.parametrize("limit", [7, have.UNLIMITED])
def test_a_planned_quota_of_a_new_project_is_known_without_the_cloud(
    cloud, new, limit
):
    cloud.refuse["compute"] = 403
    assert new.quota("nova", "cores", limit) == have.Quota(limit, planned=True)


def test_more_may_be_used_than_is_allowed(cloud, existing):
    cloud.used["port"] = 10_001
    assert existing.quota("neutron", "port").free == 0


@pytest.mark.parametrize(
    ("service", "resource", "kind"),
    [
        ("nova", "cores", "compute"),
        ("cinder", "volumes", "block-storage"),
        ("neutron", "port", "network"),
        ("octavia", "load_balancer", "load-balancer"),
        ("magnum", "bays", "container-infra"),
    ],
)
def test_a_service_may_be_missing(cloud, new, service, resource, kind):
    del cloud.services[kind]
    with pytest.raises(reading.Unreadable, match=service.capitalize()):
        new.quota(service, resource)


@pytest.mark.parametrize("status", [403, 500])
@pytest.mark.parametrize(
    ("service", "resource"),
    [
        ("nova", "cores"),
        ("cinder", "volumes"),
        ("neutron", "port"),
        ("octavia", "load_balancer"),
        ("magnum", "bays"),
    ],
)
def test_a_service_may_refuse(cloud, existing, status, service, resource):
    cloud.refuse["quota"] = status
    with pytest.raises(reading.Unreadable, match=f"{status}"):
        existing.quota(service, resource)


def test_a_quota_of_another_name_is_unreadable(cloud, new):
    del cloud.quotas["compute"]["server_groups"]
    with pytest.raises(reading.Unreadable, match="no quota server_groups"):
        new.quota("nova", "server_groups")


def test_an_odd_answer_is_unreadable(cloud, existing):
    cloud.quotas["compute"] = {"cores": None}
    cloud.used["cores"] = None
    with pytest.raises(
        reading.Unreadable, match="Nova returned an unexpected response"
    ):
        existing.quota("nova", "cores")


@pytest.mark.parametrize(
    ("client", "kind", "name"),
    [
        ("compute", "flavor", "small"),
        ("compute", "keypair", "key"),
        ("image", "image", "fcos"),
        ("network", "network", "lan"),
        ("network", "subnet", "lan-1"),
    ],
)
def test_objects_are_found_by_name(existing, client, kind, name):
    assert existing.find(client, kind, name).name == name
    assert existing.find(client, kind, "other") is None


def test_two_objects_of_a_name_are_no_answer(cloud, existing):
    cloud.objects["networks"] *= 2
    with pytest.raises(reading.Unreadable, match="lan"):
        existing.find("network", "network", "lan")


def test_a_new_project_sees_public_templates_only(cloud, new, existing):
    cloud.templates = [
        fake_cloud.template("a"),
        fake_cloud.template("b", public=False),
        fake_cloud.template("c", hidden=True),
    ]
    assert [one.name for one in new.templates()] == ["a"]
    assert len(existing.templates()) == 3


def test_the_addresses_of_a_subnet(existing):
    assert existing.free_addresses("net", "sub").free == 210
    assert existing.free_addresses("net", None).free == 210


def test_a_service_that_refuses_is_asked_once(cloud, new):
    cloud.refuse["quota"] = 403
    for resource in ("cores", "ram"):
        with pytest.raises(reading.Unreadable, match="403"):
            new.quota("nova", resource)
        cloud.refuse.clear()
