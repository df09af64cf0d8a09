"""Cluster API's core and Helm, built from unmodified Go modules.

Each has its own go.mod, because Helm and Cluster API use different versions
of Kubernetes' client. Both are built only for a sandbox whose Magnum has the
driver magnum-capi-helm.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from rally_magnum_sandbox.artifacts import go_builds
from rally_magnum_scale import commands

MODULE = "sigs.k8s.io/cluster-api"
CORE = go_builds.GoProgram(
    name="cluster-api",
    title="Cluster API",
    source=Path(__file__).parents[1] / "cluster_api_build",
    package=f"{MODULE}/core",
)
HELM = go_builds.GoProgram(
    name="helm",
    title="Helm",
    source=Path(__file__).parents[1] / "helm_build",
    package="helm.sh/helm/v3/cmd/helm",
)
# Where Cluster API's module has its manifests.
CRDS = "core/config/crd/bases"
WEBHOOKS = "core/config/webhook/manifests.yaml"


def ensure_cluster_api(cache_dir: Path, log: commands.Log) -> Path:
    """Build Cluster API's core, unless the cache has it.

    A build with an empty cache takes 3 minutes on two cores.

    :param cache_dir: where artifacts are kept
    :param log: gets progress lines
    :returns: a folder with the program ``core``, the folder ``crds`` and
        ``webhooks.yaml``
    :raises CommandFailed: if Go can't be installed or the build fails
    """
    return go_builds.ensure(CORE, cache_dir, log, _with_manifests)


def ensure_helm(cache_dir: Path, log: commands.Log) -> Path:
    """Build Helm, unless the cache has it.

    A build with an empty cache takes 1.5 minutes on two cores.

    :param cache_dir: where artifacts are kept
    :param log: gets progress lines
    :returns: a folder that contains only the program ``helm``
    :raises CommandFailed: if Go can't be installed or the build fails
    """
    return go_builds.ensure(HELM, cache_dir, log, _in_own_folder)


def helm_folder(cache_dir: Path) -> Path:
    """Return the folder of the program ``helm``, which may not exist yet."""
    return HELM.artifact(cache_dir)


def artifacts(cache_dir: Path) -> list[Path]:
    """Return the paths of both folders, which exist only if complete."""
    return [program.artifact(cache_dir) for program in (CORE, HELM)]


def _with_manifests(built: go_builds.BuiltProgram) -> Path:
    module = built.module_folder(MODULE)
    folder = _in_own_folder(built, "core")
    crds = folder / "crds"
    crds.mkdir()
    # The files of Go's module cache are read-only.
    for file in sorted((module / CRDS).glob("*.yaml")):
        (crds / file.name).write_bytes(file.read_bytes())
    (folder / "webhooks.yaml").write_bytes((module / WEBHOOKS).read_bytes())
    return folder


def _in_own_folder(built: go_builds.BuiltProgram, name: str = "helm") -> Path:
    folder = built.file.with_name("artifact")
    folder.mkdir()
    shutil.move(built.file, folder / name)
    return folder
