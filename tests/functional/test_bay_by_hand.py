"""Bays without Magnum: what runs in them, and that nothing stays of them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting
from rally_magnum_scale.sandbox import artifacts
from rally_magnum_scale.sandbox import settings as sandbox_settings
from rally_magnum_scale.sandbox.bay import api
from rally_magnum_scale.sandbox.bay import cgroups
from rally_magnum_scale.sandbox.bay import deletion
from rally_magnum_scale.sandbox.bay import spec as bay_spec
from tests import authority
from tests.functional import host_state

PODS = "/api/v1/namespaces/default/pods"
# A loop, since kube-proxy may not have written its rules yet.
ASK = """
import os, time, urllib.request
for _ in range(300):
    try:
        url = "http://" + os.environ["TARGET"] + ":80"
        print(urllib.request.urlopen(url, timeout=1).read().decode())
        print("uid", os.getuid())
        break
    except OSError:
        time.sleep(0.1)
"""


@dataclasses.dataclass(frozen=True)
class Bay:
    """A bay that a test makes with the commands that Magnum's driver runs."""

    folder: Path

    def command(self, name: str) -> subprocess.Popen[str]:
        module = "rally_magnum_scale.sandbox.bay"
        return subprocess.Popen(
            [sys.executable, "-m", module, name, str(self.folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, name: str) -> tuple[int, str]:
        with self.command(name) as process:
            output, _ = process.communicate(timeout=300)
            return process.returncode, output

    @property
    def spec(self) -> bay_spec.BaySpec:
        return bay_spec.read_spec(self.folder)

    @property
    def status(self) -> dict[str, Any]:
        return json.loads((self.folder / "status.json").read_text())

    @contextlib.contextmanager
    def client(self) -> Iterator[api.ApiClient]:
        client = api.ApiClient(
            self.spec.control_address, bay_spec.API_PORT, self.folder
        )
        try:
            yield client
        finally:
            client.close()

    def pid_of(self, program: str) -> int:
        for pid in cgroups.CgroupTree(self.spec.cgroup).pids():
            words = psutil.Process(pid).cmdline()[:2]
            if any(Path(word).name == program for word in words):
                return pid
        raise AssertionError(f"no {program} in {self.folder}")


@pytest.fixture
def before() -> host_state.HostState:
    return host_state.capture()


@pytest.fixture
def make_bay(
    tmp_path: Path, before: host_state.HostState
) -> Iterator[Callable[..., Bay]]:
    made: list[Bay] = []

    def make(index: int, **changes: Any) -> Bay:
        bay = Bay(tmp_path / f"bay-{index}")
        made.append(bay)
        bay.folder.mkdir()
        authority.write(bay.folder)
        (bay.folder / "spec.json").write_text(
            json.dumps(description(bay, index) | changes)
        )
        return bay

    yield make
    for bay in made:
        deletion.delete(bay.folder)


def description(bay: Bay, index: int) -> dict[str, Any]:
    cache_dir = sandbox_settings.from_environment().cache_dir
    number = str(uuid.uuid4())
    return {
        "name": bay.folder.name,
        "uuid": number,
        "index": index,
        "node_count": 20,
        "real_nodes": 1,
        "kubernetes_binary": str(
            artifacts.ensure_kubernetes_binary(cache_dir, print)
        ),
        "image_archive": str(artifacts.ensure_image(cache_dir, print)),
        "cgroup": f"rally-magnum-sandbox/{number[:8]}",
    }


def eventually(check: Callable[[], Any], what: str, deadline_s: float) -> Any:
    def poll() -> Any:
        try:
            return check() or None
        except exceptions.SandboxError:
            return None

    return waiting.wait_for(
        poll, what=what, deadline_s=deadline_s, interval_s=0.1
    )


def pod(
    name: str,
    containers: dict[str, dict[str, Any]],
    labels: dict[str, str],
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "enableServiceLinks": False,
            "containers": [
                {"name": key, "imagePullPolicy": "IfNotPresent", **value}
                for key, value in containers.items()
            ],
        },
    }


def asking(target: str) -> dict[str, Any]:
    return {
        "image": artifacts.LOCUST_IMAGE,
        "command": ["sh", "-c", 'python3 -c "$ASK"; exec sleep 3600'],
        "env": [
            {"name": "ASK", "value": ASK},
            {"name": "TARGET", "value": target},
        ],
        "securityContext": {"runAsUser": 1000, "runAsNonRoot": True},
    }


def run_pods(client: api.ApiClient) -> None:
    """Reach nginx by its Service from another pod and from its own."""
    account = "/api/v1/namespaces/default/serviceaccounts/default"
    eventually(lambda: client.get(account), "the service account", 30)
    client.post(
        "/api/v1/namespaces/default/services",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "target"},
            "spec": {
                "selector": {"app": "target"},
                "ports": [{"port": 80, "targetPort": 8080}],
            },
        },
    )
    service = client.get("/api/v1/namespaces/default/services/target")
    address = json.loads(service)["spec"]["clusterIP"]
    target = {
        "nginx": {"image": artifacts.NGINX_IMAGE},
        "itself": asking(address),
    }
    client.post(PODS, pod("target", target, {"app": "target"}))
    client.post(PODS, pod("other", {"ask": asking(address)}, {}))


def check_logs(client: api.ApiClient) -> None:
    for path in ("other/log", "target/log?container=itself"):
        log = eventually(
            lambda path=path: client.get(f"{PODS}/{path}"),
            f"the log {path}",
            60,
        )
        assert log.split("\n")[0] == "nginx of the sandbox"
        assert "uid 1000" in log


def test_two_bays_at_once(
    before: host_state.HostState, make_bay: Callable[..., Bay]
) -> None:
    bays = [make_bay(249), make_bay(250, real_nodes=2)]
    makers = [bay.command("create") for bay in bays]
    for maker in makers:
        output, _ = maker.communicate(timeout=300)
        assert maker.returncode == 0, output
    for bay in bays:
        assert bay.status["status"] == "CREATE_COMPLETE"
        assert bay.status["seconds"]["image_import"] > 0
        with bay.client() as client:
            nodes = json.loads(client.get("/api/v1/nodes"))["items"]
            run_pods(client)
        assert len(nodes) == 20
        assert all(map(api.is_ready, nodes))
    for bay in bays:
        with bay.client() as client:
            check_logs(client)
    for bay in bays:
        start = time.monotonic()
        assert bay.run("delete") == (0, "")
        assert time.monotonic() - start < 5
        assert not bay.folder.exists()
        assert bay.run("delete") == (0, "")
    assert host_state.settle(before) == []


@pytest.mark.parametrize(
    "program", ["containerd", "kubelet", "kube-apiserver", "sleep"]
)
def test_nothing_stays_of_a_bay_that_lost_a_part(
    before: host_state.HostState,
    make_bay: Callable[..., Bay],
    program: str,
) -> None:
    bay = make_bay(249, node_count=3)
    code, output = bay.run("create")
    assert code == 0, output
    with bay.client() as client:
        run_pods(client)
        check_logs(client)
    os.kill(bay.pid_of(program), signal.SIGKILL)
    assert bay.run("delete") == (0, "")
    assert host_state.settle(before) == []


@pytest.mark.parametrize("after_s", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("killed", [True, False])
def test_nothing_stays_of_a_bay_that_was_not_finished(
    before: host_state.HostState,
    make_bay: Callable[..., Bay],
    after_s: float,
    killed: bool,
) -> None:
    bay = make_bay(249, node_count=200)
    with bay.command("create") as maker:
        time.sleep(after_s)
        if killed:
            maker.kill()
        assert bay.run("delete") == (0, "")
        # Killed, or ended by itself since its parts were.
        assert maker.wait(10) != 0
    assert host_state.settle(before) == []


def test_a_failed_create_names_the_component_and_its_last_line(
    before: host_state.HostState, make_bay: Callable[..., Bay], tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no luck with $1 >&2\nexit 1\n")
    broken.chmod(0o755)
    bay = make_bay(249, kubernetes_binary=str(broken))
    code, output = bay.run("create")
    assert code == 1
    assert bay.status["status"] == "CREATE_FAILED"
    assert bay.status["reason"] in output
    found = re.search(
        r"^(\S+) of the bay ended; .* no luck with \1 ",
        bay.status["reason"],
    )
    assert found, bay.status["reason"]
    assert bay.run("delete") == (0, "")
    assert host_state.settle(before) == []
