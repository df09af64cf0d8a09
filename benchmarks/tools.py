"""The programs that ours is compared with, at fixed versions.

Each is built once, into a folder of the sandbox's cache that carries its
version.  Go checks what it downloads against the checksums that its
database holds for the version, Cargo against the lock file that the crate
ships.  A program that can't be had is left out, with the reason.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import target
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.artifacts import builds
from rally_magnum_sandbox.artifacts import go_builds
from rally_magnum_scale import commands

# The least that the three modules build with.
GO_VERSION = (1, 25)
DEBIAN = {"wrk": "wrk"}
NOWHERE = {
    "wrk2": (
        "wrk2 is published as source code only: neither Debian, PyPI, "
        "crates.io nor the Go modules have it; put it on the PATH by hand."
    ),
}


@dataclass(frozen=True)
class Source:
    """Where a program is built from.

    :param package: a Go module's command, or a crate
    :param version: the one that is built
    """

    package: str
    version: str


GO = {
    "hey": Source("github.com/rakyll/hey", "v0.1.5"),
    "vegeta": Source("github.com/tsenart/vegeta/v12", "v12.13.0"),
    "k6": Source("go.k6.io/k6", "v1.8.1"),
}
CARGO = {"oha": Source("oha", "1.16.0")}


def program(name: str, cache_dir: Path | None = None) -> str:
    """Return the path of a program, which is installed if need be.

    :param name: such as ``wrk`` or ``vegeta``
    :param cache_dir: where it is kept, by default the sandbox's cache
    :raises ScaleError: when it can't be had, with the reason
    """
    if name in NOWHERE:
        return _by_hand(name)
    if name in DEBIAN:
        return _from_debian(name, DEBIAN[name])
    folder = cache_dir or sandbox_settings.from_environment().cache_dir
    if name in GO:
        return _built(folder / "peers", name, GO[name], _build_go)
    return _built(folder / "peers", name, CARGO[name], _build_cargo)


def _by_hand(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise exceptions.MissingRequirement(NOWHERE[name])
    return path


def _from_debian(name: str, package: str) -> str:
    try:
        return target.install(name, package)
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise exceptions.MissingRequirement(
            f"{name} is not there and could not be installed from Debian's "
            f"package {package}: {error}; install it by hand."
        ) from error


def _built(
    folder: Path,
    name: str,
    source: Source,
    build: Callable[[Source, Path, Path], None],
) -> str:
    file = folder / f"{name}-{source.version}"
    if file.exists():
        return str(file)
    with (
        builds.locked(folder, name, _say),
        builds.working_folder(folder, name) as work,
    ):
        if not file.exists():
            _say(f"building {name} {source.version}, once")
            build(source, work, file.with_name(f"{file.name}.log"))
            (work / "bin" / name).rename(file)
    return str(file)


def _build_go(source: Source, work: Path, log_file: Path) -> None:
    cache_dir = work.parents[1]
    go = go_builds.find_go(cache_dir, GO_VERSION, log_file, _say)
    commands.run(
        [go, "install", "-trimpath", f"{source.package}@{source.version}"],
        what=f"build {source.package} {source.version}",
        log_file=log_file,
        deadline_s=builds.DEADLINE_S,
        log=_say,
        cwd=work,
        env={
            **go_builds.go_environment(go, cache_dir),
            "GOBIN": str(work / "bin"),
        },
    )


def _build_cargo(source: Source, work: Path, log_file: Path) -> None:
    if shutil.which("cargo") is None:
        raise exceptions.MissingRequirement(
            f"{source.package} is built with Rust's cargo, which is not "
            "there; install it."
        )
    commands.run(
        [
            *("cargo", "install", "--locked", "--root", str(work)),
            f"{source.package}@{source.version}",
        ],
        what=f"build {source.package} {source.version}",
        log_file=log_file,
        deadline_s=builds.DEADLINE_S,
        log=_say,
        cwd=work,
        env={**os.environ, "CARGO_TARGET_DIR": str(work / "target")},
    )


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
