"""Faults of the cloud's side, caused for real in the sandbox."""

from __future__ import annotations

import contextlib
import json
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from rally_magnum_sandbox import openstack
from rally_magnum_sandbox import secrets_file
from rally_magnum_scale import waiting
from tests.functional import conftest
from tests.functional import processes

STARTED_WITHIN_S = 60
SECOND = "second"


@contextlib.contextmanager
def no_template(sandbox: conftest.Sandbox) -> Iterator[None]:
    """Hide the only template from all but the administrator."""
    api, uuid_ = sandbox.magnum(), _template(sandbox)
    _set(api, uuid_, "hidden", True)
    try:
        yield
    finally:
        _set(api, uuid_, "hidden", False)


@contextlib.contextmanager
def second_template(sandbox: conftest.Sandbox) -> Iterator[None]:
    """Show a second public template."""
    api = sandbox.magnum()
    made = api.post(
        "/clustertemplates",
        json={
            "name": SECOND,
            "coe": "kubernetes",
            "image_id": "sandbox",
            "external_network_id": "public",
            "public": True,
        },
    ).json()
    try:
        yield
    finally:
        api.delete(f"/clustertemplates/{made['uuid']}")


def _template(sandbox: conftest.Sandbox) -> str:
    shown = sandbox.magnum().get("/clustertemplates").json()
    named = {t["name"]: t["uuid"] for t in shown["clustertemplates"]}
    return str(named[openstack.TEMPLATE])


def _set(api: Any, uuid_: str, key: str, value: Any) -> None:
    change = [{"op": "replace", "path": f"/{key}", "value": value}]
    api.patch(f"/clustertemplates/{uuid_}", json=change)


@contextlib.contextmanager
def rally_environment(
    sandbox: conftest.Sandbox, changes: dict[str, Any]
) -> Iterator[dict[str, str]]:
    """Make a Rally environment that differs from the sandbox's own.

    :param changes: of ``auth_url`` or the administrator's ``password``;
        none for the sandbox's own environment
    :returns: the variables that select it
    """
    if not changes:
        yield {}
        return
    secrets = secrets_file.ensure(sandbox.settings.state_dir)
    admin = {
        "username": "admin",
        "password": changes.get("password", secrets.admin),
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    address = changes.get("auth_url", sandbox.settings.keystone_url)
    cloud = {"auth_url": address, "admin": admin}
    name = f"t-{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder, "spec.json")
        spec.write_text(json.dumps({"existing@openstack": cloud}))
        make = ["--name", name, "--spec", str(spec), "--no-use"]
        done = sandbox.rally("env", "create", *make)
        assert done.returncode == 0, done.stdout + done.stderr
    try:
        yield {"RALLY_ENV": name}
    finally:
        sandbox.rally("env", "delete", "--env", name, "--force")


def bays(sandbox: conftest.Sandbox) -> list[str]:
    """Return the bays of all projects that a task made."""
    shown = sandbox.magnum().get("/clusters").json()["clusters"]
    named = [f"bay {one['name']}" for one in shown]
    return [one for one in named if one.startswith("bay rms-")]


def templates(sandbox: conftest.Sandbox) -> list[str]:
    """Return the templates that are not the sandbox's own."""
    shown = sandbox.magnum().get("/clustertemplates").json()
    return [
        f"template {one['name']}"
        for one in shown["clustertemplates"]
        if one["name"] != openstack.TEMPLATE
    ]


def projects_and_users(sandbox: conftest.Sandbox) -> list[str]:
    """Return Rally's own projects and users."""
    secrets = secrets_file.ensure(sandbox.settings.state_dir)
    session = openstack.admin_session(sandbox.settings, secrets)
    found = []
    for kind in ("projects", "users"):
        shown = session.get(f"{sandbox.settings.keystone_url}/{kind}").json()
        found += [f"{kind[:-1]} {one['name']}" for one in shown[kind]]
    return [one for one in found if " c_rally_" in one]


def stop_targets(sandbox: conftest.Sandbox) -> None:
    """Stop every nginx: it accepts connections and never answers."""
    for process in _soon(sandbox, "/etc/rms/nginx.conf"):
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in [*process.children(), process]:
                one.send_signal(signal.SIGSTOP)


def stop_workers(sandbox: conftest.Sandbox) -> None:
    """Stop every Locust worker before it has connected."""
    for process in _soon(sandbox, "--worker"):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)


def kill_master(sandbox: conftest.Sandbox) -> None:
    """Kill the Locust master."""
    for process in _soon(sandbox, "--master"):
        process.kill()


def _soon(sandbox: conftest.Sandbox, *words: str) -> list[psutil.Process]:
    return waiting.wait_for(
        lambda: processes.find(sandbox.settings.bays_cgroup, *words) or None,
        what=f"a process with {' '.join(words)}",
        deadline_s=STARTED_WITHIN_S,
        interval_s=0.02,
        sleep=time.sleep,
    )
