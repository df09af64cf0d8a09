"""Users, projects and keypairs go, unless a bay or server needs them."""

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import reading
from rally_magnum_scale.reap import findings
from rally_magnum_scale.reap import search
from tests.unit.task import fake_tenants

RUN = "0a1b2c3d"

pytestmark = pytest.mark.filterwarnings(
    # keystoneauth leaves it to the interpreter to close a connection.
    "ignore:unclosed:ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


@pytest.fixture
def left(cloud):
    """Return the leftovers of a run by kind, without its bay."""
    cloud.leave(RUN)
    cloud.objects["clusters"].clear()
    login = fake_tenants.credentials(cloud)
    found = search.search({"admin": login}, lambda _: None)
    return {each.kind: each for each in found.objects}


@pytest.mark.parametrize(
    "kind", [findings.KEYPAIR, findings.USER, findings.PROJECT]
)
def test_it_is_removed_and_the_rest_is_not(cloud, left, kind):
    before = cloud.names()
    left[kind].remove()
    assert before - cloud.names() == {left[kind].name}


def test_what_is_gone_already_is_no_failure(cloud, left):
    for objects in (*cloud.objects.values(), cloud.keypairs):
        objects.clear()
    for each in left.values():
        each.remove()


@pytest.mark.parametrize("kind", [findings.USER, findings.PROJECT])
@pytest.mark.parametrize("shown", [True, False])
def test_a_bay_keeps_its_user_and_project(cloud, left, kind, shown):
    project = left[kind].project if shown else None
    cloud.add("clusters", "production", project_id=project)
    with pytest.raises(exceptions.BayError, match="the bay production"):
        left[kind].remove()
    assert cloud.deleted == []


@pytest.mark.parametrize("kind", [findings.USER, findings.PROJECT])
def test_a_server_keeps_its_user_and_project(cloud, left, kind):
    server = {"id": "s", "name": "web", "tenant_id": "other"}
    mine = {**server, "tenant_id": left[kind].project}
    cloud.servers = [server, mine]
    with pytest.raises(exceptions.MachineError, match="the server web"):
        left[kind].remove()
    cloud.servers = [server]
    left[kind].remove()
    assert cloud.deleted == [left[kind].name]


@pytest.mark.parametrize("path", ["/clusters", "/compute"])
def test_what_the_project_has_must_be_shown(cloud, left, path):
    cloud.refuse.add(path)
    for kind in (findings.USER, findings.PROJECT):
        with pytest.raises(exceptions.ScaleError):
            left[kind].remove()
    assert cloud.deleted == []


def test_a_user_without_a_project_is_left_to_a_person(cloud):
    cloud.add("users", f"c_rally_{RUN}_User0001")
    login = fake_tenants.credentials(cloud)
    (user,) = search.search({"admin": login}, lambda _: None).objects
    with pytest.raises(exceptions.InvalidInput, match="by hand"):
        user.remove()
    assert cloud.deleted == []


def test_a_refusal_of_keystone_is_told(cloud, left):
    cloud.stuck.add(left[findings.PROJECT].name)
    with pytest.raises(reading.Unreadable, match="Keystone answered"):
        left[findings.PROJECT].remove()


def test_the_default_security_group_of_the_project_goes_too(cloud, left):
    cloud.groups = {"own": left[findings.PROJECT].project, "other": "p"}
    left[findings.PROJECT].remove()
    assert cloud.groups == {"other": "p"}


def test_without_nova_and_neutron_keystone_is_enough(cloud):
    cloud.services.clear()
    cloud.leave(RUN)
    cloud.objects["clusters"].clear()
    login = fake_tenants.credentials(cloud)
    for each in search.search({"admin": login}, lambda _: None).objects:
        each.remove()
    assert cloud.names() == {f"c_rally_{RUN}_Keypair1"}
