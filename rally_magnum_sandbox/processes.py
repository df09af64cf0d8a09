"""Start, find and kill the processes of the sandbox's servers."""

from __future__ import annotations

import pathlib
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import commands
from rally_magnum_scale import waiting

START_DEADLINE_S = 120.0
END_DEADLINE_S = 20.0


@dataclass(frozen=True)
class Server:
    """One server of the sandbox.

    :param name: names its log and its record
    :param port: the port on 127.0.0.1 that it listens on
    :param command: the command that starts it
    :param env: its complete environment
    """

    name: str
    port: int
    command: tuple[str, ...]
    env: Mapping[str, str]


def cgroup(settings: sandbox_settings.Settings, name: str) -> str:
    """Return the name of a server's control group."""
    return f"{settings.cloud_cgroup}/{name}"


def record_file(state_dir: pathlib.Path, name: str) -> pathlib.Path:
    """Return the path of the file that records a server's process."""
    return state_dir / "run" / f"{name}.json"


def find(
    settings: sandbox_settings.Settings, name: str
) -> bay_folder.Process | None:
    """Return a server's process, or None if it is dead."""
    record = bay_folder.read_json(record_file(settings.state_dir, name))
    process = bay_folder.Process.of(record)
    return process if process is not None and process.alive() else None


def with_environment(server: Server, more: Mapping[str, str]) -> Server:
    """Add variables to a server's environment."""
    return replace(server, env={**server.env, **more})


def ensure(server: Server, settings: sandbox_settings.Settings) -> bool:
    """Start a server if it is not running, and wait until it listens.

    :returns: whether it was started
    :raises SandboxError: if it exits by itself, or its port is in use
    """
    started = ensure_started(server, settings)
    wait_until_up(server, settings)
    return started


def ensure_started(
    server: Server, settings: sandbox_settings.Settings
) -> bool:
    """Start a server if it is not running; it may not listen yet.

    :returns: whether it was started
    :raises SandboxError: if its port is in use
    """
    if find(settings, server.name):
        return False
    # A killed server may leave children that hold its port or its data.
    end(settings, server.name)
    if listening(server.port):
        raise exceptions.SandboxError(
            f"Can't start {server.name}: another process listens on "
            f"127.0.0.1:{server.port}. Stop that process, or set "
            f"{sandbox_settings.PORT_VARIABLE} to the first of four free "
            "ports."
        )
    _start(server, settings)
    return True


def wait_until_up(server: Server, settings: sandbox_settings.Settings) -> None:
    """Wait until a started server listens.

    :raises SandboxError: if it exited by itself
    """
    waiting.wait_for(
        lambda: _is_up(server, settings),
        what=f"{server.name} to listen on 127.0.0.1:{server.port}",
        deadline_s=START_DEADLINE_S,
        interval_s=0.05,
    )


def end(settings: sandbox_settings.Settings, name: str) -> None:
    """Kill a server and every process that it started.

    :raises DeadlineExceeded: if a process is still alive afterwards
    """
    cgroups.CgroupTree(cgroup(settings, name)).kill(END_DEADLINE_S)


def listening(port: int) -> bool:
    """Tell whether a port on 127.0.0.1 accepts connections."""
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
    # The servers outlive this command, which does not wait for them. A
    # return code stops Popen from warning about that.
    child.returncode = 0
    bay_folder.write_json(
        record_file(settings.state_dir, server.name),
        bay_folder.Process.running(child.pid).record() | {"port": server.port},
    )


def _is_up(server: Server, settings: sandbox_settings.Settings) -> bool | None:
    if find(settings, server.name) is None:
        log = settings.logs_dir / f"{server.name}.log"
        raise exceptions.SandboxError(
            f"{server.name} exited right after its start. The last line of "
            f"{log} is: {commands.last_line(log)}"
        )
    return True if listening(server.port) else None
