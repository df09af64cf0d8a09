"""The sandbox cloud by itself: comes, heals, makes bays, goes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1 import session as keystone_session
from keystoneauth1.identity import v3

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import processes
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.artifacts import given_binaries
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_scale import waiting
from tests.functional import host_state
from tests.functional import processes as in_groups
from tests.functional.conftest import LOOK_EVERY_S
from tests.functional.conftest import PROGRAM
from tests.functional.conftest import Sandbox
from tests.functional.conftest import magnum_api


@pytest.fixture
def magnum(sandbox: Sandbox) -> Iterator[Any]:
    """Magnum as a plain user, in a project of its own."""
    secrets = secrets_file.ensure(sandbox.settings.state_dir)
    admin = openstack.admin_session(sandbox.settings, secrets)
    keystone = openstack.Keystone(admin, sandbox.settings.keystone_url)
    name = f"test-{uuid.uuid4().hex[:8]}"
    project = keystone.ensure("project", name, domain_id="default")
    user = keystone.ensure(
        "user", name, domain_id="default", password="secret"
    )
    member = keystone.ensure("role", "member")
    keystone.grant(f"projects/{project}", user, member)
    login = v3.Password(
        auth_url=sandbox.settings.keystone_url,
        username=name,
        password="secret",
        project_id=project,
        user_domain_id="default",
    )
    session = keystone_session.Session(auth=login, timeout=60)
    api = magnum_api(session, sandbox.settings)
    yield api
    with contextlib.suppress(keystone_errors.ConnectFailure):
        for bay in api.get("/clusters").json()["clusters"]:
            delete(api, bay["uuid"])


def create(api: Any, nodes: int, labels: dict[str, str] | None = None) -> str:
    """Ask for a bay; return its uuid."""
    body = {
        "name": f"bay-{uuid.uuid4().hex[:6]}",
        "cluster_template_id": openstack.TEMPLATE,
        "node_count": nodes,
        "master_count": 1,
    }
    if labels:
        body["labels"] = labels
        body["merge_labels"] = True
    return str(api.post("/clusters", json=body).json()["uuid"])


def get(api: Any, bay: str) -> Any:
    """Read a bay; None when it is gone, {} when it is not complete yet."""
    answer = api.get(f"/clusters/{bay}", raise_exc=False)
    if answer.status_code == 404:
        return None
    return answer.json() if answer.status_code == 200 else {}


def wait_while(api: Any, bay: str, status: str) -> Any:
    """Wait until a bay is there and has left a status; return it.

    Magnum answers a create before its conductor has made the bay, which
    is not to be found until then.
    """

    def poll() -> Any:
        found = get(api, bay) or {}
        return found if found.get("status") not in (status, None) else None

    return waiting.wait_for(
        poll,
        what=f"bay {bay} to leave {status}",
        deadline_s=180,
        interval_s=LOOK_EVERY_S,
        sleep=time.sleep,
    )


def delete(api: Any, bay: str) -> Any:
    """Delete a bay and wait; None when it is gone, the bay when it failed.

    Magnum answers before it has noted the wish, so that the status read
    next may be the earlier one.
    """
    before = get(api, bay)
    if api.delete(f"/clusters/{bay}", raise_exc=False).status_code == 404:
        return None

    def poll() -> tuple[Any] | None:
        found = get(api, bay)
        failed = found and found.get("status") == "DELETE_FAILED"
        if found is None or (failed and found != before):
            return (found,)
        return None

    return waiting.wait_for(
        poll,
        what=f"bay {bay} to be deleted",
        deadline_s=180,
        interval_s=LOOK_EVERY_S,
        sleep=time.sleep,
    )[0]


def ready_nodes(api: Any, bay: Any, folder: Path) -> list[str]:
    """List a bay's Ready nodes with a certificate that Magnum signs."""
    return [
        node["metadata"]["name"]
        for node in nodes(api, bay, folder)
        if any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in node["status"].get("conditions", [])
        )
    ]


def nodes(api: Any, bay: Any, folder: Path) -> list[Any]:
    """Read a bay's nodes with a certificate that Magnum signs."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "admin"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"),
        ]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    request = builder.sign(key, hashes.SHA256())
    pem = request.public_bytes(serialization.Encoding.PEM).decode()
    body = {"cluster_uuid": bay["uuid"], "csr": pem}
    signed = api.post("/certificates", json=body).json()["pem"]
    authority = api.get(f"/certificates/{bay['uuid']}").json()["pem"]
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pair = folder / f"{bay['uuid']}.pem"
    pair.write_text(secret.decode() + signed)
    context = ssl.create_default_context(cadata=authority)
    context.load_cert_chain(pair)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=context),
    )
    with opener.open(bay["api_address"] + "/api/v1/nodes") as answer:
        return list(json.load(answer)["items"])


def test_a_second_up_starts_nothing(sandbox: Sandbox) -> None:
    before = [each["pid"] for each in status(sandbox)["servers"]]
    done = sandbox.command("up")
    assert done.returncode == 0, done.stderr
    assert "up already" in done.stdout
    assert [each["pid"] for each in status(sandbox)["servers"]] == before


def status(sandbox: Sandbox) -> dict[str, Any]:
    """Read what ``status --json`` says."""
    done = sandbox.command("status", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def server(sandbox: Sandbox, name: str) -> dict[str, Any]:
    """Read what ``status`` says of one server."""
    return next(x for x in status(sandbox)["servers"] if x["name"] == name)


def test_status_shows_each_server(sandbox: Sandbox) -> None:
    found = status(sandbox)
    assert found["up"]
    assert found["hidden"] == []
    assert found["cache_bytes"] > 10**8
    assert found["state_bytes"] > 10**6
    names = ["postgres", "keystone", "magnum", "stub"]
    assert [x["name"] for x in found["servers"]] == names
    for each in found["servers"]:
        assert each["up"]
        assert each["memory_bytes"] > 10**6
        assert psutil.Process(each["pid"]).is_running()
        port = each["address"].rpartition(":")[2]
        assert processes.listening(int(port))
    lines = sandbox.command("status").stdout.splitlines()
    for name in names:
        (row,) = [line.split() for line in lines if line.startswith(name)]
        assert row[1] == "up"


def test_another_user_sees_what_there_is_and_what_is_hidden(
    sandbox: Sandbox,
) -> None:
    # Imported first: another user may not reach the interpreter's files.
    script = (
        "import os, sys; from rally_magnum_sandbox import cli, status, "
        "status_text; os.setuid(65534); sys.exit(cli.main(['status']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    assert "4 of 4 servers up" in done.stdout
    assert "with sudo to see them" in done.stdout


def test_run_gives_exit_status_and_signals(sandbox: Sandbox) -> None:
    assert sandbox.run("sh", "-c", "exit 7").returncode == 7
    killed = sandbox.run("sh", "-c", "kill -TERM $$")
    assert killed.returncode == -signal.SIGTERM


def test_rally_finds_the_cloud(sandbox: Sandbox) -> None:
    done = sandbox.run("rally", "env", "check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_rallys_users_and_quotas_work(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    quotas = {"nova": {"cores": 800}, "cinder": {"volumes": 10}}
    workload = {
        "scenario": {"Authenticate.keystone": {}},
        "runner": {"serial": {"times": 1}},
        "contexts": {
            "users@openstack": {"tenants": 1, "users_per_tenant": 1},
            "quotas@openstack": {**quotas, "neutron": {"port": -1}},
        },
    }
    subtask = {"title": "one", "workloads": [workload]}
    task = {"version": 2, "title": "users", "subtasks": [subtask]}
    file = tmp_path / "task.json"
    file.write_text(json.dumps(task))
    done = sandbox.run("rally", "task", "start", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "has 0 error(s)" in done.stdout


def test_two_bays_at_once_as_a_plain_user(
    sandbox: Sandbox, magnum: Any, tmp_path: Path
) -> None:
    bays = [create(magnum, 5), create(magnum, 3)]
    for bay, nodes in zip(bays, (5, 3), strict=True):
        found = wait_while(magnum, bay, "CREATE_IN_PROGRESS")
        assert found["status"] == "CREATE_COMPLETE", found["status_reason"]
        assert len(ready_nodes(magnum, found, tmp_path)) == nodes
        assert found["coe_version"] == artifacts.built_version()
        assert found["node_addresses"]
    shown = {each["uuid"]: each for each in status(sandbox)["bays"]}
    for bay, nodes in zip(bays, (5, 3), strict=True):
        seen = shown[bay]
        assert seen["status"] == "CREATE_COMPLETE"
        assert (seen["nodes"], seen["real_nodes"]) == (nodes, 1)
        assert seen["memory_bytes"] > 10**8
        assert seen["api_port"] == 6443
        assert delete(magnum, bay) is None


def test_a_bay_may_be_deleted_before_anything_of_it_is_made(
    magnum: Any,
) -> None:
    """Magnum shows a bay before its driver is asked to make it."""
    for _ in range(2):
        bay = create(magnum, 5)
        waiting.wait_for(
            lambda bay=bay: get(magnum, bay),
            what="the bay to be shown",
            deadline_s=30,
            interval_s=0.01,
        )
        assert delete(magnum, bay) is None


def test_a_bay_may_be_deleted_while_it_is_made(
    sandbox: Sandbox, magnum: Any
) -> None:
    bay = create(magnum, 5)
    waiting.wait_for(
        lambda: "CREATE_IN_PROGRESS" in sandbox.command("status").stdout,
        what="the bay to be begun",
        deadline_s=30,
        interval_s=0.2,
    )
    assert delete(magnum, bay) is None
    assert not (sandbox.settings.bays_dir / bay[:8]).exists()


def test_a_fault_is_shown_as_the_reason(magnum: Any) -> None:
    labels = {"sandbox_fail_create": "no valid host was found"}
    bay = create(magnum, 2, labels)
    found = wait_while(magnum, bay, "CREATE_IN_PROGRESS")
    assert found["status"] == "CREATE_FAILED"
    assert found["status_reason"] == "no valid host was found"
    assert delete(magnum, bay) is None


def test_a_delete_that_fails_can_be_repeated(magnum: Any) -> None:
    labels = {
        "sandbox_fail_create": "broken",
        "sandbox_fail_delete": "volume is in use",
    }
    bay = create(magnum, 2, labels)
    wait_while(magnum, bay, "CREATE_IN_PROGRESS")
    found = delete(magnum, bay)
    assert found["status"] == "DELETE_FAILED"
    assert found["status_reason"] == "volume is in use"
    assert delete(magnum, bay) is None


def test_a_label_that_is_wrong_fails_the_create(magnum: Any) -> None:
    bay = create(magnum, 2, {"sandbox_real_nodes": "many"})
    found = wait_while(magnum, bay, "CREATE_IN_PROGRESS")
    assert found["status"] == "CREATE_FAILED"
    assert "sandbox_real_nodes is 'many'" in found["status_reason"]
    assert delete(magnum, bay) is None


def test_a_maker_that_is_killed_fails_the_create(
    sandbox: Sandbox, magnum: Any
) -> None:
    bay = create(magnum, 5)
    notes = sandbox.settings.bays_dir / bay[:8] / "magnum.json"

    def maker() -> int | None:
        found = json.loads(notes.read_text()) if notes.exists() else {}
        return found["maker"]["pid"] if "maker" in found else None

    pid = waiting.wait_for(
        maker, what="the bay to be begun", deadline_s=30, interval_s=0.05
    )
    os.kill(pid, signal.SIGKILL)
    found = wait_while(magnum, bay, "CREATE_IN_PROGRESS")
    assert found["status"] == "CREATE_FAILED"
    assert "exited without a result" in found["status_reason"]
    assert delete(magnum, bay) is None


@pytest.mark.parametrize(
    "name",
    [
        "magnum",
        "postgres",
        pytest.param("keystone", marks=pytest.mark.long),
        pytest.param("stub", marks=pytest.mark.long),
    ],
)
def test_up_heals_a_killed_server_and_keeps_its_data(
    sandbox: Sandbox, magnum: Any, name: str
) -> None:
    bay = create(magnum, 1, {"sandbox_fail_create": "kept"})
    wait_while(magnum, bay, "CREATE_IN_PROGRESS")
    process = processes.find(sandbox.settings, name)
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    waiting.wait_for(
        lambda: not process.alive() or None,
        what="the server to be gone",
        deadline_s=10,
        interval_s=0.05,
    )
    assert not server(sandbox, name)["up"]
    assert not status(sandbox)["up"]
    sandbox.up()
    assert get(magnum, bay)["status_reason"] == "kept"
    assert delete(magnum, bay) is None


def component(sandbox: Sandbox, bay: str, name: str) -> psutil.Process:
    """Find a component of a bay."""
    found = in_groups.find(f"{sandbox.settings.bays_cgroup}/{bay[:8]}", name)
    assert found, f"no {name} in {bay}"
    return found[0]


# The other parts are started again in the same way: see the tests of a bay
# by hand.
@pytest.mark.parametrize(
    "names",
    [
        ("kube-apiserver", "kubelet"),
        pytest.param(
            (
                "etcd",
                "kube-controller-manager",
                "kube-scheduler",
                "kwok",
                "containerd",
                "kube-proxy",
            ),
            marks=pytest.mark.long,
        ),
    ],
    ids=["two", "the others"],
)
def test_up_heals_parts_of_a_bay(
    sandbox: Sandbox, magnum: Any, tmp_path: Path, names: tuple[str, ...]
) -> None:
    bay = create(magnum, 3)
    found = wait_while(magnum, bay, "CREATE_IN_PROGRESS")
    assert found["status"] == "CREATE_COMPLETE", found["status_reason"]
    for name in names:
        victim = component(sandbox, bay, name)
        victim.kill()
        psutil.wait_procs([victim], timeout=10)
        done = sandbox.command("up")
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"restarted {name}" in done.stdout
        assert component(sandbox, bay, name).pid != victim.pid
        assert len(ready_nodes(magnum, found, tmp_path)) == 3
    done = sandbox.command("up")
    assert "up already" in done.stdout
    assert "restarted" not in done.stdout
    assert delete(magnum, bay) is None


@pytest.mark.parametrize("command", ["up", "prepare", "down", "purge"])
@pytest.mark.parametrize(
    "variable",
    [sandbox_settings.STATE_VARIABLE, sandbox_settings.CACHE_VARIABLE],
)
def test_somebody_elses_folder_is_never_touched(
    sandbox: Sandbox, tmp_path: Path, command: str, variable: str
) -> None:
    if (command, variable) == ("down", sandbox_settings.CACHE_VARIABLE):
        pytest.skip("down has nothing to do with the cache")
    (tmp_path / "thesis.txt").write_text("years")
    done = elsewhere(command, variable, tmp_path)
    assert done.returncode == 1
    assert f"The folder {tmp_path} is not the sandbox's" in done.stderr
    assert [x.name for x in tmp_path.iterdir()] == ["thesis.txt"]
    assert status(sandbox)["up"]


def elsewhere(
    command: str, variable: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run the command with one of its folders elsewhere."""
    return subprocess.run(
        [PROGRAM, command],
        env=os.environ | {variable: str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_purge_removes_the_cache_and_says_what_came_free(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    # Links to the real one, which would take ten minutes to make again.
    cache = tmp_path / "cache"
    subprocess.run(
        ["cp", "-al", sandbox.settings.cache_dir, cache], check=True
    )
    for lock in cache.glob("*lock"):
        # Not the real one, which other sandboxes take.
        lock.unlink()
        lock.touch()
    notes = (".json", ".lock", ".flock")
    built = {
        path
        for path in sandbox.settings.cache_dir.iterdir()
        if path.suffix not in notes
    }
    try:
        done = elsewhere("purge", sandbox_settings.CACHE_VARIABLE, cache)
        assert done.returncode == 0, done.stdout + done.stderr
        assert not cache.exists()
        assert not sandbox.settings.state_dir.exists()
        assert re.search(r"freed \S+ (GB|MB) of disk space", done.stdout)
        assert "kept these Debian packages" in done.stdout
        assert built <= {*sandbox.settings.cache_dir.iterdir()}
        assert host_state.settle(sandbox.before) == []
    finally:
        sandbox.up()


def test_bays_are_made_of_binaries_that_are_given(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    given = tmp_path / "official binaries"
    given.mkdir()
    binary = artifacts.ensure_kubernetes_binary(
        sandbox.settings.cache_dir, print
    )
    for name in given_binaries.COMPONENTS:
        (given / name).symlink_to(binary)
    sandbox.down()
    try:
        done = sandbox.command("up", "--kubernetes-binaries", str(given))
        assert done.returncode == 0, done.stdout + done.stderr
        assert (
            f"Kubernetes {artifacts.built_version()} from {given}"
            in done.stdout
        )
        # It holds until `down`.
        sandbox.up()
        api = sandbox.magnum()
        bay = create(api, 3)
        found = wait_while(api, bay, "CREATE_IN_PROGRESS")
        assert found["status"] == "CREATE_COMPLETE", found["status_reason"]
        for name in given_binaries.COMPONENTS:
            program = component(sandbox, bay, name).cmdline()[0]
            assert program == str(given / name)
        assert delete(api, bay) is None
    finally:
        sandbox.down()
        sandbox.up()


def test_up_heals_a_sandbox_that_lost_everything(
    sandbox: Sandbox, magnum: Any
) -> None:
    bay = create(magnum, 1, {"sandbox_fail_create": "kept"})
    wait_while(magnum, bay, "CREATE_IN_PROGRESS")
    for pid in cgroups.processes(sandbox.settings.cloud_cgroup):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    sandbox.up()
    assert status(sandbox)["up"]
    assert get(magnum, bay)["status_reason"] == "kept"
    assert delete(magnum, bay) is None


def test_down_leaves_nothing_whatever_was_killed(sandbox: Sandbox) -> None:
    api = sandbox.magnum()
    bays = [create(api, 4), create(api, 200)]
    found = wait_while(api, bays[0], "CREATE_IN_PROGRESS")
    assert found["status"] == "CREATE_COMPLETE", found["status_reason"]
    named = ("containerd", "postgres", "python", "python3", "kubernetes")
    killed = 0
    for process in in_groups.find(sandbox.settings.cgroup):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.name().split("-")[0] in named:
                process.kill()
                killed += 1
    assert killed
    sandbox.down()
    try:
        assert not sandbox.settings.state_dir.exists()
        assert host_state.settle(sandbox.before) == []
        sandbox.down()
    finally:
        sandbox.up()
