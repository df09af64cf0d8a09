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
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import certificates
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import deletion
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay import roster
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_scale import waiting
from tests.functional import host_state
from tests.functional import processes

# No sandbox has bays of these indexes, and each test process has its own.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
FIRST_INDEX = 240 + 3 * (WORKER % 3)
GROUP = f"{host_state.BY_HAND}-{WORKER}"
PODS = "/api/v1/namespaces/default/pods"
DAEMON_SETS = "/apis/apps/v1/namespaces/default/daemonsets"
# A loop, since kube-proxy may not have written its rules yet.
ASK = """
import os, time, urllib.request
for _ in range(300):
    try:
        url = "http://" + os.environ["TARGET"]
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
        module = "rally_magnum_sandbox.bay"
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

    def resize(self, node_count: int, **wish: Any) -> tuple[int, str]:
        (self.folder / "wish.json").write_text(
            json.dumps(self.wish(node_count, **wish))
        )
        return self.run("resize")

    def wish(self, node_count: int, **wish: Any) -> dict[str, Any]:
        number = files.read_json(self.folder / "wish.json").get("number", 0)
        return {
            "number": number + 1,
            "node_count": node_count,
            "real_nodes": 1,
            "remove": [],
        } | wish

    @property
    def update(self) -> dict[str, Any]:
        return json.loads((self.folder / "update.json").read_text())

    def nodes(self) -> dict[str, dict[str, Any]]:
        with self.client() as client:
            items = json.loads(client.get("/api/v1/nodes"))["items"]
        return {item["metadata"]["name"]: item for item in items}

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
        found = processes.find(self.spec.cgroup, program)
        assert found, f"no {program} in {self.folder}"
        return found[0].pid


@pytest.fixture
def before(tmp_path: Path) -> host_state.HostState:
    return host_state.capture(
        host_state.Owner(GROUP, tmp_path, range(FIRST_INDEX, FIRST_INDEX + 3))
    )


@pytest.fixture
def make_bay(
    tmp_path: Path, before: host_state.HostState
) -> Iterator[Callable[..., Bay]]:
    made: list[Bay] = []

    def make(index: int, **changes: Any) -> Bay:
        bay = Bay(tmp_path / f"bay-{index}")
        made.append(bay)
        bay.folder.mkdir()
        certificates.create_authority(bay.folder)
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
        "index": FIRST_INDEX + index,
        "node_count": 20,
        "real_nodes": 1,
        "kubernetes_binary": str(
            artifacts.ensure_kubernetes_binary(cache_dir, print)
        ),
        "image_store": str(artifacts.ensure_image(cache_dir, print)),
        "cgroup": f"{GROUP}/{number[:8]}",
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
    address = f"{address}:80"
    target = {
        "nginx": {"image": artifacts.NGINX_IMAGE},
        "itself": asking(address),
    }
    client.post(PODS, pod("target", target, {"app": "target"}))
    client.post(PODS, pod("other", {"ask": asking(address)}, {}))


def check_logs(client: api.ApiClient) -> None:
    for path in ("other/log", "target/log?container=itself"):

        def words(path: str = path) -> list[str] | None:
            said = client.get(f"{PODS}/{path}").split()
            return said if "uid" in said[:-1] else None

        log = eventually(words, f"the log {path}", 60)
        assert " ".join(log) == "nginx of the sandbox uid 1000"


def test_two_bays_at_once(
    before: host_state.HostState, make_bay: Callable[..., Bay]
) -> None:
    bays = [make_bay(1), make_bay(2, real_nodes=2)]
    makers = [bay.command("create") for bay in bays]
    for maker in makers:
        output, _ = maker.communicate(timeout=300)
        assert maker.returncode == 0, output
    for bay in bays:
        assert bay.status["status"] == "CREATE_COMPLETE"
        with bay.client() as client:
            nodes = json.loads(client.get("/api/v1/nodes"))["items"]
            run_pods(client)
        assert len(nodes) == 20
        assert all(map(api.is_ready, nodes))
    for bay in bays:
        with bay.client() as client:
            check_logs(client)
    for bay in bays:
        assert bay.run("delete") == (0, "")
        assert not bay.folder.exists()
        assert bay.run("delete") == (0, "")
    assert host_state.settle(before) == []


@pytest.mark.parametrize(
    "programs",
    [
        ("containerd", "kube-apiserver"),
        ("kubelet", "sleep"),
        *(
            pytest.param((program,), marks=pytest.mark.long)
            for program in ("containerd", "kubelet", "kube-apiserver", "sleep")
        ),
    ],
    ids=" and ".join,
)
def test_nothing_stays_of_a_bay_that_lost_parts(
    before: host_state.HostState,
    make_bay: Callable[..., Bay],
    programs: tuple[str, ...],
) -> None:
    bay = make_bay(1, node_count=3)
    code, output = bay.run("create")
    assert code == 0, output
    with bay.client() as client:
        run_pods(client)
        check_logs(client)
    for pid in [bay.pid_of(program) for program in programs]:
        os.kill(pid, signal.SIGKILL)
    assert bay.run("delete") == (0, "")
    assert host_state.settle(before) == []


# The nodes join after the last of these steps of making a bay.
@pytest.mark.parametrize(
    ("step", "killed"),
    [
        ("certificates", True),
        ("control_network", True),
        ("api_server", True),
        ("api_server", False),
        pytest.param("certificates", False, marks=pytest.mark.long),
        pytest.param("control_network", False, marks=pytest.mark.long),
    ],
)
def test_nothing_stays_of_a_bay_that_was_not_finished(
    before: host_state.HostState,
    make_bay: Callable[..., Bay],
    step: str,
    killed: bool,
) -> None:
    bay = make_bay(1, node_count=200)
    log = bay.folder / "bay.log"

    def reached() -> bool | None:
        return (log.exists() and f"  {step}: " in log.read_text()) or None

    with bay.command("create") as maker:
        waiting.wait_for(
            reached, what=f"the step {step}", deadline_s=120, interval_s=0.02
        )
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
    bay = make_bay(1, kubernetes_binary=str(broken))
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


def daemon_set(name: str, container: dict[str, Any]) -> dict[str, Any]:
    labels = {"app": name}
    template = pod(name, {name: container}, labels)
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": template["metadata"],
                "spec": template["spec"],
            },
        },
    }


def pods_of(client: api.ApiClient, app: str) -> list[dict[str, Any]]:
    found = client.get(f"{PODS}?labelSelector=app%3D{app}")
    return json.loads(found)["items"]


def running_on(
    client: api.ApiClient, app: str, count: int
) -> list[dict[str, Any]]:
    """Wait for that many pods of a DaemonSet, each on a node of its own."""

    def poll() -> list[dict[str, Any]]:
        pods = pods_of(client, app)
        ready = [x for x in pods if x["status"].get("podIP")]
        return ready if len(ready) == len(pods) == count else []

    pods = eventually(poll, f"{count} pods of {app}", 90)
    assert len({x["spec"]["nodeName"] for x in pods}) == count
    return pods


def check_pods_reach_each_other(
    client: api.ApiClient, name: str, targets: list[dict[str, Any]]
) -> None:
    """Ask each target from a pod on each real node."""
    for number, target in enumerate(targets):
        asker = asking(f"{target['status']['podIP']}:8080")
        client.post(DAEMON_SETS, daemon_set(f"{name}-{number}", asker))
    for number in range(len(targets)):
        for pod in running_on(client, f"{name}-{number}", len(targets)):
            path = f"{PODS}/{pod['metadata']['name']}/log"
            log = eventually(lambda p=path: client.get(p), path, 60)
            assert "nginx of the sandbox" in log


def test_pods_of_real_nodes_reach_each_other_and_a_removed_node_loses_them(
    make_bay: Callable[..., Bay],
) -> None:
    bay = make_bay(0, node_count=4, real_nodes=3)
    code, output = bay.run("create")
    assert code == 0, output
    with bay.client() as client:
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        eventually(lambda: client.get(account), "the service account", 60)
        nginx = {"image": artifacts.NGINX_IMAGE}
        client.post(DAEMON_SETS, daemon_set("nginx", nginx))
        old = running_on(client, "nginx", 3)
        addresses = [one["status"]["podIP"] for one in old]
        assert len({address.rpartition(".")[0] for address in addresses}) == 3
        check_pods_reach_each_other(client, "before", old)
        wish = {"real_nodes": 3, "remove": ["bay-0-node-0"]}
        code, output = bay.resize(4, **wish)
        assert code == 0, output
        new = running_on(client, "nginx", 3)
        nodes = {one["spec"]["nodeName"] for one in new}
        assert nodes == {"bay-0-node-1", "bay-0-node-2", "bay-0-node-3"}
        kept = {one["metadata"]["uid"] for one in old} & {
            one["metadata"]["uid"] for one in new
        }
        assert len(kept) == 2
        check_pods_reach_each_other(client, "after", new)


def test_a_bay_comes_to_the_size_that_is_wished(
    before: host_state.HostState, make_bay: Callable[..., Bay]
) -> None:
    bay = make_bay(0, node_count=4)
    assert bay.run("create")[0] == 0
    first = bay.nodes()
    code, output = bay.resize(6)
    assert code == 0, output
    assert bay.update["node_count"] == 6
    grown = bay.nodes()
    assert {"bay-0-hollow-0004", "bay-0-hollow-0005"} == set(grown) - set(
        first
    )
    # A real node comes back as a real one, with a name of its own.
    uid = grown["bay-0-hollow-0002"]["metadata"]["uid"]
    address = bay.status["node_addresses"][0]
    assert bay.resize(6, remove=[address, uid])[0] == 0
    replaced = bay.nodes()
    assert set(grown) - set(replaced) == {
        "bay-0-node-0",
        "bay-0-hollow-0002",
    }
    assert set(replaced) - set(grown) == {
        "bay-0-node-1",
        "bay-0-hollow-0006",
    }
    assert all(map(api.is_ready, replaced.values()))
    assert not (bay.folder / "node-0").exists()
    code, output = bay.resize(5, remove=["bay-0-node-0"])
    assert code == 1
    assert "'bay-0-node-0' is not in the bay" in output
    assert set(bay.nodes()) == set(replaced)
    assert bay.resize(0)[0] == 0
    assert bay.nodes() == {}
    assert bay.run("delete") == (0, "")
    assert host_state.settle(before) == []


def test_a_resize_that_was_killed_is_taken_up(
    before: host_state.HostState, make_bay: Callable[..., Bay]
) -> None:
    bay = make_bay(0, node_count=3)
    assert bay.run("create")[0] == 0
    for half_made in (False, True):
        kill_resize(bay, half_made=half_made)
        code, output = bay.resize(3)
        assert code == 0, output
        nodes = bay.nodes()
        assert len(nodes) == 3
        assert all(map(api.is_ready, nodes.values()))
        assert len(list(bay.folder.glob("node-[0-9]"))) == 1
    assert bay.run("delete") == (0, "")
    assert host_state.settle(before) == []


def kill_resize(bay: Bay, *, half_made: bool) -> None:
    """Kill a resize while it replaces the real node.

    :param half_made: wait until the new node is half made, instead of until
        the old one is half removed
    """
    (old,) = (m.number for m in roster.read(bay.folder).members)
    wish = bay.wish(3, remove=[f"{bay.folder.name}-node-{old}"])
    (bay.folder / "wish.json").write_text(json.dumps(wish))

    def begun() -> bool | None:
        members = roster.read(bay.folder).members
        half = [m.number != old for m in members if not m.whole]
        return half_made in half or None

    with bay.command("resize") as resizer:
        waiting.wait_for(
            begun, what="half a node", deadline_s=120, interval_s=0.02
        )
        os.killpg(resizer.pid, signal.SIGKILL)


def test_what_died_is_started_again(
    before: host_state.HostState, make_bay: Callable[..., Bay]
) -> None:
    bay = make_bay(0, node_count=3)
    assert bay.run("create")[0] == 0
    assert bay.run("repair") == (0, "")
    components = (
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kwok",
        "containerd",
        "kubelet",
        "kube-proxy",
    )
    for name in components:
        os.kill(bay.pid_of(name), signal.SIGKILL)
        code, output = bay.run("repair")
        assert code == 0, output
        assert f"restarted {name}" in output
        assert bay.pid_of(name)
    assert bay.run("repair") == (0, "")
    with bay.client() as client:
        run_pods(client)
        check_logs(client)
    nodes = bay.nodes()
    assert len(nodes) == 3
    assert all(map(api.is_ready, nodes.values()))
    # What has lost everything can only be deleted.
    cgroups.CgroupTree(bay.spec.cgroup).kill(10)
    code, output = bay.run("repair")
    assert code == 1
    assert "can't be repaired" in output
    assert "Delete the bay" in output
    assert bay.run("delete") == (0, "")
    assert host_state.settle(before) == []
