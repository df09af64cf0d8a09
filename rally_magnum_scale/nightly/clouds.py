"""Prepare Rally's database and environment for the cloud of the nights."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import uuid
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions
from rally_magnum_scale import files
from rally_magnum_scale.nightly import cloud_descriptions
from rally_magnum_scale.nightly import cloud_spec
from rally_magnum_scale.nightly import deadline
from rally_magnum_scale.nightly import processes
from rally_magnum_scale.nightly import sandbox
from rally_magnum_scale.nightly import settings as nightly_settings

# The folder of Rally's database and log, and of the marker of our sandbox.
HOME = "rally"
LOG = "rally.log"
_SPEC = "spec.json"
_SPEC_LOG = "spec.log"
# Rally prints the administrator's password when it creates an environment.
SECRETS = (_SPEC, _SPEC_LOG)


@contextlib.contextmanager
def opened(
    settings: nightly_settings.Settings,
    log: commands.Log,
    until: deadline.Deadline,
) -> Iterator[dict[str, str]]:
    """Yield the environment variables with which Rally accesses the cloud.

    If the sandbox is down, it is brought up first and taken down at the
    end.  Taking it down may take 600 s, even after the night's deadline.

    :raises ScaleError: when the cloud does not exist, Rally can't access it,
        or the deadline passes before the cloud is ready
    """
    home = settings.folder / HOME
    home.mkdir(parents=True, exist_ok=True)
    # Also if the folder is a copy: Rally's database has the password.
    home.chmod(0o700)
    _forget_secrets(home)
    with contextlib.ExitStack() as stack:
        if settings.sandbox:
            environment = stack.enter_context(
                sandbox.running(settings.folder, home, log, until)
            )
            cloud = cloud_descriptions.of_variables(
                environment, "cloud.sandbox"
            )
        else:
            path = f"{commands.PROGRAMS}{os.pathsep}{os.environ['PATH']}"
            environment = {**os.environ, "PATH": path}
            cloud = _described(settings, log)
        spec = cloud_spec.make(cloud, log)
        # The environment that a user selected in ~/.rally/globals must not
        # be used, and later nights must find the run markers of this one.
        environment |= {
            "HOME": str(home),
            "OS_DATABASE__CONNECTION": f"sqlite:///{home}/rally.sqlite",
            # The next night finds our processes by it.
            processes.NIGHT_VARIABLE: str(settings.folder),
        }
        environment.pop("RALLY_ENV", None)
        environment.pop("XDG_STATE_HOME", None)
        environment["RALLY_ENV"] = _ensure(home, environment, spec, until)
        yield environment


def _described(
    settings: nightly_settings.Settings, log: commands.Log
) -> cloud_descriptions.CloudDescription:
    if settings.openrc:
        return cloud_descriptions.of_openrc(settings.openrc, log)
    return cloud_descriptions.of_clouds_yaml(
        settings.clouds_yaml, settings.region
    )


def _forget_secrets(home: pathlib.Path) -> None:
    """Remove files with a password that a killed night may have left."""
    for name in SECRETS:
        (home / name).unlink(missing_ok=True)


def _ensure(
    home: pathlib.Path,
    environment: Mapping[str, str],
    spec: Mapping[str, Any],
    until: deadline.Deadline,
) -> str:
    """Create Rally's database and its environment for this cloud, once.

    Rally's database never frees a name.  So each attempt uses a new name,
    and an interrupted attempt leaves an unused environment.

    :param environment: environment variables by which Rally finds the
        database
    :raises CommandFailed: when Rally refuses
    :raises DeadlineExceeded: when Rally takes too long, or the night's
        deadline passes
    """
    text = json.dumps(spec, sort_keys=True)
    known = f"nightly-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    complete = home / f"{known}.complete"
    if complete.exists() and (name := complete.read_text().strip()):
        return name
    name = f"{known}-{uuid.uuid4().hex[:8]}"
    limit = commands.RALLY_DEADLINE_S
    with until.step("Rally's database", limit) as limit_s:
        commands.run_rally(
            ("db", "ensure"), environment, home / LOG, deadline_s=limit_s
        )
    with until.step("Rally's environment", limit) as limit_s:
        _create(home, environment, name, spec, limit_s)
    files.atomic_write(complete, f"{name}\n")
    return name


def _create(
    home: pathlib.Path,
    environment: Mapping[str, str],
    name: str,
    spec: Mapping[str, Any],
    limit_s: float,
) -> None:
    path, log_file = home / _SPEC, home / _SPEC_LOG
    create = ("env", "create", "--name", name, "--spec", str(path), "--no-use")
    try:
        for each in (path, log_file):
            each.touch(mode=0o600)
        path.write_text(json.dumps(spec))
        commands.run_rally(create, environment, log_file, deadline_s=limit_s)
    except exceptions.CommandFailed:
        output = _masked(log_file.read_text(errors="replace"), spec)
        with (home / LOG).open("a") as kept:
            kept.write(output)
        raise exceptions.CommandFailed(
            "`rally env create` failed to create Rally's environment of the "
            f"cloud: {_masked(commands.last_line(log_file), spec)} (full "
            f"output: {home / LOG})"
        ) from None
    finally:
        _forget_secrets(home)


def _masked(output: str, spec: Mapping[str, Any]) -> str:
    for cloud in spec.values():
        secrets = {"password": cloud["admin"]["password"], **cloud}
        for name in ("password", "profiler_hmac_key", "profiler_conn_str"):
            if secret := secrets.get(name):
                # As it is, in JSON, and in the messages of jsonschema.
                for written in (
                    secret,
                    json.dumps(secret)[1:-1],
                    repr(secret)[1:-1],
                ):
                    output = output.replace(written, "***")
    return output
