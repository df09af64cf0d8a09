"""What a task may leave behind, found by looking for it."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator

import psutil
from keystoneauth1 import adapter

from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import exceptions
from tests.functional import conftest
from tests.functional import host_state

# Magnum answers with an error when a bay comes or goes between its queries.
_RETRIES = {
    "status_code_retries": 10,
    "retriable_status_codes": [400, 404, 500, 503],
}
# The control groups that kubelet makes for its first pod.
_KUBELETS_OWN = re.compile(r"/kubepods(/besteffort|/burstable)?$")
# Programs of a load's pods.
_IN_PODS = ("locust", "nginx")


def look(sandbox: conftest.Sandbox) -> set[str]:
    """Name everything in the cloud and on the machine that a task can make."""
    return {
        *_in_cloud(sandbox),
        *_in_bays(sandbox.settings),
        *_processes(sandbox.settings),
        *_of_host(sandbox.settings),
    }


def left_since(
    before: set[str], sandbox: conftest.Sandbox, patience_s: float = 15.0
) -> list[str]:
    """Name what there is more than before, once nothing goes any more.

    :param patience_s: the kernel and kubelet remove what a task has deleted
        a moment later
    """
    end_s = time.monotonic() + patience_s
    while (found := look(sandbox) - before) and time.monotonic() < end_s:
        time.sleep(0.5)
    return sorted(found)


def _in_cloud(sandbox: conftest.Sandbox) -> Iterator[str]:
    magnum = sandbox.magnum()
    for bay in magnum.get("/clusters", **_RETRIES).json()["clusters"]:
        yield f"the bay {bay['name']}"
    for one in magnum.get("/clustertemplates").json()["clustertemplates"]:
        yield f"the template {one['name']}"
    settings = sandbox.settings
    session = openstack.admin_session(
        settings, secrets_file.ensure(settings.state_dir)
    )
    keystone = adapter.Adapter(
        session, endpoint_override=settings.keystone_url
    )
    for kind in ("user", "project"):
        for one in keystone.get(f"/{kind}s").json()[f"{kind}s"]:
            yield f"the {kind} {one['name']}"
    nova = f"{settings.stub_url}/compute/v2.1/os-keypairs"
    for one in session.get(nova).json()["keypairs"]:
        yield f"the keypair {one['keypair']['name']}"


def _in_bays(settings: sandbox_settings.Settings) -> Iterator[str]:
    for bay in bay_folder.Bays(settings.bays_dir).all():
        with contextlib.suppress(exceptions.ScaleError, OSError):
            with contextlib.closing(open_bay(bay)) as opened:
                found = json.loads(opened.get("/api/v1/namespaces"))
            for one in found["items"]:
                yield f"the namespace {one['metadata']['name']}"


def open_bay(bay: bay_folder.Bay) -> api.ApiClient:
    """Open the Kubernetes API of a bay of the sandbox."""
    address = bay_spec.read_spec(bay.folder).control_address
    return api.ApiClient(address, bay_spec.API_PORT, bay.folder)


def _processes(settings: sandbox_settings.Settings) -> Iterator[str]:
    """Name the processes of Rally and those in the pods of loads."""
    in_bays = set(cgroups.processes(settings.bays_cgroup))
    for process in psutil.process_iter(["name", "cmdline"]):
        name, line = process.info["name"], process.info["cmdline"] or []
        if process.pid in in_bays and name in _IN_PODS:
            yield f"the process {name} {process.pid}"
        elif {"task", "start"} <= set(line) and _uses(process, settings):
            yield f"the process rally {process.pid}"


def _uses(
    process: psutil.Process, settings: sandbox_settings.Settings
) -> bool:
    with contextlib.suppress(psutil.Error):
        own = process.environ().get(sandbox_settings.STATE_VARIABLE)
        return own == str(settings.state_dir)
    return False


def _of_host(settings: sandbox_settings.Settings) -> Iterator[str]:
    owner = host_state.Owner(
        settings.bays_cgroup, settings.bays_dir, settings.bay_indexes
    )
    found = host_state.capture(owner)
    for kind in ("links", "routes", "mounts", "cgroups"):
        for one in getattr(found, kind):
            if not _KUBELETS_OWN.search(one):
                yield f"of the machine's {kind}: {one}"
