"""Prepare the environment variables with which Rally accesses a cloud."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from rally_magnum_scale import commands
from rally_magnum_scale.nightly import cloud_descriptions
from rally_magnum_scale.nightly import cloud_spec
from rally_magnum_scale.nightly import deadline
from rally_magnum_scale.nightly import processes
from rally_magnum_scale.nightly import rally_setup
from rally_magnum_scale.nightly import sandbox
from rally_magnum_scale.nightly import settings as nightly_settings

# The folder of Rally's database and log, and of the marker of our sandbox.
HOME = "rally"


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
    :raises ScaleError: when the cloud does not exist, Rally can't access it,
        or the deadline passes before the cloud is ready
    """
    home = wanted.folder / HOME
    home.mkdir(parents=True, exist_ok=True)
    # Also if the folder is a copy: Rally's database has the password.
    home.chmod(0o700)
    rally_setup.forget_secrets(home)
    with contextlib.ExitStack() as stack:
        if wanted.sandbox:
            environment = stack.enter_context(
                sandbox.running(wanted.folder, home, log, until)
            )
            cloud = cloud_descriptions.of_variables(
                environment, "cloud.sandbox"
            )
        else:
            environment, cloud = _own_environment(), _described(wanted, log)
        spec = cloud_spec.make(cloud, log)
        # The environment that a user selected in ~/.rally/globals must not
        # be used, and later nights must find the run markers of this one.
        environment |= {
            "HOME": str(home),
            "OS_DATABASE__CONNECTION": f"sqlite:///{home}/rally.sqlite",
            # The next night finds our processes by it.
            processes.NIGHT_VARIABLE: str(wanted.folder),
        }
        environment.pop("RALLY_ENV", None)
        environment.pop("XDG_STATE_HOME", None)
        environment["RALLY_ENV"] = rally_setup.ensure(
            home, environment, spec, until
        )
        yield environment


def _own_environment() -> dict[str, str]:
    path = f"{commands.PROGRAMS}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path}


def _described(
    wanted: nightly_settings.Settings, log: commands.Log
) -> cloud_descriptions.CloudDescription:
    if wanted.openrc:
        return cloud_descriptions.of_openrc(wanted.openrc, log)
    return cloud_descriptions.of_clouds_yaml(wanted.clouds_yaml, wanted.region)
