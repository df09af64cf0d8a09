"""The projects of a Rally environment, opened with its credentials."""

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale import retries
from rally_magnum_scale.bays import reading
from rally_magnum_scale.preflight import have
from tests.unit.preflight import fake_cloud
from tests.unit.task import fake_tenants


@pytest.fixture
def cloud():
    with fake_cloud.serve() as cloud, retries.patience(0.0):
        yield cloud


def test_users_of_one_project_share_its_quotas(cloud):
    users = [
        fake_tenants.credentials(cloud, project)
        for project in ("one", "two", "one")
    ]
    opened = have.Projects({"admin": None, "users": users})
    assert opened.existing == 2
    found = opened.open(False)
    assert [one.new for one in found] == [False, False]
    assert found[0].quota("nova", "cores").limit > 0
    assert opened.open(False) is found


def test_rally_creates_projects_as_the_administrator(cloud):
    admin = fake_tenants.credentials(cloud, "admin")
    opened = have.Projects({"admin": admin, "users": []})
    assert opened.existing == 0
    (found,) = opened.open(True)
    assert found.new
    assert found.quota("nova", "cores").limit > 0


def test_nobody_may_create_projects(cloud):
    users = [fake_tenants.credentials(cloud, "one")]
    for platform in ({}, {"admin": None, "users": users}):
        opened = have.Projects(platform)
        with pytest.raises(exceptions.InvalidInput, match="no administrator"):
            opened.open(True)


@pytest.mark.parametrize("status", [401, 503])
def test_a_login_that_fails(cloud, status):
    cloud.refuse["tokens"] = status
    admin = fake_tenants.credentials(cloud, "admin")
    opened = have.Projects({"admin": admin})
    with pytest.raises(reading.Unreadable, match=f"{status}"):
        opened.open(True)


def test_a_cloud_that_is_not_there():
    gone = fake_cloud.FakeCloud()
    gone.url = "http://127.0.0.1:1"
    admin = fake_tenants.credentials(gone, "admin")
    with pytest.raises(reading.Unreadable), retries.patience(0.0):
        have.Projects({"admin": admin}).open(True)
