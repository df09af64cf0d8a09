"""The sandbox's servers as processes: start, find, end."""

from __future__ import annotations

import pathlib
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace

from rally_magnum_sandbox import cgroups
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay.cgroups import CgroupTree
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import commands
from rally_magnum_scale import waiting

START_DEADLINE_S = 120.0
END_DEADLINE_S = 20.0


@dataclass(frozen=True)
class Server:
    """One server of the sandbox.

    :param name: of its log and record
    :param port: that it listens on, on 127.0.0.1
    :param command: that starts it
    :param env: its whole environment
    """

    name: str
    port: int
    command: tuple[str, ...]
    env: Mapping[str, str]


def cgroup(settings: sandbox_settings.Settings, name: str) -> str:
    """Name the control group of a server."""
    return f"{settings.cloud_cgroup}/{name}"


def record_file(state_dir: pathlib.Path, name: str) -> pathlib.Path:
    """Name the file that says which process a server is."""
    return state_dir / "run" / f"{name}.json"


def find(
    settings: sandbox_settings.Settings, name: str
) -> bay_folder.Process | None:
    """Find a server's process, if it is alive."""
    record = bay_folder.read_json(record_file(settings.state_dir, name))
    process = bay_folder.Process.of(record)
    return process if process is not None and process.alive() else None


def with_environment(server: Server, more: Mapping[str, str]) -> Server:
    """Add variables to a server's environment."""
    return replace(server, env={**server.env, **more})


def ensure(server: Server, settings: sandbox_settings.Settings) -> bool:
    """Start a server if it is not running, and wait until it listens.

    :returns: whether it had to be started
    :raises SandboxError: when it ends by itself, or its port is taken
    """
    started = ensure_started(server, settings)
    wait_until_up(server, settings)
    return started


def ensure_started(
    server: Server, settings: sandbox_settings.Settings
) -> bool:
    """Start a server if it is not running; it may not listen yet.

    :returns: whether it had to be started
    :raises SandboxError: when its port is taken
    """
    if find(settings, server.name):
        return False
    # A server that was killed may leave children that hold its port or
    # its data.
    end(settings, server.name)
    if listening(server.port):
        raise exceptions.SandboxError(
            f"{server.name} can't be started: something else listens on "
            f"127.0.0.1:{server.port}; end it, or set "
            f"{sandbox_settings.PORT_VARIABLE} to the first of four free "
            "ports."
        )
    _start(server, settings)
    return True


def wait_until_up(server: Server, settings: sandbox_settings.Settings) -> None:
    """Wait until a started server listens.

    :raises SandboxError: when it ended by itself
    """
    waiting.wait_for(
        lambda: _is_up(server, settings),
        what=f"{server.name} to listen on 127.0.0.1:{server.port}",
        deadline_s=START_DEADLINE_S,
        interval_s=0.05,
    )


def end(settings: sandbox_settings.Settings, name: str) -> None:
    """Kill a server and all that it started.

    :raises DeadlineExceeded: when something outlives that
    """
    CgroupTree(cgroup(settings, name)).kill(END_DEADLINE_S)


def listening(port: int) -> bool:
    """Tell whether something accepts connections on 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((sandbox_settings.HOST, port)) == 0


def _start(server: Server, settings: sandbox_settings.Settings) -> None:
    log = settings.logs_dir / f"{server.name}.log"
    group = cgroup(settings, server.name)
    command = cgroups.entering(group, list(server.command))
    with log.open("ab") as stream:
        child = subprocess.Popen(
            command,
            env=dict(server.env),
            cwd=settings.state_dir,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # The servers outlive this command: nobody here waits for them.
    child.returncode = 0
    bay_folder.write_json(
        record_file(settings.state_dir, server.name),
        bay_folder.Process.running(child.pid).record() | {"port": server.port},
    )


def _is_up(server: Server, settings: sandbox_settings.Settings) -> bool | None:
    if find(settings, server.name) is None:
        log = settings.logs_dir / f"{server.name}.log"
        raise exceptions.SandboxError(
            f"{server.name} ended as soon as it was started; the last line "
            f"of {log} is: {commands.last_line(log)}"
        )
    return True if listening(server.port) else None
