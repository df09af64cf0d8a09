"""The sandbox's servers as processes."""

import socket

import pytest

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import processes
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.servers import bay_folder


@pytest.fixture
def sandbox(tmp_path):
    return sandbox_settings.Settings(tmp_path, tmp_path / "cache")


@pytest.fixture
def taken_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_an_open_port_is_detected(taken_port):
    assert processes.listening(taken_port)


def test_a_closed_port_is_detected():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert not processes.listening(port)


def test_a_server_that_was_never_started_is_not_found(sandbox):
    assert processes.find(sandbox, "keystone") is None


def test_a_record_of_another_boot_is_ignored(sandbox, tmp_path):
    (tmp_path / "run").mkdir()
    bay_folder.write_json(
        processes.record_file(tmp_path, "keystone"),
        {"pid": 1, "start_ticks": -5, "port": 15000},
    )
    assert processes.find(sandbox, "keystone") is None


def test_the_error_names_a_port_that_is_in_use(sandbox, taken_port):
    server = processes.Server("unit-test", taken_port, ("true",), {})
    with pytest.raises(exceptions.SandboxError, match=rf":{taken_port}\."):
        processes.ensure_started(server, sandbox)
