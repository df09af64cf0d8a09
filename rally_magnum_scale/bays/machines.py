"""Inject faults into the servers of bay nodes, and revert them.

The requests go to Nova and Neutron as the user who owns the bays, because
the servers of a bay belong to the bay's project.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import Protocol

from keystoneauth1 import exceptions as keystone_errors
from openstack import connection as openstack_connection
from openstack import exceptions as openstack_errors

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale import retries
from rally_magnum_scale import waiting
from rally_magnum_scale.bays import openstack_session

NETWORK = "network"
STOP = "stop"
DELETE = "delete"
HOWS = (NETWORK, STOP, DELETE)

# A stopped server keeps its disk and its host, so it starts quickly.
REVERTED_WITHIN_S = 300.0
POLL_INTERVAL_S = 1.0

_ERRORS = (
    openstack_errors.SDKException,
    keystone_errors.ClientException,
)
# HTTP statuses of a service that is busy or restarting, or of a resource
# that is being changed.
_PASSING = retries.TRANSIENT_STATUSES | {409}
_ADVICE = {
    403: "the user's role does not permit this",
    404: "the server is gone or belongs to another project",
}


def connect(session: Any, region: str | None, interface: str | None) -> Any:
    """Open a connection to Nova and Neutron.

    :param session: an authenticated keystoneauth1 session
    :param region: name of the region, or None for the only one
    :param interface: ``public``, ``internal`` or ``admin``
    """
    openstack_session.mount(session)
    return openstack_connection.Connection(
        session=session,
        region_name=region,
        interface=interface or "public",
    )


@dataclasses.dataclass(frozen=True)
class Loss:
    """A fault in a server, with what is needed to revert it.

    :param machine: id of the server
    :param how: :data:`NETWORK` or :data:`STOP`; a delete can't be reverted
    :param ports: ids of the ports that must be enabled again
    """

    machine: str
    how: str
    ports: tuple[str, ...] = ()


class Ledger(Protocol):
    """Records the faults to revert, so that they survive a crash."""

    def enter(self, loss: Loss) -> None:
        """Record a fault before it is injected."""

    def strike(self, machine: str) -> None:
        """Remove the record of a server whose fault was reverted."""


class Unwritten:
    """A ledger that records nothing, for bays that the run deletes."""

    def enter(self, loss: Loss) -> None:
        """Record nothing."""

    def strike(self, machine: str) -> None:
        """Remove nothing."""


class Machines:
    """The Nova servers on which the nodes of bays run.

    :param connection: from :func:`connect`
    :param log: callback for progress lines
    :param ledger: records each fault before it is injected, until it is
        reverted
    :param clock: monotonic seconds
    :param sleep: sleeps, and raises if the run is interrupted
    """

    def __init__(
        self,
        connection: Any,
        log: Callable[[str], None],
        ledger: Ledger | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = interruption.sleep,
    ) -> None:
        # Its proxies query the cloud's catalogue at their first use.
        self._cloud = connection
        self._log = log
        self._ledger = ledger or Unwritten()
        self._clock = clock
        self._sleep = sleep
        self._disabled_ports: dict[str, list[str]] = {}

    def fail(self, machine: str, how: str) -> None:
        """Inject a fault; return when OpenStack has accepted the request.

        :param machine: id of the server
        :param how: one of :data:`HOWS`: disable all its ports, stop it, or
            delete it
        :raises MachineError: when OpenStack refuses, or there is no port to
            disable
        """
        if how == NETWORK:
            self._cut(machine)
        elif how == STOP:
            self._ledger.enter(Loss(machine, STOP))
            with _translate_errors("stop", machine):
                self._cloud.compute.stop_server(machine)
        elif how == DELETE:
            with _translate_errors("delete", machine):
                self._cloud.compute.delete_server(
                    machine, ignore_missing=False
                )
        else:
            raise _unknown(how)

    def revert(self, machine: str, how: str) -> None:
        """Revert :meth:`fail`; do nothing for a server that works.

        Enables the ports that this object has disabled, or starts a stopped
        server and waits until it is ACTIVE.  A delete can't be reverted.

        :param machine: id of the server
        :param how: the fault that was injected
        :raises MachineGone: when the server no longer exists
        :raises MachineError: when OpenStack refuses
        :raises DeadlineExceeded: when the server does not start in time
        """
        try:
            if how == NETWORK:
                self._connect(machine)
            elif how == STOP:
                self._start(machine)
            elif how != DELETE:
                raise _unknown(how)
        except exceptions.MachineGone:
            self._ledger.strike(machine)
            raise
        self._ledger.strike(machine)

    def recover(self, loss: Loss) -> None:
        """Revert a fault that another run has injected.

        :raises MachineGone: when the server no longer exists
        :raises MachineError: when OpenStack refuses
        :raises DeadlineExceeded: when the server does not start in time
        """
        self._disabled_ports[loss.machine] = list(loss.ports)
        self.revert(loss.machine, loss.how)

    def _cut(self, machine: str) -> None:
        with _translate_errors("list the ports of", machine):
            ports = list(self._cloud.network.ports(device_id=machine))
        ours = self._disabled_ports.setdefault(machine, [])
        up = [port.id for port in ports if port.is_admin_state_up]
        if not up and not ours:
            what = "no active port" if ports else "no port"
            raise exceptions.MachineError(
                f"The server {machine} can't be disconnected from the "
                f"network: it has {what} in Neutron."
            )
        # Before the requests: a port may go down and its response get lost.
        ours += up
        self._ledger.enter(Loss(machine, NETWORK, tuple(ours)))
        for port in up:
            self._set_port(port, machine, up=False)

    def _connect(self, machine: str) -> None:
        ours = self._disabled_ports.get(machine, [])
        while ours:
            self._wait_for(
                functools.partial(self._enable_port, ours[-1], machine),
                f"a port of the server {machine} to be up",
                {"state": ""},
            )
            ours.pop()

    def _enable_port(self, port: str, machine: str) -> bool:
        self._set_port(port, machine, up=True)
        return True

    def _set_port(self, port: str, machine: str, *, up: bool) -> None:
        with _translate_errors(
            f"put {'up' if up else 'down'} a port of", machine
        ):
            self._cloud.network.update_port(port, is_admin_state_up=up)

    def _start(self, machine: str) -> None:
        seen = {"state": ""}
        start_requested = False

        def poll() -> bool | None:
            nonlocal start_requested
            with _translate_errors("show", machine):
                server = self._cloud.compute.get_server(machine)
            status, task = server.status, server.task_state
            seen["state"] = f"{status} {task or ''}".strip()
            if status == "ERROR":
                raise exceptions.MachineError(
                    f"The server {machine} went to ERROR instead of "
                    f"starting: {_fault(server)}."
                )
            if task:
                # Nova refuses other requests until the task ends.
                return None
            if status == "SHUTOFF" and not start_requested:
                with _translate_errors("start", machine):
                    self._cloud.compute.start_server(machine)
                start_requested = True
            return True if status == "ACTIVE" else None

        self._wait_for(poll, f"the server {machine} to be ACTIVE", seen)

    def _wait_for(
        self,
        poll: Callable[[], bool | None],
        what: str,
        seen: dict[str, str],
    ) -> None:
        """Poll, and retry while OpenStack is unavailable.

        :param seen: its ``state`` is reported as progress
        """

        def persist() -> bool | None:
            try:
                return poll()
            except exceptions.MachineError as error:
                if not _may_pass(error.__cause__):
                    raise
                seen["state"] = str(error)
                return None

        waiting.wait_for(
            persist,
            what=what,
            deadline_s=REVERTED_WITHIN_S,
            interval_s=POLL_INTERVAL_S,
            progress=lambda: seen["state"],
            log=self._log,
            clock=self._clock,
            sleep=self._sleep,
        )


@contextlib.contextmanager
def _translate_errors(what: str, machine: str) -> Iterator[None]:
    """Turn an error of the client into one sentence."""
    try:
        yield
    except _ERRORS as error:
        message = str(getattr(error, "details", None) or error)
        code = getattr(error, "status_code", None)
        answer = f" (HTTP {code})" if code else ""
        more = f"; {_ADVICE[code]}" if code in _ADVICE else ""
        gone = code == 404
        raise (exceptions.MachineGone if gone else exceptions.MachineError)(
            f"OpenStack could not {what} the server {machine}: "
            f"{' '.join(message.split()).rstrip('.')}{answer}{more}.",
            reason=message,
        ) from error


def _may_pass(error: BaseException | None) -> bool:
    """Return whether a retry may succeed."""
    if isinstance(error, openstack_errors.HttpException):
        return error.status_code in _PASSING
    return isinstance(error, keystone_errors.ConnectFailure)


def _fault(server: Any) -> str:
    fault = getattr(server, "fault", None) or {}
    message = fault.get("message") or "Nova gave no reason"
    return str(message).rstrip(".")


def _unknown(how: str) -> exceptions.InvalidInput:
    return exceptions.InvalidInput(
        f"{how!r} is not a fault of a machine; choose one of "
        f"{', '.join(HOWS)}."
    )
