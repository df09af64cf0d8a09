"""Install the Debian packages of the sandbox without starting services."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.artifacts import builds
from rally_magnum_scale import commands
from rally_magnum_scale import interruption

SYSTEM_PACKAGES = (
    "ca-certificates",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "debootstrap",
    "iproute2",
    "iptables",
    "kmod",
    "runc",
    "util-linux",
)
PACKAGES_LOG = Path("/var/log/rally-magnum-sandbox-apt.log")
POLICY = Path("/usr/sbin/policy-rc.d")
# The contract of invoke-rc.d: 101 forbids the action.
FORBID = "#!/bin/sh\nexit 101\n"


def missing_packages(wanted: Iterable[str] = SYSTEM_PACKAGES) -> list[str]:
    """List the packages that are not installed.

    :param wanted: names of Debian packages
    :returns: the missing packages, in the same order
    :raises MissingRequirement: if there is no dpkg
    """
    try:
        done = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise exceptions.MissingRequirement(
            f"The sandbox needs Debian 12, but running dpkg-query failed "
            f"({error}). Use a Debian machine."
        ) from error
    rows = (line.split() for line in done.stdout.splitlines())
    installed = {row[0] for row in rows if row[1:] == ["installed"]}
    return [name for name in wanted if name not in installed]


def ensure_system_packages(log: commands.Log) -> list[str]:
    """Install missing packages, without starting their services.

    :param log: gets progress lines, including the packages to install
    :returns: the names of the newly installed packages
    :raises CommandFailed: if apt-get fails
    """
    missing = missing_packages()
    if missing:
        log(f"installing Debian packages: {', '.join(missing)}")
        _install(missing, log)
    return missing


def _install(names: list[str], log: commands.Log) -> None:
    with services_held(POLICY):
        # An unreachable source of the machine may not matter.
        with contextlib.suppress(exceptions.CommandFailed):
            _apt(["update"], names, log)
        options = ["install", "--yes", "--no-install-recommends"]
        _apt([*options, *names], names, log)


def _apt(
    arguments: list[str],
    names: list[str],
    log: commands.Log,
) -> None:
    # If dpkg is killed, packages remain half-installed.
    with interruption.deferred():
        commands.run(
            ["apt-get", "-qq", *arguments],
            what=f"install the Debian packages {', '.join(names)}",
            log_file=PACKAGES_LOG,
            deadline_s=builds.DEADLINE_S,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            log=log,
        )


@contextlib.contextmanager
def services_held(policy: Path) -> Iterator[None]:
    """Prevent packages from starting services during their installation.

    :param policy: the machine's policy-rc.d, which is restored afterwards
    """
    kept = policy.with_name(f"{policy.name}.rally-magnum-sandbox")
    if policy.exists() and not kept.exists():
        policy.rename(kept)
    policy.write_text(FORBID)
    policy.chmod(0o755)
    try:
        yield
    finally:
        if kept.exists():
            kept.replace(policy)
        else:
            policy.unlink(missing_ok=True)
