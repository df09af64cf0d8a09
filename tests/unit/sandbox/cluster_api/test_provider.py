"""The provider against an API server on loopback; it starts no bay here."""

from __future__ import annotations

import base64
import contextlib
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import roster
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.cluster_api import cluster_bays
from rally_magnum_sandbox.cluster_api import flavors
from rally_magnum_sandbox.cluster_api import kinds
from rally_magnum_sandbox.cluster_api import provider
from tests.unit.sandbox.cluster_api import fake_management

CLUSTER = "ns/a"
UUID = "0123abcd-0000-0000-0000-000000000000"
OWNER = {"ownerReferences": [{"kind": "Cluster", "name": "a", "uid": "u"}]}


class Cloud:
    """A management cluster, the bays' folder and the provider.

    :param management: the API server
    :param settings: of the sandbox
    """

    def __init__(
        self,
        management: fake_management.FakeManagement,
        settings: sandbox_settings.Settings,
    ) -> None:
        self.management = management
        self.settings = settings

    @property
    def bay(self) -> Path:
        return self.settings.bays_dir / UUID[:8]

    @contextlib.contextmanager
    def provider(self, *, early: bool = True) -> Iterator[None]:
        running = provider.Provider(
            self.management.client,
            cluster_bays.ClusterBays(self.settings),
            early=early,
        )
        running.start()
        try:
            yield
        finally:
            self.management.close()
            running.close()

    def put_cluster(self, flavor: str = "") -> tuple[str, str]:
        """Create the objects of a Cluster; return their keys."""
        infrastructure = self.management.put(
            kinds.INFRASTRUCTURE, "a", metadata=OWNER
        )
        plane = self.management.put(
            kinds.CONTROL_PLANE,
            "a-control-plane",
            metadata=OWNER,
            spec={"flavor": flavor, "replicas": 3, "version": "v1.33.1"},
        )
        return infrastructure, plane

    def put_machine(self, flavor: str, **metadata: Any) -> str:
        metadata = {
            "labels": {kinds.CLUSTER_LABEL: "a"},
            "ownerReferences": [{"kind": "Machine", "name": "m"}],
            **metadata,
        }
        spec = {"flavor": flavor}
        return self.management.put(
            kinds.MACHINE, "m", metadata=metadata, spec=spec
        )

    def make_bay(self) -> None:
        """Write the folder of a bay whose control plane was created."""
        bays = cluster_bays.ClusterBays(self.settings)
        bays.reserve(CLUSTER, self.management.objects[SECRET])
        status = {"status": "CREATE_COMPLETE", "reason": ""}
        (self.bay / "status.json").write_text(json.dumps(status))
        (self.bay / "maker.kubeconfig").write_text("kubeconfig")
        spec = bay_spec.read_spec(self.bay)
        roster.write(self.bay, roster.of_new_bay(spec))

    def status(self, kind: kinds.Kind, key: str) -> dict[str, Any]:
        found = self.management.get(kind, key).get("status", {})
        return dict(found)

    def wait_until_released(self, kind: kinds.Kind, key: str) -> None:
        self.management.wait_for(
            lambda: (
                kinds.FINALIZER
                not in self.management.get(kind, key)["metadata"]["finalizers"]
            )
        )

    def wait_for_status(self, kind: kinds.Kind, key: str) -> dict[str, Any]:
        self.management.wait_for(lambda: bool(self.status(kind, key)))
        return self.status(kind, key)


SECRET = "/api/v1/namespaces/ns/secrets/a-ca"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    settings = sandbox_settings.Settings(tmp_path / "state", tmp_path / "c")
    settings.bays_dir.mkdir(parents=True)
    settings.artifacts_file.write_text(
        json.dumps({"kubernetes_binary": "/k", "image_store": "/i"})
    )
    folder = tmp_path / "certificates"
    folder.mkdir()
    with fake_management.serving(folder) as management:
        pem = base64.b64encode(b"pem").decode()
        metadata = {
            "name": "a-ca",
            "namespace": "ns",
            "uid": "s",
            "labels": {cluster_bays.UUID_LABEL: UUID},
        }
        secret = {
            "metadata": metadata,
            "data": {"tls.crt": pem, "tls.key": pem},
        }
        management.store(SECRET, secret)
        yield Cloud(management, settings)


def test_a_control_plane_that_never_comes_says_why(cloud: Cloud) -> None:
    infrastructure, plane = cloud.put_cluster(flavors.NO_CONTROL_PLANE)
    with cloud.provider():
        found = cloud.wait_for_status(kinds.INFRASTRUCTURE, infrastructure)
        assert found["initialization"] == {"provisioned": True}
        status = cloud.wait_for_status(kinds.CONTROL_PLANE, plane)
    assert "initialization" not in status
    ready = status["conditions"][0]
    assert (ready["status"], ready["reason"]) == ("False", "ScalingUp")
    assert ready["message"].startswith("No valid host was found.")
    item = cloud.management.get(kinds.INFRASTRUCTURE, infrastructure)
    endpoint = item["spec"]["controlPlaneEndpoint"]
    assert endpoint == {"host": "198.18.0.1", "port": 6443}
    spec = bay_spec.read_spec(cloud.bay)
    assert (spec.node_count, spec.uuid) == (0, UUID)
    assert spec.node_taints == (f"{kinds.UNINITIALIZED}:NoSchedule",)


def test_a_provider_that_was_restarted_knows_its_bays(cloud: Cloud) -> None:
    infrastructure, plane = cloud.put_cluster()
    cloud.make_bay()
    with cloud.provider():
        status = cloud.wait_for_status(kinds.CONTROL_PLANE, plane)
        found = cloud.wait_for_status(kinds.INFRASTRUCTURE, infrastructure)
    assert status["replicas"] == status["updatedReplicas"] == 3
    assert found["ready"] is True
    path = "/api/v1/namespaces/ns/secrets/a-kubeconfig"
    secret = cloud.management.objects[path]
    assert secret["stringData"] == {"value": "kubeconfig"}


def test_a_new_version_and_size_are_reported(cloud: Cloud) -> None:
    _, plane = cloud.put_cluster()
    cloud.make_bay()
    with cloud.provider():
        cloud.wait_for_status(kinds.CONTROL_PLANE, plane)
        change = {"spec": {"replicas": 5, "version": "v1.33.2"}}
        cloud.management.merge(kinds.CONTROL_PLANE.path_of(plane), change)
        cloud.management.wait_for(
            lambda: (
                cloud.status(kinds.CONTROL_PLANE, plane)["version"]
                == "v1.33.2"
            )
        )
    assert cloud.status(kinds.CONTROL_PLANE, plane)["replicas"] == 5


def test_a_bay_that_could_not_be_created_gives_its_reason(
    cloud: Cloud,
) -> None:
    _, plane = cloud.put_cluster()
    cloud.make_bay()
    status = {"status": "CREATE_FAILED", "reason": "etcd of the bay ended."}
    (cloud.bay / "status.json").write_text(json.dumps(status))
    with cloud.provider():
        found = cloud.wait_for_status(kinds.CONTROL_PLANE, plane)
    assert found["conditions"][0]["message"] == "etcd of the bay ended."


def test_real_providers_report_the_infrastructure_first(cloud: Cloud) -> None:
    infrastructure, plane = cloud.put_cluster()
    cloud.make_bay()
    # A bay that is still being created has no status.
    (cloud.bay / "status.json").write_text(
        json.dumps({"status": "CREATE_FAILED", "reason": "no"})
    )
    with cloud.provider(early=False):
        found = cloud.wait_for_status(kinds.INFRASTRUCTURE, infrastructure)
        cloud.wait_for_status(kinds.CONTROL_PLANE, plane)
    assert found["ready"] is True


def test_a_machine_that_never_boots_says_no_valid_host(cloud: Cloud) -> None:
    cloud.put_cluster()
    cloud.make_bay()
    machine = cloud.put_machine(flavors.NO_HOST)
    with cloud.provider():
        status = cloud.wait_for_status(kinds.MACHINE, machine)
    condition = status["conditions"][0]
    assert condition["status"] == "False"
    assert condition["reason"] == "InstanceCreateFailed"
    assert condition["message"] == flavors.NO_HOST_MESSAGE
    assert "initialization" not in status


def test_a_late_machine_is_provisioned_before_its_node_registers(
    cloud: Cloud,
) -> None:
    cloud.put_cluster()
    cloud.make_bay()
    now = datetime.datetime.now(datetime.UTC)
    machine = cloud.put_machine(
        flavors.LATE, creationTimestamp=f"{now:%Y-%m-%dT%H:%M:%SZ}"
    )
    with cloud.provider():
        status = cloud.wait_for_status(kinds.MACHINE, machine)
    assert status["initialization"] == {"provisioned": True}
    assert status["registered"] is False
    item = cloud.management.get(kinds.MACHINE, machine)
    assert item["metadata"]["finalizers"] == [kinds.FINALIZER]
    spec = bay_spec.read_spec(cloud.bay)
    wanted = bay_spec.provider_id(spec.machine("m"))
    assert item["spec"]["providerID"] == wanted


def test_one_machine_of_a_bay_becomes_real(cloud: Cloud) -> None:
    cloud.make_bay()
    bay = cluster_bays.ClusterBays(cloud.settings).find(CLUSTER)
    assert bay is not None
    assert bay.claim_real("a")
    assert bay.claim_real("a")
    assert not bay.claim_real("b")
    bay.drop_claim("b")
    assert not bay.claim_real("b")
    bay.drop_claim("a")
    assert bay.claim_real("b")
    grown, member = roster.read(cloud.bay).with_member("b")
    roster.write(cloud.bay, grown)
    again = cluster_bays.ClusterBays(cloud.settings).find(CLUSTER)
    assert again is not None
    assert not again.claim_real("a")
    assert again.claim_real("b")
    node = member.node(again.spec())
    assert (node.name, node.folder.name) == ("b", "node-0")
    assert node.machine == again.spec().machine("b")


def test_a_machine_without_an_owner_waits(cloud: Cloud) -> None:
    cloud.put_cluster()
    cloud.make_bay()
    alone = cloud.put_machine(flavors.NO_HOST, ownerReferences=[])
    other = cloud.management.put(
        kinds.MACHINE,
        "other",
        metadata={
            "labels": {kinds.CLUSTER_LABEL: "a"},
            "ownerReferences": [{"kind": "Machine", "name": "other"}],
        },
        spec={"flavor": flavors.NO_HOST},
    )
    with cloud.provider():
        cloud.wait_for_status(kinds.MACHINE, other)
    assert cloud.status(kinds.MACHINE, alone) == {}


def test_a_control_plane_goes_after_the_machines(cloud: Cloud) -> None:
    deleted = {
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "finalizers": [kinds.FINALIZER],
    }
    machine = cloud.put_machine(flavors.REAL, **deleted)
    plane = cloud.management.put(
        kinds.CONTROL_PLANE, "a-control-plane", metadata=OWNER | deleted
    )
    path = kinds.CONTROL_PLANE.path_of(plane)
    with cloud.provider():
        cloud.wait_until_released(kinds.MACHINE, machine)
        assert ("PATCH", path) not in cloud.management.requests
        cloud.management.remove(kinds.MACHINE.path_of(machine))
        cloud.wait_until_released(kinds.CONTROL_PLANE, plane)


def test_the_finalizers_of_others_stay(cloud: Cloud) -> None:
    machine = cloud.put_machine(
        flavors.REAL,
        deletionTimestamp="2026-01-01T00:00:00Z",
        finalizers=[kinds.FINALIZER, "other"],
    )
    with cloud.provider():
        cloud.wait_until_released(kinds.MACHINE, machine)
    item = cloud.management.get(kinds.MACHINE, machine)
    assert item["metadata"]["finalizers"] == ["other"]


@pytest.mark.parametrize("text", ["yes", ""])
def test_early_is_0_or_1(text: str) -> None:
    with pytest.raises(
        sandbox_settings.exceptions.InvalidInput, match="EARLY"
    ):
        sandbox_settings.from_environment(
            {sandbox_settings.EARLY_VARIABLE: text}
        )
