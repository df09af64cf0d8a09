"""Bays by a driver of others: magnum-capi-helm with Cluster API."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import TypeVar

import pytest
from keystoneauth1 import adapter

from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import processes
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.cluster_api import flavors
from rally_magnum_sandbox.cluster_api import kinds
from rally_magnum_sandbox.cluster_api import management
from rally_magnum_sandbox.cluster_api import management_objects
from rally_magnum_sandbox.cluster_api import objects
from rally_magnum_scale import waiting
from tests.functional import conftest
from tests.functional import test_in_bay
from tests.functional import test_sandbox
from tests.functional import test_tasks

T = TypeVar("T")
MACHINES = "/apis/cluster.x-k8s.io/v1beta2/machines"
DEADLINE_S = 240
GONE = "GONE"


class Cloud:
    """Magnum with the driver, and the management cluster.

    :param sandbox: with the driver
    :param folder: for the kubeconfigs of bays
    """

    def __init__(self, sandbox: conftest.Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.magnum: adapter.Adapter = sandbox.magnum()
        self.made: list[str] = []
        self._folder = folder
        self._management = management_objects.open_client(sandbox.settings)

    def close(self) -> None:
        for bay in self.made:
            self.delete(bay)
        self._management.close()

    def create(self, nodes: int, **changes: str) -> str:
        body = {
            "name": f"capi-{uuid.uuid4().hex[:6]}",
            "cluster_template_id": openstack.CAPI_HELM_TEMPLATE.name,
            "node_count": nodes,
            "master_count": 1,
            "flavor_id": flavors.HOLLOW,
            **changes,
        }
        bay = str(self.magnum.post("/clusters", json=body).json()["uuid"])
        self.made.append(bay)
        return bay

    def get(self, bay: str) -> dict[str, Any]:
        found = test_sandbox.get(self.magnum, bay)
        return {"status": GONE} if found is None else found

    def resize(self, bay: str, nodes: int) -> None:
        url = f"/clusters/{bay}/actions/resize"
        self.magnum.post(url, json={"node_count": nodes})

    def delete(self, bay: str) -> None:
        self.magnum.delete(f"/clusters/{bay}", raise_exc=False)
        self.wait_for_status(bay, GONE)

    def wait_for_status(self, bay: str, status: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.get(bay)
            return found if found.get("status") == status else None

        return wait_for(look, f"{bay} to be {status}", lambda: self.get(bay))

    def nodes(self, bay: str) -> dict[str, dict[str, Any]]:
        """Return the bay's nodes by their names, as its user sees them."""
        found = self.get(bay)
        items = test_sandbox.nodes(self.magnum, found, self._folder)
        return {item["metadata"]["name"]: item for item in items}

    def usable(self, bay: str) -> set[str]:
        """Return the names of the nodes that are Ready and initialized."""
        return {
            name
            for name, node in self.nodes(bay).items()
            if api.is_ready(node) and not waits_for_core(node)
        }

    def wait_until_usable(self, bay: str, count: int) -> set[str]:
        def look() -> set[str] | None:
            found = self.usable(bay)
            whole = len(self.nodes(bay)) == len(found) == count
            return found if whole else None

        return wait_for(
            look, f"{count} usable nodes of {bay}", lambda: self.nodes(bay)
        )

    def lose(self, bay: str, node: str) -> None:
        """Delete the machine of a node, as its cloud would lose it."""
        for machine in self.objects(kinds.MACHINE.path):
            if machine["metadata"]["name"] == node:
                key = objects.key_of(machine)
                self._management.delete(kinds.MACHINE.path_of(key))

    def wait_until_healed(self, bay: str, lost: str, count: int) -> set[str]:
        """Wait until another node has taken the place of a lost one."""

        def look() -> set[str] | None:
            found = self.usable(bay)
            healed = lost not in found and len(found) == count
            return found if healed else None

        return wait_for(
            look, f"{lost} to be replaced", lambda: self.nodes(bay)
        )

    def status(self) -> str:
        return self.sandbox.command("status").stdout

    def machines(self, bay: str) -> list[dict[str, Any]]:
        """List the Machines of a bay."""
        cluster = self.get(bay)["stack_id"]
        return [
            item
            for item in self.objects(MACHINES)
            if item["spec"]["clusterName"] == cluster
        ]

    def objects(self, path: str) -> list[dict[str, Any]]:
        """List objects of the management cluster."""
        found = self._management.find(path)
        return list(found["items"]) if found else []


def waits_for_core(node: dict[str, Any]) -> bool:
    taints = node["spec"].get("taints", [])
    return any(taint["key"].endswith("/uninitialized") for taint in taints)


def wait_for(
    look: Callable[[], T | None], what: str, state: Callable[[], object]
) -> T:
    return waiting.wait_for(
        look,
        what=what,
        deadline_s=DEADLINE_S,
        interval_s=conftest.LOOK_EVERY_S,
        progress=lambda: str(state())[:2000],
        sleep=time.sleep,
    )


@pytest.fixture(scope="module")
def cloud(
    sandbox: conftest.Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """The sandbox with the driver, and without it again afterwards."""
    done = sandbox.command("up", "--driver", "capi-helm", deadline_s=2400)
    assert done.returncode == 0, done.stdout + done.stderr
    try:
        folder = tmp_path_factory.mktemp("kubeconfigs")
        with contextlib.closing(Cloud(sandbox, folder)) as found:
            yield found
    finally:
        # Other tests expect a cloud with one template.
        sandbox.down()
        sandbox.up()


def test_our_plugin_creates_a_bay_and_runs_a_load_in_it(
    cloud: Cloud, tmp_path: Path
) -> None:
    sandbox = cloud.sandbox
    with (
        test_in_bay.user_environment(sandbox, tmp_path) as environment,
        test_in_bay.keeping(
            sandbox,
            environment,
            tmp_path,
            nodes=2,
            bay_template=openstack.CAPI_HELM_TEMPLATE.name,
            extra_args={"flavor": flavors.REAL},
        ) as kept,
    ):
        assert f"\n{kept.name}-" in sandbox.command("status").stdout
        ran = test_tasks.start(
            sandbox,
            "throughput-in-bay.json",
            {**test_in_bay.SMALL, "bay": kept.name},
            environment=environment,
        )
        test_in_bay.assert_ran(ran)
        (run,) = ran.runs()
        assert run.bay is not None
        assert (run.bay.nodes_real, run.bay.nodes_hollow) == (2, 0)


def test_machines_are_scaled_healed_and_deleted(cloud: Cloud) -> None:
    bay = cloud.create(3)
    cloud.wait_for_status(bay, "CREATE_COMPLETE")
    first = cloud.wait_until_usable(bay, 3)
    assert {node.rpartition("-")[0] for node in first} == {
        f"{cloud.get(bay)['stack_id']}-default-worker-{hash_of(first)}"
    }
    cloud.resize(bay, 5)
    grown = cloud.wait_until_usable(bay, 5)
    assert first < grown
    cloud.resize(bay, 4)
    shrunk = cloud.wait_until_usable(bay, 4)
    assert shrunk < grown
    lost = min(shrunk)
    cloud.lose(bay, lost)
    healed = cloud.wait_until_healed(bay, lost, 4)
    assert shrunk - {lost} < healed
    cluster = cloud.get(bay)["stack_id"]
    cloud.delete(bay)
    for path in (MACHINES, *(kind.path for kind in kinds.ALL)):
        names = [item["metadata"]["name"] for item in cloud.objects(path)]
        assert not [name for name in names if name.startswith(cluster)]
    assert not (cloud.sandbox.settings.bays_dir / bay[:8]).exists()


def hash_of(nodes: set[str]) -> str:
    """Return the part of the names that is their MachineSet's."""
    return min(nodes).split("-")[-2]


def test_a_driver_can_be_complete_without_a_node(cloud: Cloud) -> None:
    bay = cloud.create(2, flavor_id=flavors.NO_HOST)
    cloud.wait_for_status(bay, "CREATE_COMPLETE")
    assert cloud.nodes(bay) == {}
    machines = cloud.machines(bay)
    assert len(machines) == 2
    for machine in machines:
        conditions = {c["type"]: c for c in machine["status"]["conditions"]}
        found = conditions["InfrastructureReady"]
        assert found["status"] == "False"
        assert flavors.NO_HOST_MESSAGE in found["message"]
    cloud.delete(bay)


def test_a_control_plane_that_never_comes_stays_in_progress(
    cloud: Cloud,
) -> None:
    bay = cloud.create(1, master_flavor_id=flavors.NO_CONTROL_PLANE)

    def failed() -> dict[str, Any] | None:
        planes = cloud.objects(kinds.CONTROL_PLANE.path)
        conditions = [
            condition
            for plane in planes
            for condition in plane.get("status", {}).get("conditions", [])
            if condition["status"] == "False"
        ]
        return next(iter(conditions), None)

    found = wait_for(failed, "the control plane", lambda: cloud.get(bay))
    assert found["message"] == flavors.NO_HOST_MESSAGE
    assert cloud.get(bay)["status"] == "CREATE_IN_PROGRESS"
    assert f"{cloud.get(bay)['stack_id']} " in cloud.status()
    cloud.delete(bay)


def test_a_node_that_core_does_not_find_is_never_usable(cloud: Cloud) -> None:
    bay = cloud.create(1, flavor_id=flavors.UNINITIALIZED)
    cloud.wait_for_status(bay, "CREATE_COMPLETE")

    def ready() -> dict[str, Any] | None:
        nodes = cloud.nodes(bay).values()
        return next((node for node in nodes if api.is_ready(node)), None)

    node = wait_for(ready, f"the node of {bay}", lambda: cloud.nodes(bay))
    assert waits_for_core(node)
    cloud.delete(bay)


def test_a_bay_goes_on_after_its_provider_was_killed(cloud: Cloud) -> None:
    bay = cloud.create(3)
    settings = cloud.sandbox.settings
    processes.end(settings, management.PROVIDER)
    assert "8 of 9 servers up" in cloud.status()
    done = cloud.sandbox.command("up")
    assert done.returncode == 0, done.stdout + done.stderr
    cloud.wait_for_status(bay, "CREATE_COMPLETE")
    cloud.wait_until_usable(bay, 3)
    cloud.delete(bay)
