"""A load in a real bay, through all that can happen to its connections."""

from __future__ import annotations

import dataclasses
import datetime
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import credentials
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats.steps import Step
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.kube import renewal
from rally_magnum_scale.kube import watching
from rally_magnum_scale.runs import bay_life
from rally_magnum_scale.runs import load
from rally_magnum_scale.workload import pod_options
from rally_magnum_scale.workload.load_spec import LoadSpec
from tests.functional import processes
from tests.functional.conftest import Sandbox
from tests.unit import loads
from tests.unit.kube import tcp_proxy

NODES = 4


@dataclasses.dataclass(frozen=True)
class Bay:
    """A bay of Magnum's, with one real node.

    :param nodes: as Kubernetes showed them
    :param own: how to reach its API
    :param folder: of the sandbox's driver
    """

    nodes: list[node_list.Node]
    own: credentials.BayCredentials
    folder: Path

    @property
    def address(self) -> tuple[str, int]:
        """Where its API listens."""
        parts = urlsplit(self.own.api_address)
        assert parts.hostname
        assert parts.port
        return parts.hostname, parts.port

    def pid_of(self, *words: str) -> int:
        """Return the process of the bay whose arguments are these."""
        group = bay_spec.read_spec(self.folder).cgroup
        found = processes.find(group, *words)
        assert found, f"no {words} in {self.folder}"
        return found[0].pid

    def repair(self) -> None:
        """Start again what of it has died."""
        module = "rally_magnum_sandbox.bay"
        subprocess.run(
            [sys.executable, "-m", module, "repair", str(self.folder)],
            check=True,
            capture_output=True,
            timeout=180,
        )


@pytest.fixture(scope="module")
def bay(sandbox: Sandbox) -> Iterator[Bay]:
    secrets = secrets_file.ensure(sandbox.settings.state_dir)
    session = openstack.admin_session(sandbox.settings, secrets)
    bays = lifecycle.Bays(lifecycle.connect(session, None, "public"), print)
    name = f"connections-{uuid.uuid4().hex[:8]}"
    life = bay_life.BayLife(bays, lifecycle.BayRequest(name, NODES), print)
    try:
        made = life.create()
        life.wait_for_nodes(life.connect(made))
        yield Bay(
            life.nodes,
            bays.credentials(made),
            bay_folder.Bays(sandbox.settings.bays_dir)
            .bay(life.record.uuid)
            .folder,
        )
    finally:
        life.delete()


def connect(bay: Bay, port: int | None = None) -> Any:
    own = bay.own
    address = f"https://127.0.0.1:{port}" if port else own.api_address
    return client.connect(
        address, own.ca_pem, own.certificate_pem, own.key_pem
    )


def spec_of(*steps: Step, **changes: Any) -> LoadSpec:
    return loads.load_spec(
        *steps,
        source=records.Source(uuid.uuid4().hex, 1, "b"),
        **{
            "connections_per_worker": 4,
            "locust_image": artifacts.LOCUST_IMAGE,
            "nginx_image": artifacts.NGINX_IMAGE,
            **changes,
        },
    )


def run(
    bay: Bay,
    cluster: client.KubeClient,
    spec: LoadSpec,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[records.Run, list[str]]:
    """Run a load to its end, and remove it whatever happens."""
    said: list[str] = []

    def hear(line: str) -> None:
        said.append(line)
        print(line)  # noqa: T201
        report(line)

    running = load.Load(cluster, spec, bay.nodes, hear)
    try:
        if spec.pull_ahead:
            running.pull()
        running.deploy()
        running.run()
    finally:
        running.remove()
    return records.collect(running.all_records()), said


def check_whole(run: records.Run, spec: LoadSpec) -> None:
    """Nothing is missing: each window came, and every answer is counted."""
    assert run.end is not None
    assert run.throughput is not None
    assert run.end.windows == len(run.windows) >= spec.traffic.plan.total_s
    assert not [one for one in run.end.reasons if "came" in one]
    assert sum(one.requests for one in run.windows) == run.end.requests > 0
    if not run.end.failures:
        counted = run.throughput.requests_counted_by_targets
        assert counted == run.end.requests


def test_no_window_is_lost_by_cuts_and_a_killed_api_server(bay: Bay) -> None:
    spec = spec_of(Step(200, 18, 2))
    steady = threading.Event()

    def note(line: str) -> None:
        if "steady" in line:
            steady.set()

    def kill() -> None:
        assert steady.wait(300)
        os.kill(bay.pid_of("kube-apiserver"), signal.SIGKILL)
        bay.repair()

    killer = threading.Thread(target=kill)
    with (
        tcp_proxy.proxy(bay.address, cut_every_s=2.0, how="rst") as proxy,
        connect(bay, proxy.port) as cluster,
    ):
        killer.start()
        found, _ = run(bay, cluster, spec, note)
        killer.join()
        assert proxy.cuts >= 5
    check_whole(found, spec)


@pytest.mark.parametrize(
    "how", [pytest.param("fin", marks=pytest.mark.long), "silence"]
)
def test_no_window_is_lost_by_cuts(bay: Bay, how: str) -> None:
    spec = spec_of(Step(200, 12))
    with (
        tcp_proxy.proxy(bay.address, cut_every_s=3.0, how=how) as proxy,
        connect(bay, proxy.port) as cluster,
    ):
        found, _ = run(bay, cluster, spec)
        assert proxy.cuts >= 3
    check_whole(found, spec)


def test_every_option_reaches_the_pods(bay: Bay) -> None:
    quantities = {"cpu": "1", "memory": "256Mi"}
    options = {
        "requests": {"cpu": "10m"},
        "limits": quantities,
        "node_selector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
    }
    spec = spec_of(
        Step(200, 5, 1),
        targets=2,
        processes_per_worker=2,
        target_processes=1,
        target_address="pod",
        pull_ahead=True,
        spread="required",
        image_pull_secret='{"auths": {}}',
        pods=pod_options.read_all(
            dict.fromkeys(("target", "worker", "master"), options)
        ),
    )
    with connect(bay) as cluster:
        found, said = run(bay, cluster, spec)
    check_whole(found, spec)
    summary = found.throughput
    assert summary
    assert found.end
    assert found.end.workers_connected == 2
    assert summary.processes_per_worker == 2
    assert summary.target_address == "pod"
    assert summary.nodes_with_pods == 1
    assert summary.cores_pods == min(3.0, summary.cores_real_nodes or 0)
    assert summary.pull_s
    assert summary.deploy_s
    assert "1 nodes have both images" in said


def test_an_image_that_can_not_be_pulled_is_told_ahead(bay: Bay) -> None:
    spec = spec_of(
        Step(1, 1), pull_ahead=True, nginx_image="127.0.0.1:1/none:1"
    )
    with (
        connect(bay) as cluster,
        pytest.raises(exceptions.WorkloadError, match="refused") as caught,
    ):
        run(bay, cluster, spec)
    assert "127.0.0.1:1/none:1" in str(caught.value)


def test_a_worker_that_never_connects_is_told(bay: Bay) -> None:
    # Python does not fit: it is killed, and so is the one after it.
    pods = pod_options.read_all({"worker": {"limits": {"memory": "12Mi"}}})
    spec = spec_of(Step(10, 1), pods=pods)
    with (
        connect(bay) as cluster,
        pytest.raises(exceptions.WorkloadError, match="Locust workers"),
    ):
        run(bay, cluster, spec)


def issue(bay: Bay, life_s: float) -> tuple[str, str]:
    """Sign a client certificate with the bay's own authority."""
    authority = x509.load_pem_x509_certificate(
        (bay.folder / "ca.crt").read_bytes()
    )
    signer: Any = serialization.load_pem_private_key(
        (bay.folder / "ca.key").read_bytes(), None
    )
    key = ec.generate_private_key(ec.SECP256R1())
    names = {
        NameOID.COMMON_NAME: "admin",
        NameOID.ORGANIZATION_NAME: "system:masters",
    }
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(
            x509.Name([x509.NameAttribute(*one) for one in names.items()])
        )
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(seconds=life_s))
        .sign(signer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(
        pem,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(pem).decode(), secret.decode()


@pytest.mark.parametrize("ahead", [True, False])
def test_a_watch_outlives_its_certificate(
    bay: Bay, ahead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not ahead:
        # Only when the API says 401.
        monkeypatch.setattr(renewal, "_LEFT_RATIO", -1000.0)
    life_s = 5.0
    given: list[float] = []

    def renew() -> tuple[str, str]:
        given.append(life_s)
        return issue(bay, 300.0)

    namespace = f"renewal-{uuid.uuid4().hex[:6]}"
    with (
        client.connect(
            bay.own.api_address,
            bay.own.ca_pem,
            *issue(bay, life_s),
            renew=renew,
        ) as cluster,
        connect(bay) as other,
    ):
        changes = watching.watch(cluster.core.list_namespace)
        assert namespace not in (next(changes) or {})
        end_s = time.monotonic() + life_s + 2
        while time.monotonic() < end_s:
            next(changes)
        body = {"metadata": {"name": namespace}}
        other.core.create_namespace(body)
        try:
            for _ in range(20):
                if namespace in (next(changes) or {}):
                    break
            else:
                pytest.fail("the watch did not see the new namespace")
        finally:
            other.core.delete_namespace(namespace)
        changes.close()
    assert len(given) == 1
