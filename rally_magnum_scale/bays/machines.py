"""Let the servers that nodes of bays are fail, and mend them again.

Through Nova and Neutron, as the user who owns the bays: a server of a bay
belongs to the project of the bay.
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
from rally_magnum_scale import waiting

NETWORK = "network"
STOP = "stop"
DELETE = "delete"
HOWS = (NETWORK, STOP, DELETE)

# A server that starts has its disk and its place already.
MENDED_WITHIN_S = 300.0
POLL_INTERVAL_S = 1.0

_ERRORS = (
    openstack_errors.SDKException,
    keystone_errors.ClientException,
)
# HTTP statuses of a service that is busy, restarted, or being changed.
_PASSING = (409, 429, 500, 502, 503, 504)
_ADVICE = {
    403: "the user's role lacks the right to do this",
    404: "it is gone, or belongs to another project",
}


def connect(session: Any, region: str | None, interface: str | None) -> Any:
    """Open Nova and Neutron.

    :param session: an authenticated keystoneauth1 session
    :param region: name of the region, or None for the only one
    :param interface: ``public``, ``internal`` or ``admin``
    """
    return openstack_connection.Connection(
        session=session,
        region_name=region,
        interface=interface or "public",
    )


@dataclasses.dataclass(frozen=True)
class Loss:
    """A server that was let fail, with what undoes it.

    :param machine: id of the server
    :param how: :data:`NETWORK` or :data:`STOP`: the rest can't be undone
    :param ports: ids of the ports that are to come up again
    """

    machine: str
    how: str
    ports: tuple[str, ...] = ()


class Ledger(Protocol):
    """Remembers which servers are to be mended, also after a crash."""

    def enter(self, loss: Loss) -> None:
        """Remember a server that is about to fail."""

    def strike(self, machine: str) -> None:
        """Forget a server that is mended."""


class Unwritten:
    """A ledger of nothing, for bays that are deleted in the end."""

    def enter(self, loss: Loss) -> None:
        """Remember nothing."""

    def strike(self, machine: str) -> None:
        """Forget nothing."""


class Machines:
    """The servers in Nova that the nodes of bays are.

    :param connection: from :func:`connect`
    :param report: gets lines of progress
    :param ledger: is told before a server fails and after it was mended
    :param clock: monotonic seconds
    :param sleep: sleeps, and raises if the run is interrupted
    """

    def __init__(
        self,
        connection: Any,
        report: Callable[[str], None],
        ledger: Ledger | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = interruption.sleep,
    ) -> None:
        # Its parts ask the cloud what it has when they are first used.
        self._cloud = connection
        self._report = report
        self._ledger = ledger or Unwritten()
        self._clock = clock
        self._sleep = sleep
        self._put_down: dict[str, list[str]] = {}

    def fail(self, machine: str, how: str) -> None:
        """Let a server fail; return when OpenStack has accepted it.

        :param machine: id of the server
        :param how: one of :data:`HOWS`: put all its ports down, power it
            off, or delete it
        :raises MachineError: when OpenStack refuses, or there is no port to
            put down
        """
        if how == NETWORK:
            self._cut(machine)
        elif how == STOP:
            self._ledger.enter(Loss(machine, STOP))
            with _said_clearly("stop", machine):
                self._cloud.compute.stop_server(machine)
        elif how == DELETE:
            with _said_clearly("delete", machine):
                self._cloud.compute.delete_server(
                    machine, ignore_missing=False
                )
        else:
            raise _unknown(how)

    def revert(self, machine: str, how: str) -> None:
        """Undo :meth:`fail`; what is well already stays as it is.

        Ports come up that this object has put down, a server is started
        and waited for, and for one that was deleted nothing can be done.

        :param machine: id of the server
        :param how: that it failed
        :raises MachineError: when OpenStack refuses
        :raises DeadlineExceeded: when a server does not start
        """
        if how == NETWORK:
            self._connect(machine)
        elif how == STOP:
            self._start(machine)
        elif how != DELETE:
            raise _unknown(how)
        self._ledger.strike(machine)

    def recover(self, loss: Loss) -> None:
        """Mend what another run has let fail.

        :raises MachineGone: when there is nothing to mend any more
        :raises MachineError: when OpenStack refuses
        :raises DeadlineExceeded: when a server does not start
        """
        self._put_down[loss.machine] = list(loss.ports)
        self.revert(loss.machine, loss.how)

    def _cut(self, machine: str) -> None:
        with _said_clearly("list the ports of", machine):
            ports = list(self._cloud.network.ports(device_id=machine))
        ours = self._put_down.setdefault(machine, [])
        up = [port.id for port in ports if port.is_admin_state_up]
        if not up and not ours:
            what = "no port that is up" if ports else "no port"
            raise exceptions.MachineError(
                f"The server {machine} can't be taken off the network, since "
                f"Neutron shows {what} of it."
            )
        # First: the answer may get lost, and then it is down.
        ours += up
        self._ledger.enter(Loss(machine, NETWORK, tuple(ours)))
        for port in up:
            self._set_port(port, machine, up=False)

    def _connect(self, machine: str) -> None:
        ours = self._put_down.get(machine, [])
        while ours:
            self._wait_for(
                functools.partial(self._put_up, ours[-1], machine),
                f"a port of the server {machine} to be up",
                {"state": ""},
            )
            ours.pop()

    def _put_up(self, port: str, machine: str) -> bool:
        self._set_port(port, machine, up=True)
        return True

    def _set_port(self, port: str, machine: str, *, up: bool) -> None:
        with _said_clearly(f"put {'up' if up else 'down'} a port of", machine):
            self._cloud.network.update_port(port, is_admin_state_up=up)

    def _start(self, machine: str) -> None:
        seen = {"state": "", "asked": ""}

        def poll() -> bool | None:
            with _said_clearly("show", machine):
                server = self._cloud.compute.get_server(machine)
            status, task = server.status, server.task_state
            seen["state"] = f"{status} {task or ''}".strip()
            if status == "ERROR":
                raise exceptions.MachineError(
                    f"The server {machine} went to ERROR when it was to "
                    f"start: {_fault(server)}."
                )
            if task:
                # Nova refuses whatever is asked meanwhile.
                return None
            if status == "SHUTOFF" and not seen["asked"]:
                with _said_clearly("start", machine):
                    self._cloud.compute.start_server(machine)
                seen["asked"] = "yes"
            return True if status == "ACTIVE" else None

        self._wait_for(poll, f"the server {machine} to be ACTIVE", seen)

    def _wait_for(
        self,
        poll: Callable[[], bool | None],
        what: str,
        seen: dict[str, str],
    ) -> None:
        """Poll, also over a time in which OpenStack does not answer.

        :param seen: its ``state`` is told as progress
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
            deadline_s=MENDED_WITHIN_S,
            interval_s=POLL_INTERVAL_S,
            progress=lambda: seen["state"],
            report=self._report,
            clock=self._clock,
            sleep=self._sleep,
        )


@contextlib.contextmanager
def _said_clearly(what: str, machine: str) -> Iterator[None]:
    """Turn an error of the client into one sentence."""
    try:
        yield
    except _ERRORS as error:
        said = str(getattr(error, "details", None) or error)
        code = getattr(error, "status_code", None)
        answer = f" (HTTP {code})" if code else ""
        more = f"; {_ADVICE[code]}" if code in _ADVICE else ""
        gone = code == 404
        raise (exceptions.MachineGone if gone else exceptions.MachineError)(
            f"OpenStack could not {what} the server {machine}: "
            f"{' '.join(said.split()).rstrip('.')}{answer}{more}."
        ) from error


def _may_pass(error: BaseException | None) -> bool:
    """Tell whether the same request may succeed a little later."""
    if isinstance(error, openstack_errors.HttpException):
        return error.status_code in _PASSING
    return isinstance(error, keystone_errors.ConnectFailure)


def _fault(server: Any) -> str:
    fault = getattr(server, "fault", None) or {}
    said = fault.get("message") or "Nova gave no reason"
    return str(said).rstrip(".")


def _unknown(how: str) -> exceptions.InvalidInput:
    return exceptions.InvalidInput(
        f"A machine can't fail by {how!r}; choose one of {', '.join(HOWS)}."
    )
