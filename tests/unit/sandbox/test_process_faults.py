"""Processes of the sandbox that are killed on request."""

import contextlib
import os
import signal

import pytest

from rally_magnum_sandbox import bay_commands
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import process_faults
from rally_magnum_sandbox import processes
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import launching
from rally_magnum_sandbox.bay import roster
from rally_magnum_sandbox.servers import bay_folder


@pytest.fixture
def sandbox(tmp_path):
    found = sandbox_settings.Settings(tmp_path / "state", tmp_path / "cache")
    found.bays_dir.mkdir(parents=True)
    return found


@pytest.fixture
def bay(sandbox):
    """A complete bay with two real nodes, without a running process."""
    found = bay_folder.Bay(sandbox.bays_dir / "feedfeed")
    found.folder.mkdir()
    spec = {
        "name": "Night",
        "uuid": "feedfeed-uuid",
        "index": 7,
        "node_count": 2,
        "real_nodes": 2,
        "kubernetes_binary": "/binary",
        "image_store": "/image",
        "cgroup": "rally-magnum-sandbox/bays/feedfeed",
    }
    bay_folder.write_json(found.folder / "spec.json", spec)
    complete(found)
    members = (
        roster.Member(0, 0, whole=True),
        roster.Member(1, 1, whole=True),
        roster.Member(2, 2, whole=True, stopped=True),
    )
    roster.write(found.folder, roster.Roster(members))
    return found


@pytest.fixture
def start(bay, tmp_path):
    """Starts a component of the bay, in this machine's namespaces."""
    procs = tmp_path / "cgroup.procs"
    procs.touch()
    launcher = launching.Launcher(bay.folder, procs)
    started = []

    def run(name, namespace):
        here = Here(namespace, bay_folder.Process.running(os.getpid()), "", "")
        made = launcher.start(name, "sleep", "60", inside=here)
        started.append(made.process)
        return made.process

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


class Here(launching.Namespace):
    def entering(self, *command):
        return command


def complete(bay):
    bay_folder.write_json(
        bay.folder / "status.json", {"status": "CREATE_COMPLETE"}
    )


@pytest.mark.parametrize("name", ["Night", "feedfeed-uuid"])
def test_kubelet_of_the_first_real_node_is_killed(sandbox, start, name):
    first, second = start("kubelet", "node-0"), start("kubelet", "node-1")
    other = start("kube-proxy", "node-0")
    node = process_faults.stop_kubelet(sandbox, name, None)
    assert node == "night-node-0"
    assert not first.alive()
    assert second.alive()
    assert other.alive()


def test_kubelet_of_a_named_node_is_killed(sandbox, start):
    first, second = start("kubelet", "node-0"), start("kubelet", "node-1")
    process_faults.stop_kubelet(sandbox, "Night", "night-node-1")
    assert first.alive()
    assert not second.alive()


@pytest.mark.parametrize("node", ["night-hollow-0001", "night-node-2"])
def test_the_error_names_the_running_real_nodes(sandbox, bay, node):
    with pytest.raises(exceptions.InvalidInput) as error:
        process_faults.stop_kubelet(sandbox, "Night", node)
    assert node in str(error.value)
    assert "night-node-0, night-node-1." in str(error.value)


def test_a_bay_that_is_being_created_is_left_alone(sandbox, bay):
    own = bay_folder.Process.running(os.getpid()).record()
    bay.note(maker=own)
    with pytest.raises(exceptions.SandboxError, match="CREATE_IN_PROGRESS"):
        process_faults.stop_kubelet(sandbox, "Night", None)


def test_the_api_server_is_killed_and_then_repaired(
    sandbox, bay, start, monkeypatch
):
    process = start("kube-apiserver", launching.CONTROL)
    repaired = []

    def repair(command, folder):
        repaired.append((command, folder, process.alive()))
        return ["restarted kube-apiserver"]

    monkeypatch.setattr(bay_commands, "run", repair)
    line = process_faults.restart_api_server(sandbox, "Night")
    assert line == "restarted kube-apiserver"
    assert repaired == [("repair", bay.folder, False)]


def test_an_api_server_that_stays_down_is_an_error(sandbox, bay, monkeypatch):
    monkeypatch.setattr(bay_commands, "run", lambda *_: [])
    with pytest.raises(exceptions.SandboxError, match="sandbox up"):
        process_faults.restart_api_server(sandbox, "Night")


def test_magnum_is_killed_while_a_bay_is_being_created(
    sandbox, bay, monkeypatch
):
    killed = []
    states = iter(["CREATE_COMPLETE", "CREATE_IN_PROGRESS"])
    monkeypatch.setattr(
        process_faults.status, "bay_state", lambda _: next(states)
    )
    monkeypatch.setattr(processes, "end", lambda _, name: killed.append(name))
    process_faults.kill_conductor(sandbox, while_creating=True)
    assert (killed, list(states)) == (["magnum"], [])


def test_magnum_is_killed_at_once(sandbox, monkeypatch):
    killed = []
    monkeypatch.setattr(processes, "end", lambda _, name: killed.append(name))
    process_faults.kill_conductor(sandbox, while_creating=False)
    assert killed == ["magnum"]
