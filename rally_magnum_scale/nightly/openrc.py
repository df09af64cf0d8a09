"""Read an openrc file as a shell does."""

from __future__ import annotations

import os
import pathlib
import subprocess

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions

_DEADLINE_S = 30.0
# What an openrc file may use.  A variable of another cloud must not be there.
_LOGIN = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "USER")
# Rally gets these from the environment of the night, not from the file.
_CONNECTION = (
    *(f"{one}_proxy" for one in ("all", "http", "https", "no")),
    *(f"{one}_PROXY" for one in ("ALL", "HTTP", "HTTPS", "NO")),
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
)


def read(path: pathlib.Path, log: commands.Log) -> dict[str, str]:
    """Return the variables of OpenStack and OSProfiler that a file sets.

    :raises InvalidInput: when the file fails, waits for a password, or sets
        a value that is not UTF-8
    """
    variables = _sourced(path)
    for name in _CONNECTION:
        value = variables.get(name.encode(), b"")
        if value != os.environb.get(name.encode(), b""):
            log(
                f"cloud.openrc: {path} sets {name}, which is ignored. Set it "
                "in the environment of rally-magnum-nightly."
            )
    return {
        name.decode(errors="replace"): _decoded(path, name, value)
        for name, value in variables.items()
        if name.startswith((b"OS_", b"OSPROFILER_"))
    }


def parse_env(output: bytes) -> dict[bytes, bytes]:
    """Return the variables that ``env -0`` printed."""
    pairs = (line.partition(b"=") for line in output.split(b"\0"))
    return {name: value for name, _, value in pairs if name}


def _sourced(path: pathlib.Path) -> dict[bytes, bytes]:
    """Return the environment after a shell has sourced the file."""
    try:
        done = subprocess.run(
            ["sh", "-c", 'set -eu; . "$1" >/dev/null; env -0', "sh", path],
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=_DEADLINE_S,
            env=_environment(),
        )
    except (subprocess.SubprocessError, OSError) as error:
        # What the shell prints may have parts of a password.
        raise exceptions.InvalidInput(
            f"cloud.openrc: {path} can't be sourced by sh without user "
            f"input: {error}. Run `sh -eu {path} </dev/null` to see why."
        ) from error
    return parse_env(done.stdout)


def _environment() -> dict[str, str]:
    # A service of systemd may have no HOME.
    usual = {"HOME": str(pathlib.Path.home()), "PATH": os.defpath}
    return usual | {
        name: os.environ[name]
        for name in (*_LOGIN, *_CONNECTION)
        if name in os.environ
    }


def _decoded(path: pathlib.Path, name: bytes, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise exceptions.InvalidInput(
            f"cloud.openrc: {name.decode(errors='replace')} in {path} is not "
            "UTF-8 text. Write the file in UTF-8."
        ) from error
