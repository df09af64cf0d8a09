"""The container images of the sandbox's real nodes, which can't pull images.

The three images share one layer with nginx, Python and Locust. Users, ports
and entry points are the same as in the stock images ``locustio/locust`` and
``nginxinc/nginx-unprivileged``, so that a manifest that runs in the sandbox
also runs on a cloud.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
from pathlib import Path
from typing import Any

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.artifacts import builds
from rally_magnum_sandbox.bay.node import PAUSE_IMAGE
from rally_magnum_scale import commands

LOCUST_VERSION = "2.47.0"
LOCUST_IMAGE = f"rally-magnum-sandbox/locust:{LOCUST_VERSION}"
NGINX_IMAGE = "rally-magnum-sandbox/nginx:1.22"

SUITE = "bookworm"
PYTHON = "3.11"
PACKAGES = "python3,nginx-light"
RECIPE = Path(__file__).parents[1] / "image_build"
PLACES = {
    "docker-entrypoint.sh": "docker-entrypoint.sh",
    "locust": "usr/local/bin/locust",
    "nginx.conf": "etc/nginx/nginx.conf",
    "default.conf": "etc/nginx/conf.d/default.conf",
    "finish.sh": "finish.sh",
}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# The configuration of a containerd that only unpacks images.
UNPACKING = """\
version = 2
root = "{folder}/root"
state = "{folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{folder}/socket"
"""
# $1 is its folder, $2 the archive.
UNPACK = """
containerd --config "$1/containerd.toml" &
containerd=$!
trap 'kill $containerd; wait $containerd || true' EXIT
ask() { ctr --address "$1/socket" --namespace k8s.io images "$2" "$3"; }
for try in $(seq 300); do
    ! ask "$1" list --quiet || break
    kill -0 $containerd
    sleep 0.1
done
ask "$1" import "$2"
"""
CONFIGS: dict[str, dict[str, Any]] = {
    PAUSE_IMAGE: {
        "User": "65535",
        "Entrypoint": ["/bin/sleep", "infinity"],
    },
    LOCUST_IMAGE: {
        "User": "locust",
        "Entrypoint": ["locust"],
        "WorkingDir": "/home/locust",
        "ExposedPorts": {"5557/tcp": {}, "8089/tcp": {}},
        "Env": ["PYTHONUNBUFFERED=1"],
    },
    NGINX_IMAGE: {
        "User": "101",
        "Entrypoint": ["/docker-entrypoint.sh"],
        "Cmd": ["nginx", "-g", "daemon off;"],
        "ExposedPorts": {"8080/tcp": {}},
        "StopSignal": "SIGQUIT",
    },
}


def ensure_image(cache_dir: Path, log: commands.Log) -> Path:
    """Build and unpack the images, unless the cache has them.

    :param cache_dir: where artifacts are kept
    :param log: gets progress lines
    :returns: the root folder of a containerd with the three images
    :raises CommandFailed: if a step of the build fails
    """
    store = store_folder(cache_dir)
    if store.exists():
        return store
    with builds.locked(cache_dir, "image", log):
        archive = store.with_suffix(".tar")
        if not archive.exists():
            _build(archive, log)
        if not store.exists():
            log("unpacking the container image")
            _unpack(archive, store)
    return store


def store_folder(cache_dir: Path) -> Path:
    """Return the folder of the images, which exists only if complete."""
    return cache_dir / f"image-{_key()}.containerd"


def find_mirror(sources: str, suite: str = SUITE) -> str | None:
    """Find the archive of a suite in apt's sources.

    :param sources: the text of apt's source files, in either format
    :param suite: the code name of a Debian release
    :returns: the URL of the archive, or None
    """
    for line in sources.splitlines():
        found = re.match(r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)\s", line)
        if found and found[2] == suite:
            return str(found[1])
    for stanza in re.split(r"\n\s*\n", sources):
        fields = dict(
            re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE)
        )
        if suite in fields.get("Suites", "").split():
            return str(fields.get("URIs", "").split()[0])
    return None


def _key() -> str:
    recipe = [(RECIPE / name).read_bytes() for name in sorted(PLACES)]
    settings = [CONFIGS, LOCUST_VERSION, SUITE, PYTHON, PACKAGES]
    return builds.content_key([*recipe, json.dumps(settings).encode()])


def _build(archive: Path, log: commands.Log) -> None:
    log_file = archive.with_suffix(".log")
    log_file.parent.mkdir(parents=True, exist_ok=True)
    log_file.write_bytes(b"")
    with builds.working_folder(archive.parent, "image") as folder:
        root = folder / "root"
        _install_packages(root, log_file, log)
        _install_locust(root, log_file, log)
        for name, place in PLACES.items():
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(RECIPE / name, root / place)
        commands.run(
            ["unshare", "--mount", "chroot", str(root), "sh", "/finish.sh"],
            what="finish the container image",
            log_file=log_file,
            deadline_s=builds.DEADLINE_S,
            env={**os.environ, "PATH": PATH},
        )
        log("packing the container image")
        _pack(root, folder)
        (folder / "image.tar").rename(archive)


def _install_packages(root: Path, log_file: Path, log: commands.Log) -> None:
    log(f"installing Debian {SUITE}, nginx and Python for the image")
    commands.run(
        [
            *("unshare", "--mount", "--propagation", "private"),
            *("debootstrap", "--variant=minbase", f"--include={PACKAGES}"),
            *(SUITE, str(root), _mirror()),
        ],
        what="install Debian for the container image",
        log_file=log_file,
        deadline_s=builds.DEADLINE_S,
        log=log,
    )


def _unpack(archive: Path, store: Path) -> None:
    """Import the images into a containerd once, for all nodes of all bays."""
    log_file = archive.with_suffix(".log")
    with builds.working_folder(store.parent, "store") as folder:
        (folder / "containerd.toml").write_text(
            UNPACKING.format(folder=folder)
        )
        commands.run(
            [
                *("unshare", "--mount", "--propagation", "private"),
                *("sh", "-euc", UNPACK, "sh", str(folder), str(archive)),
            ],
            what="unpack the container image",
            log_file=log_file,
            deadline_s=builds.DEADLINE_S,
        )
        (folder / "root").rename(store)


def _mirror() -> str:
    folder = Path("/etc/apt")
    files = [
        folder / "sources.list",
        *folder.glob("sources.list.d/*.list"),
        *folder.glob("sources.list.d/*.sources"),
    ]
    text = "\n\n".join(file.read_text() for file in files if file.exists())
    mirror = find_mirror(text)
    if mirror is None:
        raise exceptions.MissingRequirement(
            f"The container image is built from Debian {SUITE}, but apt's "
            f"sources in {folder} have no archive for it. Add one."
        )
    return mirror


def _install_locust(root: Path, log_file: Path, log: commands.Log) -> None:
    log(f"installing Locust {LOCUST_VERSION} for the image")
    target = root / f"usr/local/lib/python{PYTHON}/dist-packages"
    commands.run(
        [
            *(sys.executable, "-m", "pip", "install", "--no-compile"),
            *("--target", str(target), "--python-version", PYTHON),
            *("--implementation", "cp", "--only-binary=:all:"),
            *("--root-user-action=ignore", f"locust=={LOCUST_VERSION}"),
        ],
        what="install Locust for the container image",
        log_file=log_file,
        deadline_s=builds.DEADLINE_S,
        log=log,
    )


def _pack(root: Path, folder: Path) -> None:
    layer = folder / "layer.tar"
    with tarfile.open(layer, "w") as tar:
        tar.add(root, arcname=".", filter=_without_times)
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    manifest = []
    with tarfile.open(folder / "image.tar", "w") as tar:
        tar.add(layer, arcname="layer.tar", filter=_without_times)
        for tag, config in CONFIGS.items():
            content = json.dumps(image_config(config, digest)).encode()
            name = f"{hashlib.sha256(content).hexdigest()}.json"
            _add(tar, name, content)
            manifest.append(
                {"Config": name, "RepoTags": [tag], "Layers": ["layer.tar"]}
            )
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def image_config(config: dict[str, Any], layer: str) -> dict[str, Any]:
    """Return the OCI configuration of an image with one layer.

    :param config: entry point, user and so on
    :param layer: the sha256 of the uncompressed layer, in hexadecimal
    :returns: the image configuration
    """
    environment = [f"PATH={PATH}", *config.get("Env", [])]
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {**config, "Env": environment},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created_by": "rally-magnum-sandbox"}],
    }


def _without_times(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 0
    member.uname = member.gname = ""
    return member


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
