"""The stub's servers and ports: the real nodes of the bays.

This serves Nova's list, show, stop, start and delete of servers, and
Neutron's list, show and update of ports. The actions are real: the stub
writes the requested state into the bay's folder, and a process applies it (see
:mod:`rally_magnum_sandbox.bay.machines`). As with Nova, the response comes
before the action is done.
"""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import machines
from rally_magnum_sandbox.bay import roster
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.servers import bay_folder

Answer = tuple[int, Any]

# vm_state to Nova's status and power_state.
STATES = {
    "building": ("BUILD", 0),
    "active": ("ACTIVE", 1),
    "stopped": ("SHUTOFF", 4),
}
# Nova's action to its name in messages, the vm_state that it requires, and
# the desired value of `stopped`.
ACTIONS = {
    "os-stop": ("stop", "active", True),
    "os-start": ("start", "stopped", False),
}


class Refused(Exception):
    """A response with an error status."""

    def __init__(self, status: int, content: Any) -> None:
        super().__init__(status)
        self.answer = (status, content)


@dataclass(frozen=True)
class Machine:
    """The server of a real node in its current state.

    :param bay: the node's bay
    :param node: the node's name and addresses
    :param member: the node's actual state
    :param wanted: the node's desired state
    :param working: whether a process is applying the desired state
    """

    bay: bay_folder.Bay
    node: bay_spec.RealNode
    member: roster.Member
    wanted: machines.Wanted
    working: bool

    @property
    def state(self) -> str:
        """Nova's vm_state."""
        made = self.member.whole or self.wanted.deleted
        if not made or not self.bay.status():
            return "building"
        return "stopped" if self.member.stopped else "active"

    @property
    def task(self) -> str | None:
        """Nova's task_state."""
        if not self.working:
            return None
        if self.wanted.deleted:
            return "deleting"
        if self.wanted.stopped == self.member.stopped:
            return None
        return "powering-off" if self.wanted.stopped else "powering-on"

    @property
    def cut(self) -> bool:
        """Whether its port is down or going down."""
        return self.wanted.cut if self.working else self.member.cut

    def server(self) -> dict[str, Any]:
        """Return the server in Nova's format."""
        status, power = STATES[self.state]
        made_s = self.bay.notes().get("created_s", 0)
        made = datetime.datetime.fromtimestamp(made_s, datetime.UTC)
        address = {"addr": self.node.address, "version": 4}
        return {
            "id": self.node.machine,
            "name": self.node.name,
            "status": status,
            "OS-EXT-STS:vm_state": self.state,
            "OS-EXT-STS:task_state": self.task,
            "OS-EXT-STS:power_state": power,
            "tenant_id": "sandbox",
            "user_id": "sandbox",
            "created": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "updated": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "metadata": {},
            "links": [],
            "image": "",
            "flavor": {
                "original_name": "sandbox.node",
                "vcpus": 4,
                "ram": 8192,
                "disk": 20,
                "ephemeral": 0,
                "swap": 0,
                "extra_specs": {},
            },
            "addresses": {"bay": [address]},
            "key_name": None,
            "locked": False,
        }

    def port(self) -> dict[str, Any]:
        """Return its port in Neutron's format."""
        down = self.cut or self.member.stopped
        return {
            "id": self.node.port,
            "name": "",
            "device_id": self.node.machine,
            "device_owner": "compute:nova",
            "admin_state_up": not self.cut,
            "status": "DOWN" if down else "ACTIVE",
            "network_id": self.bay.uuid,
            "tenant_id": "sandbox",
            "project_id": "sandbox",
            "fixed_ips": [{"ip_address": self.node.address}],
        }


class Machines:
    """The servers and ports of all bays of a sandbox.

    :param bays: of the sandbox
    :param start: starts the process that applies the desired state
    """

    def __init__(
        self,
        bays: bay_folder.Bays,
        start: Callable[..., bay_folder.Process] = (
            bay_folder.start_bay_command
        ),
    ) -> None:
        self._bays = bays
        self._start = start

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: Any
    ) -> Answer | None:
        """Answer one request; return None if no route matches it."""
        for pattern, handle in self._routes():
            match = re.fullmatch(pattern, f"{method} {path}")
            if match:
                try:
                    return handle(*match.groups(), query=query, body=body)
                except Refused as refused:
                    return refused.answer
        return None

    def _routes(self) -> list[tuple[str, Callable[..., Answer]]]:
        servers, ports = r"/compute/v2\.1/servers", r"/network/v2\.0/ports"
        return [
            (rf"GET {servers}(?:/detail)?", self._servers),
            (rf"GET {servers}/([^/]+)", self._server),
            (rf"POST {servers}/([^/]+)/action", self._act),
            (rf"DELETE {servers}/([^/]+)", self._delete),
            (rf"GET {ports}", self._ports),
            (rf"GET {ports}/([^/]+)", self._port),
            (rf"PUT {ports}/([^/]+)", self._set_port),
        ]

    def _servers(self, query: Mapping[str, str], **_: Any) -> Answer:
        found = [machine.server() for machine in self._all()]
        # Everything is on the first page.
        if "marker" in query:
            found = []
        name, status = query.get("name", ""), query.get("status", "")
        return 200, {
            "servers": [
                server
                for server in found
                if _is_in(name, server["name"])
                and server["status"].startswith(status.upper())
            ]
        }

    def _server(self, machine: str, **_: Any) -> Answer:
        return 200, {"server": self._by_server(machine).server()}

    def _act(self, machine: str, body: Any, **_: Any) -> Answer:
        action = next(iter(body or {}), "")
        if action not in ACTIONS:
            message = f"There is no such action: {action}"
            raise Refused(400, _nova("badRequest", 400, message))
        name, needed, stopped = ACTIONS[action]
        with self._bays.locked():
            found = self._by_server(machine)
            if found.task or found.state != needed:
                task = f"task_state {found.task}"
                state = task if found.task else f"vm_state {found.state}"
                raise _conflict(
                    f"Cannot '{name}' instance {machine} while it is in "
                    f"{state}"
                )
            self._request(found, stopped=stopped)
        return 202, None

    def _delete(self, machine: str, **_: Any) -> Answer:
        with self._bays.locked():
            self._request(self._by_server(machine), deleted=True)
        return 204, None

    def _ports(self, query: Mapping[str, str], **_: Any) -> Answer:
        found = [machine.port() for machine in self._all()]
        if "marker" in query:
            found = []
        return 200, {
            "ports": [
                port
                for port in found
                if all(
                    port[key] == value
                    for key, value in query.items()
                    if isinstance(port.get(key), str)
                )
            ]
        }

    def _port(self, port: str, **_: Any) -> Answer:
        return 200, {"port": self._by_port(port).port()}

    def _set_port(self, port: str, body: Any, **_: Any) -> Answer:
        up = (body or {}).get("port", {}).get("admin_state_up")
        if isinstance(up, bool):
            with self._bays.locked():
                self._request(self._by_port(port), cut=not up)
        return self._port(port)

    def _request(self, machine: Machine, **changes: bool) -> None:
        """Record the desired state, and start the process that applies it.

        The process is noted in the bay, so that a delete can kill it.
        """
        bay, name = machine.bay, machine.node.machine
        if machine.state == "building":
            raise _conflict(f"Instance {name} is in vm_state building")
        machines.want(bay.folder, machine.member.number, **changes)
        log = bay.folder / "machines.log"
        bay.note(machines=self._start("machines", bay, log).record())

    def _by_server(self, wanted: str) -> Machine:
        for machine in self._all():
            if machine.node.machine == wanted:
                return machine
        message = f"Instance {wanted} could not be found."
        raise Refused(404, _nova("itemNotFound", 404, message))

    def _by_port(self, wanted: str) -> Machine:
        for machine in self._all():
            if machine.node.port == wanted:
                return machine
        message = f"Port {wanted} could not be found."
        error = {"type": "PortNotFound", "message": message, "detail": ""}
        raise Refused(404, {"NeutronError": error})

    def _all(self) -> Iterator[Machine]:
        for bay in self._bays.all():
            # The bay may be incomplete, or be removed while it is read.
            with contextlib.suppress(exceptions.SandboxError, OSError):
                if not self._bays.tombstone(bay.uuid).exists():
                    yield from _machines(bay)


def _machines(bay: bay_folder.Bay) -> list[Machine]:
    spec = bay_spec.read_spec(bay.folder)
    # Check the process before reading its result: it writes, then exits.
    worker = bay_folder.Process.of(bay.notes().get("machines"))
    working = worker is not None and worker.alive()
    return [
        Machine(
            bay,
            member.node(spec),
            member,
            machines.wanted(bay.folder, member.number),
            working,
        )
        for member in roster.read(bay.folder).members
        if not member.deleted
    ]


def _is_in(pattern: str, name: str) -> bool:
    # Nova treats the name as a regular expression.
    with contextlib.suppress(re.error):
        return bool(re.search(pattern, name))
    return False


def _conflict(message: str) -> Refused:
    return Refused(409, _nova("conflictingRequest", 409, message))


def _nova(kind: str, code: int, message: str) -> Any:
    return {kind: {"code": code, "message": message}}
