"""Loads in bays that are there already, and bays that are kept."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import signal
import stat
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import kubernetes.stream
import pytest
from keystoneauth1 import adapter

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import secrets_file
from rally_magnum_scale import waiting
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import objects
from rally_magnum_scale.kube import pods
from rally_magnum_scale.workload import manifests
from rally_magnum_scale.workload import nginx
from tests.functional import conftest
from tests.functional import test_tasks
from tests.unit import loads

IN_BAY = json.loads(
    (test_tasks.SAMPLES / "args/sandbox-in-bay.json").read_text()
)
SMALL = {
    **IN_BAY,
    "bays": {"nodes": 2, "count": 2, "concurrency": 2},
    "steps": [{"rate_rps": 200, "duration_s": 4, "ramp_s": 1}],
    "times": 1,
    "min_rps": 190,
    "min_rps_per_core": 1,
    "p99_ms": 2000,
    "max_create_s": 300,
    "max_nodes_ready_s": 300,
}
READ = (
    "import sys, urllib.request;"
    "print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode(),"
    " end='')"
)
# Without administrator: nothing that only one may do.
AS_USER = {"users": {}, "quotas": False, "bay_quotas": False}


@dataclasses.dataclass(frozen=True)
class Kept:
    """A bay that a task has left.

    :param environment: of Rally, with the user whose bay it is
    :param ran: the task
    """

    name: str
    environment: str
    kubeconfig: Path
    ran: test_tasks.Ran

    def namespaces(self) -> list[str]:
        """Return the namespaces of loads in the bay."""
        with client.connect_kubeconfig(str(self.kubeconfig)) as cluster:
            found = cluster.core.list_namespace().items
        names = [each.metadata.name for each in found]
        return [name for name in names if name.startswith("rms-")]


@contextlib.contextmanager
def rally_environment(
    sandbox: conftest.Sandbox, folder: Path, spec: object
) -> Iterator[str]:
    """Make an environment of Rally for the length of the tests."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    create = ["--name", name, "--spec", str(path), "--no-use"]
    made = sandbox.rally("env", "create", *create)
    assert made.returncode == 0, made.stdout + made.stderr
    try:
        yield name
    finally:
        sandbox.rally("env", "delete", name, "--force")


@contextlib.contextmanager
def existing_user(sandbox: conftest.Sandbox) -> Iterator[dict[str, str]]:
    """Make a project with a user, as Rally's specification names them."""
    secrets = secrets_file.ensure(sandbox.settings.state_dir)
    session = openstack.admin_session(sandbox.settings, secrets)
    url = sandbox.settings.keystone_url
    keystone = openstack.Keystone(session, url)
    name, password = f"test-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
    project = keystone.ensure("project", name, domain_id="default")
    user = keystone.ensure(
        "user", name, domain_id="default", password=password
    )
    for role in openstack.ROLES:
        keystone.grant(
            f"projects/{project}", user, keystone.ensure("role", role)
        )
    try:
        yield {
            "username": name,
            "password": password,
            "project_name": name,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
    finally:
        api = adapter.Adapter(session, endpoint_override=url)
        api.delete(f"/users/{user}")
        api.delete(f"/projects/{project}")


@contextlib.contextmanager
def user_environment(sandbox: conftest.Sandbox, folder: Path) -> Iterator[str]:
    """Make an environment with a user that exists, and no administrator."""
    with existing_user(sandbox) as user:
        cloud = {
            "auth_url": sandbox.settings.keystone_url,
            "region_name": openstack.REGION,
            "users": [user],
        }
        spec = {"existing@openstack": cloud}
        with rally_environment(sandbox, folder, spec) as name:
            yield name


@pytest.fixture(scope="module")
def environment(
    sandbox: conftest.Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An environment with a user that exists, and no administrator."""
    folder = tmp_path_factory.mktemp("environment")
    with user_environment(sandbox, folder) as name:
        yield name


@pytest.fixture(scope="module")
def no_openstack(
    sandbox: conftest.Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """An environment that knows of no cloud."""
    folder = tmp_path_factory.mktemp("no-openstack")
    with rally_environment(sandbox, folder, {}) as name:
        yield name


@contextlib.contextmanager
def keeping(
    sandbox: conftest.Sandbox,
    environment: str,
    folder: Path,
    **arguments: object,
) -> Iterator[Kept]:
    """Have a task make a bay and keep it; delete it at the end."""
    ran = test_tasks.start(
        sandbox,
        "create-and-delete.json",
        {
            "nodes": 3,
            "keep_bay": True,
            "max_create_s": 300,
            **AS_USER,
            **arguments,
        },
        environment=environment,
        folder=folder,
    )
    assert ran.status == 0, ran.said
    (run,) = ran.runs()
    assert run.bay is not None
    magnum = sandbox.magnum()
    path = f"/clusters/{run.bay.uuid}"
    try:
        yield Kept(
            run.bay.name,
            environment,
            folder / f"{run.bay.name}.kubeconfig",
            ran,
        )
    finally:
        magnum.delete(path)
        waiting.wait_for(
            lambda: (
                magnum.get(path, raise_exc=False).status_code == 404 or None
            ),
            what="the kept bay to be gone",
            deadline_s=120,
            sleep=time.sleep,
        )


@pytest.fixture(scope="module")
def kept(
    sandbox: conftest.Sandbox,
    environment: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Kept]:
    """A bay that a task made and kept; deleted at the end."""
    folder = tmp_path_factory.mktemp("kept")
    with keeping(sandbox, environment, folder) as found:
        yield found


def assert_ran(ran: test_tasks.Ran) -> None:
    """Look at whether all loads ran; the rate is another test's matter."""
    assert ran.errors == [], ran.said
    runs = ran.runs()
    assert runs
    for run in runs:
        assert run.end is not None
        assert run.end.windows == len(run.windows)
        assert run.end.requests > 500
        assert run.end.failures == {}


def test_bays_of_the_context_serve_iterations_at_once(
    sandbox: conftest.Sandbox,
) -> None:
    bounds = {"max_create_s": 0.1}
    ran = test_tasks.start(
        sandbox,
        "throughput-in-bay.json",
        {**SMALL, **bounds, "times": 2, "concurrency": 2},
    )
    assert_ran(ran)
    # How long the context took is judged too.
    assert ran.status != 0
    assert not ran.sla["bay_create_time"]["success"], ran.sla
    assert ran.sla["node_ready_time"]["success"], ran.sla
    runs = ran.runs()
    used = {run.bay.name for run in runs if run.bay}
    assert len(used) == 2
    for run in runs:
        assert {bay.name for bay in run.bays} == used
        assert {bay.made_by for bay in run.bays} == {"context"}
        assert all(bay.create_s for bay in run.bays)
    assert not any(name in line for name in used for line in _bays(sandbox))


def _bays(sandbox: conftest.Sandbox) -> list[str]:
    return sandbox.command("status").stdout.splitlines()


def test_a_kept_bay_says_how_to_use_and_to_delete_it(kept: Kept) -> None:
    assert f"kubectl --kubeconfig {kept.kubeconfig}" in kept.ran.said
    assert f"openstack coe cluster delete {kept.name}" in kept.ran.said
    mode = stat.S_IMODE(kept.kubeconfig.stat().st_mode)
    assert mode == 0o600
    (run,) = kept.ran.runs()
    assert run.bay is not None
    assert run.bay.status == "CREATE_COMPLETE"
    assert run.bay.delete_s is None


def test_a_load_runs_in_a_bay_by_its_name(
    sandbox: conftest.Sandbox, kept: Kept
) -> None:
    ran = test_tasks.start(
        sandbox,
        "throughput-in-bay.json",
        {**SMALL, "bay": kept.name, "times": 2, "concurrency": 2},
        environment=kept.environment,
    )
    assert_ran(ran)
    for run in ran.runs():
        assert run.bay is not None
        assert (run.bay.made_by, run.bay.name) == ("named", kept.name)
        assert (run.bay.nodes_real, run.bay.nodes_hollow) == (1, 2)
    assert kept.namespaces() == []


def test_a_load_needs_no_openstack_with_a_kubeconfig(
    sandbox: conftest.Sandbox, kept: Kept, no_openstack: str
) -> None:
    ran = test_tasks.start(
        sandbox,
        "throughput-in-bay.json",
        {**SMALL, "kubeconfig": str(kept.kubeconfig)},
        environment=no_openstack,
    )
    assert_ran(ran)
    (run,) = ran.runs()
    assert run.bay is not None
    assert run.bay.made_by == "kubeconfig"
    assert run.bay.name == kept.name
    assert run.bay.nodes == 3
    assert kept.namespaces() == []


def was_generator_held_up(run: records.Run) -> bool:
    """Tell whether the machine was too busy for the load."""
    assert run.throughput is not None
    return any(
        reason.startswith("the load generator")
        for step in run.throughput.steps
        for reason in step.reasons
    )


HALF_OF_IT_IS_REFUSED = """
from locust import HttpUser, constant_throughput, task

class Asker(HttpUser):
    wait_time = constant_throughput(10)

    @task
    def ask(self):
        self.client.get("/")
        # nginx answers any path but one with this in it.
        self.client.get("/%00")
"""
OWN_FILE = {
    **json.loads(
        (test_tasks.SAMPLES / "args/sandbox-own-locust-file.json").read_text()
    ),
    "locust_users": 20,
    "duration_s": 5,
    "ramp_s": 1,
    "min_rps": 150,
    "p99_ms": 2000,
}


def test_targets_serve_ipv6_beside_ipv4(kept: Kept) -> None:
    plain = loads.load_spec(
        source=records.Source(str(uuid.uuid4()), 1, kept.name),
        nginx_image=artifacts.NGINX_IMAGE,
        image_pull_policy="Never",
        targets=1,
    )
    namespace = plain.names.namespace
    with client.connect_kubeconfig(str(kept.kubeconfig)) as cluster:
        objects.create(cluster, manifests.namespace(plain))
        try:
            objects.create(cluster, manifests.targets(plain, "fd00::1"))
            (target,) = pods.wait_for_ready(
                cluster,
                namespace,
                plain.selector("target"),
                1,
                what="targets",
                deadline_s=60,
            )
            for address in ("127.0.0.1", "[::1]"):
                url = f"http://{address}:{nginx.PORT}/"
                process = kubernetes.stream.stream(
                    cluster.core.connect_get_namespaced_pod_exec,
                    target["metadata"]["name"],
                    namespace,
                    command=["python3", "-c", READ, url],
                    stdout=True,
                    stderr=True,
                    _preload_content=False,
                )
                process.run_forever(timeout=30)
                assert process.read_all() == "rally-magnum-scale\n"
                process.sock.shutdown()
        finally:
            objects.delete_namespace(cluster, namespace, deadline_s=120)


def test_a_locust_file_makes_the_load(
    sandbox: conftest.Sandbox, kept: Kept, no_openstack: str
) -> None:
    ran = test_tasks.start(
        sandbox,
        "own-locust-file.json",
        {**OWN_FILE, "kubeconfig": str(kept.kubeconfig), "workers": 2},
        environment=no_openstack,
    )
    assert_ran(ran)
    (run,) = ran.runs()
    assert run.end is not None
    assert run.throughput is not None
    (step,) = run.throughput.steps
    assert step.offered_rps is None
    if not was_generator_held_up(run):
        assert step.reasons == []
        assert ran.status == 0, ran.said
    assert all(one.workers == 2 for one in run.windows[:6])
    # The targets also answered what came before the plan began.
    counted = run.throughput.requests_counted_by_targets
    assert counted is not None
    assert counted >= run.end.requests
    assert kept.namespaces() == []


def test_what_a_locust_file_calls_a_failure_is_judged(
    sandbox: conftest.Sandbox, kept: Kept, no_openstack: str, tmp_path: Path
) -> None:
    path = tmp_path / "asker.py"
    path.write_text(HALF_OF_IT_IS_REFUSED)
    ran = test_tasks.start(
        sandbox,
        "own-locust-file.json",
        {
            **OWN_FILE,
            "kubeconfig": str(kept.kubeconfig),
            "locust_file": str(path),
        },
        environment=no_openstack,
    )
    assert ran.status != 0
    assert not ran.sla["request_errors"]["success"]
    (run,) = ran.runs()
    assert run.end is not None
    assert [*run.end.failures] == ["http_error"]
    assert run.end.failures["http_error"] == pytest.approx(
        run.end.requests, rel=0.1
    )


def test_a_load_that_fails_leaves_the_bay_as_it_was(
    sandbox: conftest.Sandbox, kept: Kept, no_openstack: str
) -> None:
    ran = test_tasks.start(
        sandbox,
        "throughput-in-bay.json",
        {
            **SMALL,
            "kubeconfig": str(kept.kubeconfig),
            "nginx_image": "localhost/nowhere:1",
        },
        environment=no_openstack,
    )
    assert ran.status != 0
    assert "localhost/nowhere:1" in ran.errors[0]
    assert not ran.sla["request_rate"]["success"]
    assert kept.namespaces() == []


def test_ctrl_c_leaves_the_bay_as_it_was(
    sandbox: conftest.Sandbox, kept: Kept, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    steps = [{"rate_rps": 200, "duration_s": 300, "ramp_s": 1}]
    arguments = {
        **SMALL,
        "kubeconfig": str(kept.kubeconfig),
        "steps": steps,
    }
    with test_tasks.started(
        sandbox, "throughput-in-bay.json", arguments, said
    ) as process:
        test_tasks.wait_for_words(said, "steady: 200 rps offered")
        assert len(kept.namespaces()) == 1
        os.kill(test_tasks.rally_pid(process), signal.SIGINT)
        status = process.wait(180)
    assert status != 0, said.read_text()
    assert kept.namespaces() == []


FAILING_RATE = r"^(FAILS|INVALID|NO DATA) +request_rate"


def disturbed(
    sandbox: conftest.Sandbox,
    kept: Kept,
    said: Path,
    disturb: Callable[[], None],
) -> str:
    """Run a load and disturb its generator; return the table."""
    arguments = {
        **SMALL,
        "kubeconfig": str(kept.kubeconfig),
        "steps": [{"rate_rps": 500, "duration_s": 15, "ramp_s": 1}],
        "min_rps": 1,
    }
    with test_tasks.started(
        sandbox, "throughput-in-bay.json", arguments, said
    ) as process:
        test_tasks.wait_for_words(said, "steady: 500 rps offered")
        disturb()
        status = process.wait(240)
    text = said.read_text()
    assert status != 0, text
    table = test_tasks.export(
        sandbox, test_tasks.task_of(text), "magnum-scale-table"
    )
    assert re.search(FAILING_RATE, table, re.MULTILINE), table
    assert kept.namespaces() == []
    return table


def test_a_generator_that_is_late_makes_the_run_invalid(
    sandbox: conftest.Sandbox, kept: Kept, tmp_path: Path
) -> None:
    def disturb() -> None:
        (worker,) = test_tasks.in_pods(sandbox, "--worker")
        worker.suspend()
        time.sleep(1)
        worker.resume()

    table = disturbed(sandbox, kept, tmp_path / "said", disturb)
    assert "the load generator" in table


@pytest.mark.parametrize(
    ("role", "words"),
    [("--worker", "worker"), ("--master", "Locust master ended before")],
)
def test_a_dead_part_of_the_generator_is_never_a_result(
    sandbox: conftest.Sandbox,
    kept: Kept,
    tmp_path: Path,
    role: str,
    words: str,
) -> None:
    def disturb() -> None:
        for victim in test_tasks.in_pods(sandbox, role):
            victim.kill()

    table = disturbed(sandbox, kept, tmp_path / "said", disturb)
    assert words in table, table


def test_a_bay_that_is_not_there_is_said(
    sandbox: conftest.Sandbox, environment: str
) -> None:
    ran = test_tasks.start(
        sandbox,
        "throughput-in-bay.json",
        {**SMALL, "bay": "nowhere"},
        environment=environment,
    )
    assert ran.status != 0
    assert "'nowhere'" in ran.errors[0]


def test_a_bay_is_not_kept_for_a_tenant_that_goes(
    sandbox: conftest.Sandbox,
) -> None:
    done = sandbox.rally(
        *test_tasks.command(
            "create-and-delete.json", {"nodes": 1, "keep_bay": True}
        )
    )
    assert done.returncode != 0
    assert "keep_bay: the bay would be deleted with the tenant" in done.stdout


def test_a_load_over_several_real_nodes(sandbox: conftest.Sandbox) -> None:
    ran = test_tasks.start(
        sandbox,
        "2m-rps.json",
        {
            **test_tasks.SMALL,
            "labels": {"sandbox_real_nodes": "3"},
            "targets": 3,
            "workers": 3,
            "extra_args": {"spread": "required"},
            "pull_ahead": True,
            "steps": SMALL["steps"],
            "min_rps": 190,
            "min_rps_per_core": 1,
            "p99_ms": 2000,
            "max_create_s": 300,
        },
    )
    assert_ran(ran)
    (run,) = ran.runs()
    assert run.bay is not None
    assert run.bay.nodes_real == 3
    assert run.throughput is not None
    assert run.throughput.nodes_with_pods == 3
    assert run.throughput.pull_s is not None
    (iteration,) = ran.workload["data"]
    names = [action["name"] for action in iteration["atomic_actions"]]
    assert names[2:4] == ["workload.pull_images", "workload.deploy"]


SEARCH = {
    **json.loads(
        (test_tasks.SAMPLES / "args/sandbox-max-rate.json").read_text()
    ),
    "pods": {},
    "bounds": {"p99_ms": 2000},
    "start_rps": 200,
    "step_s": 2,
    "confirm_s": 3,
    "min_rps": 300,
}


def test_a_search_needs_no_openstack_with_a_kubeconfig(
    sandbox: conftest.Sandbox, kept: Kept, no_openstack: str
) -> None:
    ran = test_tasks.start(
        sandbox,
        "max-rate.json",
        {
            **SEARCH,
            "extra_args": {"max_rps": 400},
            "kubeconfig": str(kept.kubeconfig),
        },
        environment=no_openstack,
    )
    assert_ran(ran)
    assert "MagnumScale.find_max_rate_in_bay" in ran.workload["scenario"]
    (run,) = ran.runs()
    assert run.max_rate is not None
    if not was_generator_held_up(run):
        assert ran.status == 0, ran.said
        assert (run.max_rate.held_rps, run.max_rate.failed_rps) == (400, None)
        assert "may be higher" in run.max_rate.ended
    assert kept.namespaces() == []


def test_a_bound_that_no_rate_holds_has_no_highest_rate(
    sandbox: conftest.Sandbox, kept: Kept
) -> None:
    ran = test_tasks.start(
        sandbox,
        "max-rate.json",
        {
            **SEARCH,
            "bounds": {"p50_ms": 0.001},
            "extra_args": {"min_rps": 100},
            "min_rps": 0,
            "bay": kept.name,
        },
        environment=kept.environment,
    )
    assert ran.status != 0
    (run,) = ran.runs()
    assert run.max_rate is not None
    assert run.max_rate.max_rate_rps is None
    # On a busy machine the generator may be the limit before the bound is.
    assert run.max_rate.reasons[0].startswith("not even 100 rps held: ")
    assert "not even 100 rps" in ran.sla["max_rate"]["detail"]
    assert kept.namespaces() == []
