"""What drivers of Magnum can do."""

import pytest

from rally_magnum_scale.bays import drivers
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.preflight import needs
from rally_magnum_scale.preflight import objects
from rally_magnum_scale.preflight import plan

HEAT = "k8s_fedora_coreos_v1"
CAPI_HELM = "k8s_capi_helm_v1"
CLUSTER_API = "k8s_cluster_api_ubuntu"
VOLUME = {"docker_volume_size": 10}


def check(driver, *asks, template=(), asked=False):
    request = lifecycle.BayRequest(name="", nodes=2)
    planned = plan.BayPlan(request, 1, 1, capabilities=asks)
    bay = needs.Bay(planned, dict(template), driver, volume_requested=asked)
    return list(objects.check_driver(bay))


@pytest.mark.parametrize("driver", ["", HEAT, CAPI_HELM, "other"])
def test_a_task_that_only_creates_bays_needs_no_capability(driver):
    assert check(driver) == []


@pytest.mark.parametrize(
    ("driver", "capability", "verdict"),
    [
        (HEAT, drivers.RESIZE, "enough"),
        (HEAT, drivers.RESIZE_NODE_GROUP, "enough"),
        (HEAT, drivers.REPLACE_NODES, "enough"),
        (CAPI_HELM, drivers.RESIZE, "enough"),
        (CAPI_HELM, drivers.RESIZE_NODE_GROUP, "enough"),
        (CAPI_HELM, drivers.REPLACE_NODES, "short"),
        (CLUSTER_API, drivers.RESIZE, "enough"),
        (CLUSTER_API, drivers.RESIZE_NODE_GROUP, "enough"),
        (CLUSTER_API, drivers.REPLACE_NODES, "short"),
        ("other", drivers.REPLACE_NODES, "unknown"),
        ("", drivers.RESIZE, "unknown"),
    ],
)
def test_what_a_task_asks_of_a_driver(driver, capability, verdict):
    (row,) = check(driver, capability)
    assert row.verdict == verdict
    assert capability in row.what
    assert bool(row.change) is (verdict != "enough")


@pytest.mark.parametrize(
    ("driver", "asked", "verdict"),
    [
        (HEAT, True, "enough"),
        (CLUSTER_API, True, "enough"),
        (CAPI_HELM, True, "short"),
        (CAPI_HELM, False, "unknown"),
        ("other", True, "unknown"),
    ],
)
def test_a_volume_that_a_driver_ignores(driver, asked, verdict):
    (row,) = check(driver, template=VOLUME, asked=asked)
    assert row.verdict == verdict
