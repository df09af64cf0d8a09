"""The artifacts of bays (binary, image, packages) and the machine's check."""

from __future__ import annotations

from pathlib import Path

from rally_magnum_sandbox.artifacts import cluster_api
from rally_magnum_sandbox.artifacts import image
from rally_magnum_sandbox.artifacts import kubernetes_binary
from rally_magnum_sandbox.artifacts.cluster_api import ensure_cluster_api
from rally_magnum_sandbox.artifacts.cluster_api import ensure_helm
from rally_magnum_sandbox.artifacts.cluster_api import helm_folder
from rally_magnum_sandbox.artifacts.given_binaries import GivenBinaries
from rally_magnum_sandbox.artifacts.given_binaries import check_binaries
from rally_magnum_sandbox.artifacts.given_binaries import ensure_program
from rally_magnum_sandbox.artifacts.go_builds import go_caches
from rally_magnum_sandbox.artifacts.image import LOCUST_IMAGE
from rally_magnum_sandbox.artifacts.image import NGINX_IMAGE
from rally_magnum_sandbox.artifacts.image import ensure_image
from rally_magnum_sandbox.artifacts.kubernetes_binary import built_version
from rally_magnum_sandbox.artifacts.kubernetes_binary import (
    ensure_kubernetes_binary,
)
from rally_magnum_sandbox.artifacts.machine import missing_things
from rally_magnum_sandbox.artifacts.system_packages import PACKAGES_LOG
from rally_magnum_sandbox.artifacts.system_packages import SYSTEM_PACKAGES
from rally_magnum_sandbox.artifacts.system_packages import (
    ensure_system_packages,
)
from rally_magnum_sandbox.artifacts.system_packages import missing_packages
from rally_magnum_sandbox.bay.node import PAUSE_IMAGE

__all__ = [
    "LOCUST_IMAGE",
    "NGINX_IMAGE",
    "PACKAGES_LOG",
    "PAUSE_IMAGE",
    "SYSTEM_PACKAGES",
    "GivenBinaries",
    "built_version",
    "check_binaries",
    "ensure_cluster_api",
    "ensure_helm",
    "ensure_image",
    "ensure_kubernetes_binary",
    "ensure_program",
    "ensure_system_packages",
    "go_caches",
    "helm_folder",
    "is_complete",
    "missing_packages",
    "missing_things",
]


def is_complete(
    cache_dir: Path,
    given: GivenBinaries | None,
    *,
    with_cluster_api: bool = False,
) -> bool:
    """Tell whether the cache contains all artifacts that are slow to build.

    :param cache_dir: where artifacts are kept
    :param given: Kubernetes binaries to use instead of a build
    :param with_cluster_api: whether Cluster API and Helm are needed
    """
    wanted = [image.store_folder(cache_dir)]
    if given is None:
        wanted.append(kubernetes_binary.binary_file(cache_dir))
    if with_cluster_api:
        wanted += cluster_api.artifacts(cache_dir)
    return all(path.exists() for path in wanted)
