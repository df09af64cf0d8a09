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

import dataclasses
from pathlib import Path

from rally_magnum_sandbox.artifacts import go_builds
from rally_magnum_scale import commands

PROGRAM = go_builds.GoProgram(
    name="kubernetes",
    title="Kubernetes, etcd and KWOK",
    source=Path(__file__).parents[1] / "kubernetes_build",
)
VERSION_PACKAGE = "k8s.io/component-base/version"


def ensure_kubernetes_binary(cache_dir: Path, log: commands.Log) -> Path:
    """Build the binary, unless the cache has it.

    A build with an empty cache takes 7 to 9 minutes on two cores.

    :param cache_dir: where artifacts are kept
    :param log: gets progress lines
    :returns: the binary; its first argument is a component's name
    :raises CommandFailed: if Go can't be installed or the build fails
    """
    flags = version_flags(built_version())
    program = dataclasses.replace(PROGRAM, linker_flags=flags)
    return go_builds.ensure(program, cache_dir, log)


def binary_file(cache_dir: Path) -> Path:
    """Return the path of the binary, which exists only if complete."""
    return PROGRAM.artifact(cache_dir)


def built_version() -> str:
    """Return the version of Kubernetes to build, such as ``v1.33.13``."""
    return PROGRAM.module_version("k8s.io/kubernetes")


def version_flags(version: str) -> tuple[str, ...]:
    """Return the linker flags that set the version of the components.

    :param version: such as ``v1.33.13``
    """
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    return tuple(f"-X {VERSION_PACKAGE}.{k}={v}" for k, v in values.items())
