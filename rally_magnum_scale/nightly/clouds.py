"""From a cloud's name to the environment in which Rally reaches it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import subprocess
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from openstack import config as openstack_config
from openstack import exceptions as openstack_errors

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.nightly import settings as nightly_settings
from rally_magnum_scale.sandbox import client_environment
from rally_magnum_scale.sandbox import cloud as sandbox_cloud
from rally_magnum_scale.sandbox import commands
from rally_magnum_scale.sandbox import secrets_file
from rally_magnum_scale.sandbox import settings as sandbox_settings

# The folder of Rally's database and log, and of a sandbox that is ours.
HOME = "rally"
_OPENRC_DEADLINE_S = 30
_SANDBOX_DEADLINE_S = 3600.0
_NEEDED = ("auth_url", "username", "password", "project_name")
_DOMAINS = ("user_domain_name", "project_domain_name")


@contextlib.contextmanager
def opened(
    wanted: nightly_settings.Settings, report: commands.Report
) -> Iterator[dict[str, str]]:
    """Return the environment in which Rally reaches the cloud.

    The sandbox is brought up when it is not, and then taken down again.

    :raises ScaleError: when there is no such cloud, or Rally refuses it
    """
    home = wanted.folder / HOME
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _sandbox_up(wanted, report):
        environment, spec = _of(wanted)
        # Somebody's own selection, in ~/.rally/globals, must not be used,
        # and the marks of a killed run must be found again.
        environment |= {
            "HOME": str(home),
            "OS_DATABASE__CONNECTION": f"sqlite:///{home}/rally.sqlite",
        }
        environment.pop("RALLY_ENV", None)
        environment.pop("XDG_STATE_HOME", None)
        environment["RALLY_ENV"] = _ensure_rally(home, environment, spec)
        yield environment


@contextlib.contextmanager
def _sandbox_up(
    wanted: nightly_settings.Settings, report: commands.Report
) -> Iterator[None]:
    if not wanted.sandbox:
        yield
        return
    # Outlives a night that is killed, so that the next one takes it down.
    ours = wanted.folder / HOME / "sandbox-is-ours"
    if not _is_up():
        ours.touch()
        _sandbox(wanted, "up", report)
    try:
        yield
    finally:
        if ours.exists():
            with interruption.deferred():
                _sandbox(wanted, "down", report)
            ours.unlink()


def _is_up() -> bool:
    try:
        sandbox_cloud.require_up(sandbox_settings.from_environment())
    except exceptions.SandboxError:
        return False
    return True


def _sandbox(
    wanted: nightly_settings.Settings, what: str, report: commands.Report
) -> None:
    commands.run(
        [str(client_environment.PROGRAMS / "rally-magnum-sandbox"), what],
        what=f"take the sandbox {what}",
        log=wanted.folder / HOME / "sandbox.log",
        deadline_s=_SANDBOX_DEADLINE_S,
        report=report,
    )


def _of(
    wanted: nightly_settings.Settings,
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the environment of a client, and what Rally's is made from."""
    if wanted.sandbox:
        settings = sandbox_settings.from_environment()
        secrets = secrets_file.ensure(settings.state_dir)
        environment = client_environment.variables(settings, secrets)
        return environment, of_variables(environment)
    environment = dict(os.environ)
    environment["PATH"] = (
        f"{client_environment.PROGRAMS}{os.pathsep}{environment['PATH']}"
    )
    if wanted.openrc:
        return environment, of_variables(read_openrc(wanted.openrc))
    return environment, of_clouds_yaml(wanted.clouds_yaml)


def read_openrc(path: pathlib.Path) -> dict[str, str]:
    """Return the ``OS_`` variables that a file sets.

    :raises InvalidInput: when it fails, or waits for a password
    """
    script = 'set -eu; . "$1" >/dev/null; env -0'
    try:
        done = subprocess.run(
            ["sh", "-c", script, "sh", str(path)],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=_OPENRC_DEADLINE_S,
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise exceptions.InvalidInput(
            f"cloud.openrc: {path} can't be sourced by sh without a person "
            f"at the keyboard: {error}."
        ) from error
    lines = (line.partition("=") for line in done.stdout.decode().split("\0"))
    return {name: value for name, _, value in lines if name[:3] == "OS_"}


def of_variables(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return Rally's description of the cloud of an openrc file.

    :raises InvalidInput: when a variable is missing
    """
    auth = {
        one: variables[f"OS_{one.upper()}"]
        for one in (*_NEEDED, *_DOMAINS)
        if f"OS_{one.upper()}" in variables
    }
    if missing := _missing(auth):
        names = ", ".join(f"OS_{one.upper()}" for one in missing)
        raise exceptions.InvalidInput(
            f"cloud.openrc: {names} is not set; Rally's administrator needs "
            "it."
        )
    return _spec(
        auth,
        region=variables.get("OS_REGION_NAME"),
        interface=variables.get("OS_INTERFACE"),
        cacert=variables.get("OS_CACERT"),
    )


def of_clouds_yaml(name: str) -> dict[str, Any]:
    """Return Rally's description of a cloud of clouds.yaml.

    :raises InvalidInput: when it is not there, or not by a password
    """
    try:
        cloud = openstack_config.OpenStackConfig().get_one(cloud=name)
    except openstack_errors.ConfigException as error:
        raise exceptions.InvalidInput(
            f"cloud.clouds_yaml: {' '.join(str(error).split())}"
        ) from error
    auth = cloud.config.get("auth", {})
    if missing := _missing(auth):
        raise exceptions.InvalidInput(
            f"cloud.clouds_yaml: the cloud {name} has no "
            f"{', '.join(missing)}; Rally's administrator needs it."
        )
    return _spec(
        auth,
        region=cloud.config.get("region_name"),
        interface=cloud.config.get("interface"),
        cacert=cloud.config.get("cacert"),
    )


def _missing(auth: Mapping[str, str]) -> list[str]:
    return [one for one in _NEEDED if not auth.get(one)]


def _spec(
    auth: Mapping[str, str],
    *,
    region: str | None,
    interface: str | None,
    cacert: str | None,
) -> dict[str, Any]:
    url, *user = _NEEDED
    admin = {one: auth[one] for one in user}
    admin |= {one: auth.get(one, "Default") for one in _DOMAINS}
    cloud: dict[str, Any] = {"auth_url": auth[url], "admin": admin}
    cloud["endpoint_type"] = interface or "public"
    if region:
        cloud["region_name"] = region
    if cacert:
        cloud["https_cacert"] = cacert
    return {"existing@openstack": cloud}


def _ensure_rally(
    home: pathlib.Path,
    environment: Mapping[str, str],
    spec: Mapping[str, Any],
) -> str:
    """Make Rally's database and its environment for this cloud, once.

    :returns: the name of Rally's environment
    """
    text = json.dumps(spec, sort_keys=True)
    name = f"nightly-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    done = home / f"{name}.complete"
    if done.exists():
        return name
    path = home / "spec.json"
    path.touch(mode=0o600)
    try:
        path.write_text(text)
        for arguments in (
            ("db", "ensure"),
            ("env", "create", "--name", name, "--spec", str(path), "--no-use"),
        ):
            client_environment.run_rally(
                arguments, environment, home / "rally.log"
            )
    finally:
        # It holds a password.
        path.unlink()
    done.touch()
    return name
