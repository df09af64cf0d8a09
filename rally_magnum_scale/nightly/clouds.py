"""Prepare the environment variables with which Rally accesses a cloud."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from openstack import config as openstack_config
from openstack import exceptions as openstack_errors

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.nightly import deadline
from rally_magnum_scale.nightly import processes
from rally_magnum_scale.nightly import rally_setup
from rally_magnum_scale.nightly import settings as nightly_settings

# The folder of Rally's database and log, and of the marker of our sandbox.
HOME = "rally"
_ENV_DEADLINE_S = 30.0
_UP_DEADLINE_S = 3600.0
# The sandbox may go down after the night's deadline.
DOWN_DEADLINE_S = 600.0
_NEEDED = ("auth_url", "username", "password", "project_name")
_DOMAINS = ("user_domain_name", "project_domain_name")


@contextlib.contextmanager
def opened(
    wanted: nightly_settings.Settings,
    log: commands.Log,
    until: deadline.Deadline,
) -> Iterator[dict[str, str]]:
    """Yield the environment variables with which Rally accesses the cloud.

    If the sandbox is down, it is brought up first and taken down at the
    end.  Taking it down may take 600 s, even after the night's deadline.

    :param until: deadline of the night
    :raises ScaleError: when the cloud does not exist, Rally refuses it, or
        the deadline passes before the cloud is ready
    """
    home = wanted.folder / HOME
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    rally_setup.forget_secrets(home)
    with _sandbox_up(wanted, log, until) as variables:
        environment = variables or _own_environment()
        spec = _spec_of(wanted, environment)
        # The environment that a user selected in ~/.rally/globals must not
        # be used, and later nights must find the run markers of this one.
        environment |= {
            "HOME": str(home),
            "OS_DATABASE__CONNECTION": f"sqlite:///{home}/rally.sqlite",
            **_mark(wanted),
        }
        environment.pop("RALLY_ENV", None)
        environment.pop("XDG_STATE_HOME", None)
        environment["RALLY_ENV"] = rally_setup.ensure(
            home, environment, spec, until
        )
        yield environment


@contextlib.contextmanager
def _sandbox_up(
    wanted: nightly_settings.Settings,
    log: commands.Log,
    until: deadline.Deadline,
) -> Iterator[dict[str, str] | None]:
    """Yield the variables of a client of the sandbox, None without one."""
    if not wanted.sandbox:
        yield None
        return
    # This file remains if the night is killed, so that the next night takes
    # the sandbox down.
    ours = wanted.folder / HOME / "sandbox-is-ours"
    try:
        # After a killed night, parts of our sandbox may be down; `up` starts
        # the missing parts.
        done = None if ours.exists() else _sandbox_env()
        if done is None or done.returncode:
            with until.step("the sandbox to come up", _UP_DEADLINE_S) as up_s:
                ours.touch()
                _sandbox(wanted, "up", up_s, log)
            done = _sandbox_env()
        yield _sandbox_variables(done)
    finally:
        if ours.exists():
            with interruption.deferred():
                _sandbox(wanted, "down", DOWN_DEADLINE_S, log)
            ours.unlink()


def _mark(wanted: nightly_settings.Settings) -> dict[str, str]:
    """Return the variable by which the next night finds our processes."""
    return {processes.NIGHT_VARIABLE: str(wanted.folder)}


def _sandbox_env() -> subprocess.CompletedProcess[bytes]:
    """Run ``env -0`` as a client of the sandbox; it fails if that is down.

    :raises CommandFailed: when it does not end in time
    """
    command = [str(_sandbox_program()), "run", "--", "env", "-0"]
    try:
        return subprocess.run(
            command,
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_ENV_DEADLINE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise exceptions.CommandFailed(
            f"`{' '.join(command)}` did not end within {_ENV_DEADLINE_S:.0f} "
            "s. Check the sandbox with `rally-magnum-sandbox status`."
        ) from error


def _sandbox_variables(
    done: subprocess.CompletedProcess[bytes],
) -> dict[str, str]:
    """Return the environment variables of a client of the sandbox.

    :raises CommandFailed: when the sandbox is not up
    """
    if done.returncode:
        raise exceptions.CommandFailed(
            f"`{' '.join(done.args)}` exited with code {done.returncode}: "
            f"{os.fsdecode(done.stderr).strip()}"
        )
    return {
        os.fsdecode(name): os.fsdecode(value)
        for name, value in _parse_env(done.stdout).items()
    }


def _parse_env(output: bytes) -> dict[bytes, bytes]:
    """Return the variables that ``env -0`` printed."""
    pairs = (line.partition(b"=") for line in output.split(b"\0"))
    return {name: value for name, _, value in pairs if name}


def _sandbox_program() -> pathlib.Path:
    return commands.PROGRAMS / "rally-magnum-sandbox"


def _sandbox(
    wanted: nightly_settings.Settings,
    what: str,
    limit_s: float,
    log: commands.Log,
) -> None:
    commands.run(
        [str(_sandbox_program()), what],
        what=f"take the sandbox {what}",
        log_file=wanted.folder / HOME / "sandbox.log",
        deadline_s=limit_s,
        # The sandbox's servers don't get the variable, because they outlive
        # the night.
        env={**os.environ, **_mark(wanted)},
        log=log,
    )


def _own_environment() -> dict[str, str]:
    path = f"{commands.PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path}


def _spec_of(
    wanted: nightly_settings.Settings, environment: Mapping[str, str]
) -> dict[str, Any]:
    """Return Rally's description of the cloud."""
    if wanted.sandbox:
        return of_variables(environment)
    if wanted.openrc:
        return of_variables(read_openrc(wanted.openrc))
    return of_clouds_yaml(wanted.clouds_yaml)


def read_openrc(path: pathlib.Path) -> dict[str, str]:
    """Return the ``OS_`` variables that a file sets.

    :raises InvalidInput: when the file fails, waits for a password, or sets
        a value that is not UTF-8
    """
    script = 'set -eu; . "$1" >/dev/null; env -0'
    try:
        done = subprocess.run(
            ["sh", "-c", script, "sh", str(path)],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=_ENV_DEADLINE_S,
            env={"PATH": os.environ.get("PATH", os.defpath)},
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise exceptions.InvalidInput(
            f"cloud.openrc: {path} can't be sourced by sh without user "
            f"input: {error}."
        ) from error
    return {
        name.decode(errors="replace"): _decoded(path, name, value)
        for name, value in _parse_env(done.stdout).items()
        if name.startswith(b"OS_")
    }


def _decoded(path: pathlib.Path, name: bytes, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise exceptions.InvalidInput(
            f"cloud.openrc: {name.decode(errors='replace')} in {path} is not "
            "UTF-8 text. Write the file in UTF-8."
        ) from error


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
            f"cloud.openrc: {names} is not set. Rally's administrator needs "
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

    :raises InvalidInput: when the cloud is missing or has no password
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
            f"{', '.join(missing)}. Rally's administrator needs it."
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
