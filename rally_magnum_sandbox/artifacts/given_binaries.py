"""Kubernetes binaries that the user provides instead of a build.

Bays run one program whose first argument names the component. For a folder
with the official binaries, a small script is that program.
"""

from __future__ import annotations

import concurrent.futures
import os
import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.artifacts import builds
from rally_magnum_sandbox.bay import spec as bay_spec

COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kwok",
)
KUBERNETES = tuple(name for name in COMPONENTS if name.startswith("kube"))
# kubelet 1.30 does not support failCgroupV1, and kubelet 1.36 needs a newer
# containerd than Debian 12 has.
OLDEST, NEWEST = (1, 31), (1, 35)
ANSWER_DEADLINE_S = 20.0
VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)\S*")
SCRIPT = """\
#!/bin/sh
# Runs a component of Kubernetes: the first argument is its name.
component=$1
shift
exec {folder}/"$component" "$@"
"""


@dataclass(frozen=True)
class GivenBinaries:
    """Checked binaries.

    :param path: a folder, or one binary that contains every component
    :param version: of Kubernetes, such as ``v1.33.13``
    """

    path: Path
    version: str

    @property
    def key(self) -> str:
        """A key for the script that starts them."""
        return builds.content_key([os.fsencode(self.path)])


def check_binaries(path: Path) -> GivenBinaries:
    """Check that a path has every component, and that each component runs.

    :param path: a folder with the official binaries, or one binary that
        takes a component's name as its first argument
    :returns: the binaries
    :raises InvalidInput: with one sentence for each problem
    """
    path = path.absolute()
    if not path.exists():
        raise exceptions.InvalidInput(
            f"The path {path} for Kubernetes binaries does not exist. Name a "
            f"folder with {', '.join(COMPONENTS)}, or one binary that "
            "contains all of them."
        )
    _check_place(path)
    with concurrent.futures.ThreadPoolExecutor(len(COMPONENTS)) as pool:
        answers = list(pool.map(lambda x: _version_of(path, x), COMPONENTS))
    wrong = [answer.wrong for answer in answers if answer.wrong]
    if not wrong:
        wrong = _compare({x.name: x.version for x in answers})
    if wrong:
        raise exceptions.InvalidInput("\n".join(wrong))
    version = next(x.version for x in answers if x.name == "kube-apiserver")
    return GivenBinaries(path, "v{}.{}.{}".format(*version))


def ensure_program(given: GivenBinaries, cache_dir: Path) -> Path:
    """Return the program that starts every component.

    :param given: checked binaries
    :param cache_dir: where the script for a folder is kept
    :returns: a program whose first argument names the component
    """
    if given.path.is_file():
        return given.path
    program = cache_dir / f"kubernetes-given-{given.key}"
    draft = program.with_suffix(f".{os.getpid()}")
    draft.write_text(SCRIPT.format(folder=shlex.quote(str(given.path))))
    draft.chmod(0o755)
    draft.replace(program)
    return program


@dataclass(frozen=True)
class _Answer:
    name: str
    version: tuple[int, ...] = ()
    wrong: str = ""


def _check_place(path: Path) -> None:
    for hidden in bay_spec.HIDDEN:
        if path.is_relative_to(hidden):
            raise exceptions.InvalidInput(
                f"Can't use Kubernetes binaries in {path}: real nodes have "
                f"their own {hidden} and would not see them. Move the "
                "binaries to another folder."
            )


def _version_of(path: Path, name: str) -> _Answer:
    binary = path / name if path.is_dir() else path
    command = [str(binary)] if path.is_dir() else [str(binary), name]
    if not binary.is_file():
        return _Answer(name, wrong=f"There is no {name} in {path}. Add it.")
    if not os.access(binary, os.X_OK):
        sentence = f"{binary} is not executable. Run chmod +x on it."
        return _Answer(name, wrong=sentence)
    text, problem = _version_text([*command, "--version"])
    found = VERSION.search(text)
    if found is None:
        sentence = (
            f"`{' '.join(command)} --version` printed no version "
            f"({problem}). Replace it with a {name} that runs on this machine."
        )
        return _Answer(name, wrong=sentence)
    return _Answer(name, tuple(map(int, found.groups())))


def _version_text(command: list[str]) -> tuple[str, str]:
    """Return the output, and the problem if it has no version."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=ANSWER_DEADLINE_S,
        )
    except subprocess.TimeoutExpired:
        return "", f"no output within {ANSWER_DEADLINE_S:.0f} s"
    except OSError as error:
        return "", str(error.strerror)
    lines = (done.stderr + done.stdout).strip().splitlines() or ["nothing"]
    if done.returncode:
        return "", f"exit status {done.returncode}: {lines[-1][:200]}"
    return done.stdout, f"it printed: {lines[-1][:200]}"


def _compare(versions: dict[str, tuple[int, ...]]) -> list[str]:
    minors = {name: versions[name][:2] for name in KUBERNETES}
    if len(set(minors.values())) > 1:
        listed = ", ".join(f"{n} {a}.{b}" for n, (a, b) in minors.items())
        return [
            f"The Kubernetes binaries have different versions ({listed}). "
            "Use binaries of the same minor version."
        ]
    minor = minors["kube-apiserver"]
    if not OLDEST <= minor <= NEWEST:
        return [
            "The Kubernetes binaries have the version {}.{}, but the sandbox "
            "supports {}.{} to {}.{}. Use a supported version.".format(
                *minor, *OLDEST, *NEWEST
            )
        ]
    return []
