"""Debian packages that the sandbox needs, installed without side effects."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.artifacts import commands

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
    """List the packages that dpkg does not have installed.

    :param wanted: names of Debian packages
    :returns: those that are missing, in their order
    :raises MissingRequirement: where there is no dpkg
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
            "The sandbox needs Debian 12: dpkg-query could not be run "
            f"({error}); use a Debian machine."
        ) from error
    rows = (line.split() for line in done.stdout.splitlines())
    installed = {row[0] for row in rows if row[1:] == ["installed"]}
    return [name for name in wanted if name not in installed]


def ensure_system_packages(report: commands.Report) -> list[str]:
    """Install what is missing, without letting any service start.

    :param report: told what is installed
    :returns: the names of the packages that were installed now
    :raises SandboxError: when apt-get fails
    """
    missing = missing_packages()
    if missing:
        report(f"installing Debian packages: {', '.join(missing)}")
        _install(missing, report)
    return missing


def _install(names: list[str], report: commands.Report) -> None:
    with services_held(POLICY):
        # A source of the machine's that is down need not matter.
        with contextlib.suppress(exceptions.SandboxError):
            _apt(["update"], names, report)
        options = ["install", "--yes", "--no-install-recommends"]
        _apt([*options, *names], names, report)


def _apt(
    arguments: list[str],
    names: list[str],
    report: commands.Report,
) -> None:
    commands.run(
        *("apt-get", "-qq", *arguments),
        what=f"install the Debian packages {', '.join(names)}",
        log=PACKAGES_LOG,
        report=report,
        env={"DEBIAN_FRONTEND": "noninteractive"},
    )


@contextlib.contextmanager
def services_held(policy: Path) -> Iterator[None]:
    """Keep packages that are installed meanwhile from starting services.

    :param policy: the policy-rc.d of this machine; put back afterwards
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
