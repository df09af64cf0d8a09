"""What a task left behind is found by name, removed, or named."""

import logging

import pytest
from keystoneauth1 import noauth
from keystoneauth1 import session
from rally_openstack.task import scenario
from rally_openstack.task.cleanup import manager

from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.task import cleanup
from rally_magnum_scale.task.scenarios import base
from tests.unit import loopback

OWNER = "0a1b2c3d-0000-0000-0000-000000000000"


class Clients:
    """As much of rally-openstack's clients as the managers use."""

    def __init__(self, url):
        self.keystone = self
        self.credential = self
        self.region_name = None
        self.endpoint_type = "public"
        self._session = session.Session(auth=noauth.NoAuth(endpoint=url))

    def get_session(self):
        return self._session, None

    def clients(self):
        return self

    def close(self):
        self._session.session.close()


class Cloud:
    """Clusters and templates that go when they are deleted."""

    def __init__(self, names, after_delete=None):
        self.after_delete = after_delete
        self.deleted = []
        self.objects = {
            kind: {f"{kind}-{name}": name for name in names}
            for kind in ("clusters", "clustertemplates")
        }

    def answer(self, method, path, _body):
        kind, _, uuid = path.split("?")[0].strip("/").partition("/")
        if not uuid:
            found = [self._show(u, n) for u, n in self.objects[kind].items()]
            return 200, {kind: found}
        if uuid not in self.objects[kind]:
            return 404, {"errors": [{"status": 404, "title": "gone"}]}
        if method == "DELETE":
            self.deleted.append(uuid)
            if self.after_delete is None:
                del self.objects[kind][uuid]
            return 204, None
        return 200, self._show(uuid, self.objects[kind][uuid])

    def _show(self, uuid, name):
        return {
            "uuid": uuid,
            "name": name,
            "node_count": 200,
            "status": self.after_delete or "CREATE_COMPLETE",
            "status_reason": "port in use",
        }


def clean(cloud):
    with loopback.serve(cloud.answer) as url:
        clients = Clients(url)
        try:
            manager.cleanup(
                names=[cleanup.SERVICE],
                admin_required=False,
                users=[{"credential": clients, "tenant_id": "t"}],
                superclass=scenario.OpenStackScenario,
                task_id=OWNER,
            )
        finally:
            clients.close()


def test_what_the_task_made_is_removed_and_nothing_else():
    own = base.BayScenario()
    own.get_owner_id = lambda: OWNER
    mine = own.generate_random_name()
    assert mine.startswith("rms-0a1b2c3d-")
    cloud = Cloud([mine, "rms-ffffffff-abcdefgh", "production"])
    clean(cloud)
    assert sorted(cloud.deleted) == [
        f"clusters-{mine}",
        f"clustertemplates-{mine}",
    ]


def test_a_bay_that_can_not_be_deleted_is_named(caplog):
    caplog.set_level(logging.ERROR)
    cloud = Cloud(["rms-0a1b2c3d-abcdefgh"], after_delete="DELETE_FAILED")
    cloud.objects["clustertemplates"] = {}
    clean(cloud)
    assert "could not be removed: port in use" in caplog.text


@pytest.mark.parametrize("nodes", [1, 1000])
def test_the_deadline_grows_with_the_bay(nodes):
    class Bay:
        node_count = nodes

    seconds = cleanup.BayManager(resource=Bay())._timeout
    assert seconds == deadlines.delete_s(nodes) > 600
