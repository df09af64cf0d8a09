"""The keep-alive connections of one worker, and the wait for responses.

Sockets and epoll are those of the operating system, even where gevent has
replaced them.  A gevent socket needs a greenlet switch for each response,
which costs thirty times as much as the response itself.
"""

from __future__ import annotations

import errno
import functools
import os
import socket as socket_module
from collections import deque
from collections.abc import Callable
from typing import Any

from gevent import monkey

from rally_magnum_scale.in_bay import tls
from rally_magnum_scale.in_bay.http_responses import Reader
from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.meter import NS_PER_S

Socket: Any = monkey.get_original("socket", "socket")
Epoll: Any = monkey.get_original("select", "epoll")
_select = monkey.get_original("select", "select")

EPOLLIN = 0x001
EPOLLOUT = 0x004
EPOLLRDHUP = 0x2000
EPOLLET = 1 << 31
# Edge-triggered: epoll reports new data once.  A caller that leaves data
# unread must call ``rearm``.  The end of a connection is reported
# together with its last data.
EDGE_TRIGGERED = EPOLLIN | EPOLLRDHUP | EPOLLET
# Before each attempt to open a connection, and before all later ones.
BACK_OFF_NS = (
    0,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
)
# The empty buffer of a socket accepts this much at once with any kernel
# settings.
SENT_WHOLE_BYTES = 2048
NEVER_NS = 1 << 62
# Stands for the rest of a response that has been read.  No whole response is
# this single byte.
READ = b"\0"

# Maximum number of events per poll.
EVENTS = 256

Events = list[tuple[int, int]]
Receive = Callable[[int], bytes]
Send = Callable[[bytes], int]


class Connections:
    """Connections with at most one request each.

    The connections are assigned to the targets in turn.  A connection keeps
    its target when it is reopened.

    :param job: gives the targets and the number of connections
    :param clock_ns: the engine's clock
    """

    def __init__(self, job: Job, clock_ns: Callable[[], int]) -> None:
        self.epoll = Epoll()
        # By connection: its receive and send functions, when its request
        # was sent (0 without a request), and when that was intended.
        self.slots: dict[int, tuple[Receive, Send]] = {}
        self.sent_ns: dict[int, int] = {}
        self.intended_ns: dict[int, int] = {}
        # Idle connections, and since when; the longest idle first.
        self.idle: deque[tuple[int, int]] = deque()
        # A wait costs CPU time as well, and more under low load.  So only
        # the idle time shows how much more the engine could do.
        self.idle_ns = 0
        self._clock_ns = clock_ns
        self._bodiless = job.traffic.request.method == "HEAD"
        self._tls = tls.Client(job.tls) if job.tls else None
        # OpenSSL reads one record at a time and leaves the rest unread, so
        # TLS needs level-triggered epoll.
        self._watched = EPOLLIN if self._tls else EDGE_TRIGGERED
        self._request = job.request_bytes
        self._sent_whole = len(self._request) <= SENT_WHOLE_BYTES
        self._resolved = [_resolve(address) for address in job.targets]
        self._sockets: dict[int, Any] = {}
        self._opening_ns: dict[int, int] = {}
        self._readers: dict[int, Reader] = {}
        self._unsent: dict[int, bytes] = {}
        # The number of each connection, which stays when it is reopened,
        # and its failed attempts.
        self._number: dict[int, int] = {}
        connections = job.traffic.connections_per_worker
        self._attempts = [0] * connections
        # When to reopen which connection; and the first of these times.
        self._closed = [(0, number) for number in range(connections)]
        self.next_open_ns = 0

    @property
    def outstanding(self) -> list[int]:
        """The connections that wait for a response."""
        return [fd for fd, at_ns in self.sent_ns.items() if at_ns]

    def reopen_due(self, now_ns: int) -> list[OSError]:
        """Begin to open the connections whose backoff is over.

        :returns: the errors of attempts that failed immediately
        """
        failed = []
        for number in self._pop_due(now_ns):
            try:
                self._open(number, now_ns)
            except OSError as error:
                failed.append(error)
        return failed

    def resume(self, fd: int) -> None:
        """Continue to open, to send or to receive.

        :raises OSError: when that fails
        """
        if fd in self._opening_ns:
            self._finish_opening(fd)
        elif fd in self._unsent:
            self._send(fd, self._unsent[fd])
        else:
            self.rearm(fd)

    def rearm(self, fd: int) -> None:
        """Make epoll report unread data of a connection once more."""
        if fd not in self._opening_ns and fd not in self._unsent:
            self.epoll.modify(fd, self._watched)

    def mark_idle(self, fd: int, now_ns: int) -> None:
        """Mark a connection as idle."""
        self.sent_ns[fd] = 0
        self.idle.append((fd, now_ns))

    def read(self, fd: int, data: bytes) -> Reader | None:
        """Parse received data.

        :param data: the data; empty for the end of the connection
        :returns: the response; None as long as it is incomplete
        :raises OSError: when there is no response, or a malformed one
        """
        if data == READ:
            return self._readers.pop(fd)
        reader = Reader(self._bodiless)
        if reader.take(data):
            return reader
        self._readers[fd] = reader
        receive, send = self.slots[fd]

        def receive_rest(size: int) -> bytes:
            if not reader.take(receive(size)):
                raise BlockingIOError
            self.slots[fd] = receive, send
            return READ

        self.slots[fd] = receive_rest, send
        return None

    def overdue(self, before_ns: int) -> list[int]:
        """Return connections whose attempt or request began before a time."""
        times_ns = {**self._opening_ns, **self.sent_ns}
        return [fd for fd, at_ns in times_ns.items() if 0 < at_ns < before_ns]

    def wait(self, until_ns: int, due_ns: int) -> tuple[Events, int]:
        """Wait for events; return them and their time.

        It first polls epoll without a timeout.  Under load there is always an
        event, and a wait costs CPU time as well.

        Events after the end are left to the next second.

        :param until_ns: when to return without events
        :param due_ns: when the next request is due, for which a connection
            may be idle
        """
        poll, clock_ns = self.epoll.poll, self._clock_ns
        events, got_ns = poll(0, EVENTS), clock_ns()
        if not events:
            began_ns = got_ns
            events = self._sleep(got_ns, until_ns, due_ns)
            got_ns = clock_ns()
            self.idle_ns += got_ns - began_ns
        if got_ns < until_ns:
            return events, got_ns
        for fd, _ in events:
            self.rearm(fd)
        return [], got_ns

    def close(self, fd: int, now_ns: int) -> bool:
        """Close a connection, and reopen it after a backoff.

        :returns: whether the connection was still being opened
        """
        was_opening = fd in self._opening_ns
        if not self.sent_ns.get(fd) and not was_opening:
            self.idle.remove(next(one for one in self.idle if one[0] == fd))
        self._open_later(self._forget(fd), now_ns)
        return was_opening

    def close_all(self) -> None:
        """Close everything for good."""
        for socket in self._sockets.values():
            socket.close()
        self._sockets.clear()
        self.epoll.close()

    def _pop_due(self, now_ns: int) -> list[int]:
        """Return the numbers of connections whose backoff is over, once."""
        waiting, self._closed = self._closed, []
        due = []
        for one in waiting:
            if one[0] > now_ns:
                self._closed.append(one)
            else:
                due.append(one[1])
        self.next_open_ns = min(
            (at_ns for at_ns, _ in self._closed), default=NEVER_NS
        )
        return due

    def _open(self, number: int, now_ns: int) -> int:
        """Begin to open a connection; return its file descriptor."""
        family, address = self._resolved[number % len(self._resolved)]
        try:
            socket = Socket(family, socket_module.SOCK_STREAM)
        except OSError:
            self._open_later(number, now_ns)
            raise
        socket.setblocking(False)
        self._set_options(socket)
        code = socket.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            socket.close()
            self._open_later(number, now_ns)
            raise _error(code)
        fd: int = socket.fileno()
        self._number[fd] = number
        self._opening_ns[fd] = now_ns
        self._sockets[fd] = socket
        self.slots[fd] = _not_yet, _not_yet
        self.epoll.register(fd, EPOLLIN | EPOLLOUT)
        return fd

    def _set_options(self, socket: Any) -> None:
        socket.setsockopt(
            socket_module.IPPROTO_TCP, socket_module.TCP_NODELAY, 1
        )

    def _make_available(self, fd: int) -> None:
        """Make a socket available to the engine."""
        socket = self._sockets[fd]
        send = (
            socket.send
            if self._sent_whole
            else functools.partial(self._send, fd)
        )

        def receive_first(size: int) -> Any:
            data = socket.recv(size)
            # Only a target that responds resets the backoff.  A target that
            # closes each accepted connection would otherwise be connected
            # in an endless loop.
            if data:
                self._attempts[self._number[fd]] = 0
            self.slots[fd] = socket.recv, send
            return data

        self.slots[fd] = receive_first, send

    def _finish_opening(self, fd: int) -> None:
        socket = self._sockets[fd]
        if not isinstance(socket, tls.TlsSocket):
            code = socket.getsockopt(
                socket_module.SOL_SOCKET, socket_module.SO_ERROR
            )
            if code:
                raise _error(code)
            if self._tls:
                socket = self._sockets[fd] = self._tls.wrap(socket)
        if self._tls and (events := socket.shake_hands()):
            self.epoll.modify(fd, events)
            return
        del self._opening_ns[fd]
        self.epoll.modify(fd, self._watched)
        self._make_available(fd)
        self._note_established(fd)

    def _note_established(self, fd: int) -> None:
        """Note that a connection is established."""
        self.mark_idle(fd, self._clock_ns())

    def _send(self, fd: int, data: bytes) -> int:
        """Send as much as the socket accepts now, and the rest later."""
        was_waiting = self._unsent.pop(fd, None) is not None
        try:
            sent: int = self._sockets[fd].send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._unsent[fd] = data[sent:]
            self.epoll.modify(fd, EPOLLIN | EPOLLOUT)
        elif was_waiting:
            self.epoll.modify(fd, self._watched)
        return sent

    def _sleep(self, now_ns: int, until_ns: int, due_ns: int) -> Events:
        """Wait for a response, or until the next request is due."""
        if not self.idle:
            left_s = max(0, until_ns - now_ns) / NS_PER_S
            return self.epoll.poll(left_s, EVENTS)  # type: ignore[no-any-return]
        # epoll's timeout is in milliseconds.  select's timeout is in
        # microseconds, and select can wait for an epoll.
        left_s = max(0, min(until_ns, due_ns) - now_ns) / NS_PER_S
        ready = left_s and _select([self.epoll.fileno()], [], [], left_s)[0]
        return self.epoll.poll(0, EVENTS) if ready else []

    def _forget(self, fd: int) -> int:
        """Close a connection; return its number."""
        for known in (
            self._opening_ns,
            self._readers,
            self._unsent,
            self.intended_ns,
            self.sent_ns,
            self.slots,
        ):
            known.pop(fd, None)
        self._sockets.pop(fd).close()
        return self._number.pop(fd)

    def _open_later(self, number: int, now_ns: int) -> None:
        attempts = min(self._attempts[number], len(BACK_OFF_NS) - 1)
        due_ns = now_ns + BACK_OFF_NS[attempts]
        self._attempts[number] += 1
        self._closed.append((due_ns, number))
        self.next_open_ns = min(self.next_open_ns, due_ns)


def _not_yet(_: object) -> Any:
    raise BlockingIOError


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def _resolve(address: tuple[str, int]) -> tuple[int, Any]:
    found = socket_module.getaddrinfo(*address, type=socket_module.SOCK_STREAM)
    return found[0][0], found[0][4]
