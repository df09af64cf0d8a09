from __future__ import annotations

import os
from pathlib import Path

import pytest

from rally_magnum_sandbox import artifacts
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.artifacts import builds
from rally_magnum_sandbox.artifacts import cluster_api
from rally_magnum_sandbox.artifacts import go_builds
from rally_magnum_sandbox.artifacts import image
from rally_magnum_sandbox.artifacts import kubernetes_binary
from rally_magnum_sandbox.artifacts import system_packages
from rally_magnum_scale import interruption

DEB822 = """\
Types: deb
# http://archive.invalid/snapshot
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://mirror.invalid/security
Suites: bookworm-security
Components: main
"""

# The "binary" that it builds contains its own command line.
FAKE_GO = """\
#!/bin/sh
case "$1" in
env) echo go1.99.0 ;;
list) [ "$2" = -deps ] || echo "$FAKE_MODULE" ;;
build)
    echo "$GOGC $GOMEMLIMIT $CGO_ENABLED $GOTOOLCHAIN $*" > "$5" ;;
esac
"""


@pytest.mark.parametrize(
    ("sources", "mirror"),
    [
        (DEB822, "http://mirror.invalid/debian"),
        ("deb http://a.invalid/d bookworm main\n", "http://a.invalid/d"),
        (
            "deb [arch=amd64 trusted=yes] http://a.invalid/d bookworm main\n",
            "http://a.invalid/d",
        ),
        ("deb http://a.invalid/d trixie main\n", None),
        ("# deb http://a.invalid/d bookworm main\n", None),
        ("", None),
    ],
)
def test_the_mirror_comes_from_the_machines_sources(
    sources: str, mirror: str | None
) -> None:
    assert image.find_mirror(sources) == mirror


def test_images_are_configured_like_the_stock_images() -> None:
    locust = image.CONFIGS[artifacts.LOCUST_IMAGE]
    assert (locust["User"], locust["Entrypoint"]) == ("locust", ["locust"])
    assert image.CONFIGS[artifacts.NGINX_IMAGE]["User"] == "101"
    described = image.image_config(locust, "ab")
    assert described["rootfs"]["diff_ids"] == ["sha256:ab"]
    assert described["config"]["Env"][0].startswith("PATH=")


def test_the_versions_of_the_build() -> None:
    assert artifacts.built_version().startswith("v1.33.")
    assert kubernetes_binary.PROGRAM.required_go() >= (1, 24)
    flags = " ".join(kubernetes_binary.version_flags("v1.33.13"))
    assert "version.gitMinor=33" in flags
    assert "version.gitVersion=v1.33.13" in flags
    core = cluster_api.CORE.module_version("sigs.k8s.io/cluster-api")
    assert core.startswith("v1.14.")
    helm = cluster_api.HELM.module_version("helm.sh/helm/v3")
    assert helm.startswith("v3.22.")


def test_the_compilers_run_without_debug_data_and_gc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install_fake_go(tmp_path / "bin", monkeypatch)
    monkeypatch.setenv("GOGC", "50")
    binary = artifacts.ensure_kubernetes_binary(
        tmp_path / "cache", lambda line: None
    )
    built = binary.read_text()
    assert built.startswith("off 1GiB 0 local build ")
    assert " -gcflags=all=-dwarf=false " in built
    assert " -trimpath " in built


def _install_fake_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = folder / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO)
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_cluster_api_is_kept_with_its_manifests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install_fake_go(tmp_path / "bin", monkeypatch)
    module = tmp_path / "module"
    crds = module / cluster_api.CRDS
    crds.mkdir(parents=True)
    (crds / "machines.yaml").write_text("kind: CustomResourceDefinition\n")
    webhooks = module / cluster_api.WEBHOOKS
    webhooks.parent.mkdir(parents=True)
    webhooks.write_text("kind: ValidatingWebhookConfiguration\n")
    monkeypatch.setenv("FAKE_MODULE", str(module))
    cache = tmp_path / "cache"
    folder = artifacts.ensure_cluster_api(cache, lambda line: None)
    names = sorted(
        str(x.relative_to(folder)) for x in folder.rglob("*") if x.is_file()
    )
    assert names == ["core", "crds/machines.yaml", "webhooks.yaml"]
    assert not all(x.exists() for x in cluster_api.artifacts(cache))
    helm = artifacts.ensure_helm(cache, lambda line: None)
    assert [x.name for x in helm.iterdir()] == ["helm"]
    assert helm == artifacts.helm_folder(cache)
    assert cluster_api.artifacts(cache) == [folder, helm]


def test_a_module_that_go_does_not_know_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install_fake_go(tmp_path / "bin", monkeypatch)
    with pytest.raises(exceptions.CommandFailed, match="cluster-api"):
        artifacts.ensure_cluster_api(tmp_path / "cache", lambda line: None)
    assert not cluster_api.CORE.artifact(tmp_path / "cache").exists()


def test_a_go_mod_without_the_module_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module a\n\ngo 1.26.0\n")
    program = go_builds.GoProgram("a", "A", tmp_path)
    assert program.required_go() == (1, 26, 0)
    with pytest.raises(exceptions.SandboxError, match="Restore"):
        program.module_version("k8s.io/kubernetes")


def test_a_cached_binary_is_not_built(tmp_path: Path) -> None:
    lines: list[str] = []
    binary = kubernetes_binary.binary_file(tmp_path)
    binary.touch()
    found = artifacts.ensure_kubernetes_binary(tmp_path, lines.append)
    assert (found, lines) == (binary, [])


def test_a_key_changes_with_any_part() -> None:
    keys = [
        builds.content_key(parts)
        for parts in ([b"a", b"b"], [b"ab", b""], [b"b", b"a"], [b"a", b"c"])
    ]
    assert len(set(keys)) == 4


def test_missing_packages_are_found() -> None:
    assert system_packages.missing_packages(["dpkg", "no-such-package"]) == [
        "no-such-package"
    ]


@pytest.mark.parametrize("own", [None, "#!/bin/sh\nexit 0\n"])
def test_no_service_starts_while_packages_are_installed(
    tmp_path: Path, own: str | None
) -> None:
    policy = tmp_path / "policy-rc.d"
    if own is not None:
        policy.write_text(own)
    with system_packages.services_held(policy):
        assert policy.read_text() == system_packages.FORBID
        assert policy.stat().st_mode & 0o111
    assert [path.read_text() for path in tmp_path.iterdir()] == (
        [own] if own else []
    )


def test_apt_get_is_not_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "apt-get"
    program.write_text('#!/bin/sh\ntouch "$0.done"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(system_packages, "PACKAGES_LOG", tmp_path / "log")
    handlers = interruption.install()
    try:
        interruption._note(2, None)
        system_packages._apt(["update"], ["runc"], lambda _: None)
    finally:
        interruption.restore(interruption.install())
        interruption.restore(handlers)
    assert (tmp_path / "apt-get.done").exists()


def test_the_next_build_removes_the_folder_of_a_killed_build(
    tmp_path: Path,
) -> None:
    for name in ("tmp-image-old", "tmp-kubernetes-other"):
        (tmp_path / name / "root").mkdir(parents=True)
    # The lock file of a dead process, which nobody holds.
    (tmp_path / "image.lock").write_text("left")
    lines: list[str] = []
    with (
        builds.locked(tmp_path, "image", lines.append),
        builds.working_folder(tmp_path, "image") as folder,
    ):
        assert folder.is_dir()
        assert not (tmp_path / "tmp-image-old").exists()
    assert lines == []
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["image.lock", "tmp-kubernetes-other"]


def test_a_cache_is_complete_if_nothing_must_be_built(
    tmp_path: Path,
) -> None:
    given = artifacts.GivenBinaries(tmp_path, "v1.33.4")
    assert not artifacts.is_complete(tmp_path, given)
    image.store_folder(tmp_path).touch()
    assert artifacts.is_complete(tmp_path, given)
    assert not artifacts.is_complete(tmp_path, None)
    kubernetes_binary.binary_file(tmp_path).touch()
    assert artifacts.is_complete(tmp_path, None)
