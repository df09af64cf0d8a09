"""What a person needs to find out why a test failed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from rally_magnum_sandbox import cloud
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox import status
from rally_magnum_sandbox import status_text
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import exceptions

LOG_LINES = 30
EVENTS = 40


def of_sandbox(
    settings: sandbox_settings.Settings,
) -> Iterator[tuple[str, str]]:
    """Give the state of a sandbox as titles and texts.

    :param settings: of the sandbox
    :returns: its status, the ends of its servers' logs, and for each bay
        the ends of its logs and the events that Kubernetes has recorded
    """
    if not settings.state_dir.exists():
        yield "sandbox", f"there is none in {settings.state_dir}"
        return
    yield "sandbox", "\n".join(status_text.lines(status.read(settings)))
    for server in cloud.ports(settings):
        yield f"log of {server}", _end_of(settings.logs_dir / f"{server}.log")
    for bay in bay_folder.Bays(settings.bays_dir).all():
        name = bay.spec().get("name", bay.folder.name)
        for log in sorted(bay.folder.rglob("*.log")):
            if text := _end_of(log):
                yield f"{log.relative_to(bay.folder)} of bay {name}", text
        yield f"events of bay {name}", _events(bay.folder)


def _end_of(log: Path) -> str:
    with contextlib.suppress(OSError):
        lines = log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])
    return ""


def _events(folder: Path) -> str:
    """List the newest events of a bay; if that fails, say why."""
    try:
        address = bay_spec.read_spec(folder).control_address
        client = api.ApiClient(address, bay_spec.API_PORT, folder)
        with contextlib.closing(client):
            events = json.loads(client.get("/api/v1/events"))["items"]
    except (exceptions.ScaleError, OSError) as error:
        return f"not to be had: {error}"
    events.sort(key=lambda event: event["metadata"]["creationTimestamp"])
    return "\n".join(
        f"{event['metadata']['creationTimestamp']} {event['type']} "
        f"{event['involvedObject']['kind']}/{event['involvedObject']['name']}"
        f" {event.get('reason')}: {event.get('message')}"
        for event in events[-EVENTS:]
    )
