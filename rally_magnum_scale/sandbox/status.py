"""What of the sandbox runs, line by line."""

from __future__ import annotations

import time

from rally_magnum_scale.sandbox import cloud
from rally_magnum_scale.sandbox import processes
from rally_magnum_scale.sandbox import settings as sandbox_settings
from rally_magnum_scale.sandbox.servers import bay_folder


def lines(settings: sandbox_settings.Settings) -> list[str]:
    """Describe each server and each bay in one line."""
    if not settings.state_dir.exists():
        return [f"there is no sandbox in {settings.state_dir}"]
    ports = {
        "postgres": settings.postgres_port,
        "keystone": settings.keystone_port,
        "magnum": settings.magnum_port,
        "stub": settings.stub_port,
    }
    bays = bay_folder.Bays(settings.bays_dir).all()
    return [
        *(server_line(settings, name, ports[name]) for name in cloud.SERVERS),
        *(bay_line(bay, time.time()) for bay in bays),
        f"{len(bays)} bay(s)",
    ]


def server_line(
    settings: sandbox_settings.Settings, name: str, port: int
) -> str:
    """Describe a server: name, pid, port, up or down."""
    process = processes.find(settings.state_dir, name)
    is_up = process is not None and processes.listening(port)
    pid = process.pid if process is not None else "-"
    state = "up" if is_up else "down"
    return f"{name:<10} pid {pid:<8} 127.0.0.1:{port:<6} {state}"


def bay_line(bay: bay_folder.Bay, now_s: float) -> str:
    """Describe a bay: name, uuid, status, nodes, age."""
    spec, notes = bay.spec(), bay.notes()
    nodes, real = spec.get("node_count", 0), spec.get("real_nodes", 0)
    age_s = now_s - notes.get("created_s", now_s)
    return (
        f"bay {spec.get('name')} {bay.uuid} {bay_state(bay)} "
        f"{nodes} nodes ({real} real), {age_s:.0f} s old"
    )


def bay_state(bay: bay_folder.Bay) -> str:
    """Tell a bay's state from its folder, as Magnum's driver does."""
    notes = bay.notes()
    for key, state in (("deleter", "DELETE"), ("maker", "CREATE")):
        process = bay_folder.Process.of(notes.get(key))
        if process is not None and process.alive():
            return f"{state}_IN_PROGRESS"
    return str(bay.status().get("status", "CREATE_FAILED"))
