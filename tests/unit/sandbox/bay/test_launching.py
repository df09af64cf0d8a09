"""Recorded processes of a bay, without namespaces and so without root."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import launching
from rally_magnum_sandbox.bay import node as bay_node
from rally_magnum_scale import waiting


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[launching.Launcher]:
    procs = tmp_path / "cgroup.procs"
    procs.touch()
    made = launching.Launcher(tmp_path, procs)
    yield made
    for component in made.components():
        if component.process.alive():
            os.kill(component.process.pid, signal.SIGKILL)


def test_started_processes_are_recorded(
    launcher: launching.Launcher, tmp_path: Path
) -> None:
    started = launcher.start("etcd", "sleep", "60")
    (found,) = launching.Launcher(tmp_path, tmp_path / "x").components()
    assert found == started
    assert found.process.alive()
    assert found.command == ("sleep", "60")
    assert found.log == tmp_path / "etcd.log"


def test_a_restarted_component_appends_to_its_log(
    launcher: launching.Launcher, tmp_path: Path
) -> None:
    for word in ("first", "second"):
        component = launcher.start("etcd", "echo", word)
        waiting.wait_for(
            lambda c=component: None if c.process.alive() else True,
            what="echo",
            deadline_s=10,
            interval_s=0.01,
        )
    assert (tmp_path / "etcd.log").read_text() == "first\nsecond\n"
    with pytest.raises(exceptions.SandboxError, match="second"):
        component.check()


def test_a_process_is_found_in_its_namespaces() -> None:
    pid = os.getpid()
    own = launching.Namespace.of("node-0", pid, mounts=True)
    with subprocess.Popen(["sleep", "60"]) as child:
        assert own.holds(child.pid)
        child.kill()
    assert not own.holds(2**22 + 1)
    other = launching.Namespace("node-1", own.process, own.net, "mnt:[1]")
    assert not other.holds(pid)


def test_only_the_records_of_the_node_are_removed(
    launcher: launching.Launcher, tmp_path: Path
) -> None:
    records = tmp_path / launching.RECORDS
    records.mkdir()
    for name in ("node-1.kubelet.process", "node-10.kubelet.process"):
        (records / f"{name}.json").write_text("{}")
    launcher.forget("node-1")
    assert [x.name for x in records.iterdir()] == [
        "node-10.kubelet.process.json"
    ]
    assert launcher.components() == []


def test_the_wait_for_containerd_ends_when_it_listens(
    launcher: launching.Launcher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bay_node, "CONTAINERD_DEADLINE_S", 0)
    deep = tmp_path / ("deep" * 30)
    started = launcher.start("containerd", "sleep", "60", log_folder=deep)
    with pytest.raises(exceptions.DeadlineExceeded):
        bay_node.wait_for_containerd(started)
    run = deep / "run/containerd"
    run.mkdir(parents=True)
    monkeypatch.chdir(run)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("containerd.sock")
        with pytest.raises(exceptions.DeadlineExceeded, match="containerd"):
            bay_node.wait_for_containerd(started)
        server.listen()
        bay_node.wait_for_containerd(started)
    # The socket file is left behind.
    with pytest.raises(exceptions.DeadlineExceeded):
        bay_node.wait_for_containerd(started)
