"""What a task left behind is found by name, removed, or named."""

import logging

import pytest
from rally_openstack.task import scenario
from rally_openstack.task.cleanup import manager

from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.task.recovery import cleanup
from rally_magnum_scale.task.scenarios import base
from tests.unit.task import cloud_of_bays

OWNER = "0a1b2c3d-0000-0000-0000-000000000000"
MINE = "rms-0a1b2c3d-abcdefgh"
KINDS = ("clusters", "clustertemplates")


def clean(cloud):
    with cloud_of_bays.serve(cloud) as clients:
        manager.cleanup(
            names=[cleanup.SERVICE],
            admin_required=False,
            users=[{"credential": clients, "tenant_id": "t"}],
            superclass=scenario.OpenStackScenario,
            task_id=OWNER,
        )


def names(cloud):
    return {o["name"] for kind in KINDS for o in cloud.objects[kind].values()}


def test_only_resources_of_the_task_are_removed():
    own = base.BayScenario()
    own.get_owner_id = lambda: OWNER
    mine = own.generate_random_name()
    assert mine.startswith("rms-0a1b2c3d-")
    cloud = cloud_of_bays.Cloud()
    for kind in KINDS:
        for name in (mine, "rms-ffffffff-abcdefgh", "production"):
            cloud.add(kind, name)
    clean(cloud)
    assert names(cloud) == {"rms-ffffffff-abcdefgh", "production"}


def test_held_resources_are_left_to_their_context():
    cloud = cloud_of_bays.Cloud()
    held = [cloud.add(kind, MINE) for kind in KINDS]
    for uuid in held:
        cleanup.hold(uuid)
    clean(cloud)
    assert names(cloud) == {MINE}
    for uuid in held:
        cleanup.release(uuid)
    clean(cloud)
    assert names(cloud) == set()


def test_a_bay_whose_deletion_is_complete_was_not_left_behind(caplog):
    cloud = cloud_of_bays.Cloud()
    uuid = cloud.add("clusters", MINE)
    cloud.objects["clusters"][uuid]["status"] = "DELETE_COMPLETE"
    clean(cloud)
    assert "left behind" not in caplog.text
    assert names(cloud) == {MINE}


def test_a_bay_that_can_not_be_deleted_is_named(caplog):
    caplog.set_level(logging.ERROR)
    cloud = cloud_of_bays.Cloud(after_delete="DELETE_FAILED")
    cloud.add("clusters", MINE)
    clean(cloud)
    assert "could not be removed: port in use" in caplog.text


@pytest.mark.parametrize("nodes", [1, 1000])
def test_the_deadline_grows_with_the_bay(nodes):
    class Bay:
        node_count = nodes

    seconds = cleanup.BayManager(resource=Bay())._timeout
    assert seconds == deadlines.delete_s(nodes) > 600
