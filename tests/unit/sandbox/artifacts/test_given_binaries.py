"""Kubernetes binaries that the user provides."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rally_magnum_sandbox import cli
from rally_magnum_sandbox import settings
from rally_magnum_sandbox.artifacts import given_binaries
from rally_magnum_scale import exceptions

# Abridged output of the official binaries.
SAID = {
    "etcd": "etcd Version: 3.5.21\nGit SHA: Not provided",
    "kwok": "kwok version v0.7.0 go1.24.3 (linux/amd64)",
}
ONE = "\n".join(
    f"{name}) echo '{SAID.get(name, 'Kubernetes v1.33.4')}';;"
    for name in given_binaries.COMPONENTS
)


def write(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "with 'quotes' in it"
    path.mkdir()
    for name in given_binaries.COMPONENTS:
        version(path / name, SAID.get(name, "Kubernetes v1.33.4"))
    return path


def version(path: Path, output: str) -> None:
    write(path, f"echo '{output}'; echo \"$0 $@\" >&2")


def test_a_folder_gets_one_program(folder: Path, tmp_path: Path) -> None:
    given = given_binaries.check_binaries(folder)
    assert given.version == "v1.33.4"
    program = given_binaries.ensure_program(given, tmp_path)
    assert given_binaries.ensure_program(given, tmp_path) == program
    done = subprocess.run(
        [program, "kubelet", "--a=b c", "*"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "Kubernetes v1.33.4\n"
    assert done.stderr == f"{folder}/kubelet --a=b c *\n"


def test_the_program_is_replaced_by_the_component(
    folder: Path, tmp_path: Path
) -> None:
    write(folder / "etcd", 'echo "etcd Version: 3.5.21"; echo $$; exit 7')
    given = given_binaries.GivenBinaries(folder, "v1.33.4")
    program = given_binaries.ensure_program(given, tmp_path)
    with subprocess.Popen([program, "etcd"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        output = child.stdout.read().decode().split()
    assert (int(output[-1]), child.returncode) == (child.pid, 7)


def test_a_single_binary_is_used_directly(tmp_path: Path) -> None:
    binary = write(tmp_path / "hyperkube", f'case "$1" in\n{ONE}\nesac')
    given = given_binaries.check_binaries(binary)
    assert given.version == "v1.33.4"
    assert given_binaries.ensure_program(given, tmp_path) == binary
    assert sorted(tmp_path.iterdir()) == [binary]


def sentences(path: Path) -> list[str]:
    with pytest.raises(exceptions.InvalidInput) as caught:
        given_binaries.check_binaries(path)
    return str(caught.value).split("\n")


def test_every_problem_is_reported(folder: Path) -> None:
    (folder / "etcd").unlink()
    (folder / "kwok").chmod(0o644)
    (folder / "kubelet").write_bytes(b"\x7fELF for another machine")
    write(folder / "kube-proxy", "echo cannot open 1.2.3 >&2; exit 4")
    write(folder / "kube-scheduler", "echo hello")
    wrong = sentences(folder)
    assert len(wrong) == 5
    assert wrong[0] == f"There is no etcd in {folder}. Add it."
    assert "hello" in wrong[1]
    assert "printed no version (Exec format error)" in wrong[2]
    assert "exit status 4: cannot open 1.2.3" in wrong[3]
    assert "chmod +x" in wrong[4]


def test_components_of_different_versions_are_refused(
    folder: Path,
) -> None:
    version(folder / "kubelet", "Kubernetes v1.32.9")
    version(folder / "kube-proxy", "Kubernetes v1.33.1")
    (wrong,) = sentences(folder)
    assert "kubelet 1.32" in wrong
    assert "kube-apiserver 1.33" in wrong


@pytest.mark.parametrize("text", ["1.30.14", "1.36.0"])
def test_an_unsupported_version_is_refused(folder: Path, text: str) -> None:
    for name in given_binaries.KUBERNETES:
        version(folder / name, f"Kubernetes v{text}")
    (wrong,) = sentences(folder)
    assert text.rpartition(".")[0] in wrong
    assert "supports 1.31 to 1.35" in wrong


def test_a_path_that_is_missing_or_hidden_from_nodes_is_refused(
    tmp_path: Path,
) -> None:
    (wrong,) = sentences(tmp_path / "none")
    assert "does not exist" in wrong
    (wrong,) = sentences(Path("/run"))
    assert "would not see them" in wrong


@pytest.mark.parametrize("by", ["option", "variable"])
def test_invalid_binaries_create_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    by: str,
) -> None:
    monkeypatch.setenv(settings.STATE_VARIABLE, str(tmp_path / "state"))
    monkeypatch.setenv(settings.CACHE_VARIABLE, str(tmp_path / "cache"))
    samples = Path(__file__).parents[4] / "samples"
    given = []
    if by == "option":
        given = ["--kubernetes-binaries", str(tmp_path / "none")]
    else:
        monkeypatch.setenv(settings.BINARIES_VARIABLE, str(tmp_path / "none"))
    task = ["--task", str(samples / "tasks" / "2m-rps.json")]
    task += ["--args", str(samples / "args" / "sandbox.json")]
    task += ["--reports", str(tmp_path / "reports")]
    assert cli.main(["demo", *task, *given]) == 1
    assert (
        f"{tmp_path}/none for Kubernetes binaries" in capsys.readouterr().err
    )
    assert list(tmp_path.iterdir()) == []
