"""The keep-alive connections of one worker, opened and reopened.

Sockets and epoll are the real ones of the operating system, also where
gevent has put its own in their place: a gevent socket costs a switch of
greenlets for each answer, which is thirty times what the answer costs.
"""

from __future__ import annotations

import errno
import socket as socket_module
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from gevent import monkey

from rally_magnum_scale.workload.in_bay import answers

Socket: Any = monkey.get_original("socket", "socket")
Epoll: Any = monkey.get_original("select", "epoll")

EPOLLIN = 0x001
EPOLLOUT = 0x004
BACK_OFF_NS = (0, 50_000_000, 100_000_000, 200_000_000, 500_000_000)
BACK_OFF_MAX_NS = 1_000_000_000

Receive = Callable[[int], bytes]
Send = Callable[[bytes], int]


class Connections:
    """Connections, of which each has one request at most.

    :param addresses: host and port of each target; the connections take
        them in turn and keep theirs when they are opened again
    :param count: how many are kept open
    :param clock_ns: the engine's clock
    """

    def __init__(
        self,
        addresses: Sequence[tuple[str, int]],
        count: int,
        clock_ns: Callable[[], int],
    ) -> None:
        self.epoll = Epoll()
        # Of each connection: how to receive and send, when its request was
        # sent (0 without one), and when that was intended.
        self.slots: dict[int, tuple[Receive, Send]] = {}
        self.sent_ns: dict[int, int] = {}
        self.intended_ns: dict[int, int] = {}
        # Those without a request, and since when: the longest first.
        self.idle: deque[tuple[int, int]] = deque()
        self._clock_ns = clock_ns
        self._resolved = [_resolve(address) for address in addresses]
        self._sockets: dict[int, Any] = {}
        self._opening_ns: dict[int, int] = {}
        self._pieces: dict[int, bytes] = {}
        self._attempts: dict[int, int] = {}
        # Which target each connection goes to.
        self._target: dict[int, int] = {}
        # When to open again, after how many attempts, to which target.
        self._closed: list[tuple[int, int, int]] = [
            (0, 0, number % len(addresses)) for number in range(count)
        ]

    @property
    def outstanding(self) -> list[int]:
        """The connections that wait for an answer."""
        return [fd for fd, at_ns in self.sent_ns.items() if at_ns]

    def open_closed(self, now_ns: int) -> list[OSError]:
        """Begin to open those whose time to wait is over.

        :returns: the errors of those that failed at once
        """
        waiting, self._closed = self._closed, []
        failed = []
        for due_ns, attempts, target in waiting:
            if due_ns > now_ns:
                self._closed.append((due_ns, attempts, target))
            elif error := self._open(target, attempts, now_ns):
                failed.append(error)
        return failed

    def opened(self, fd: int) -> None:
        """Note that a connection stands, if it was being opened.

        :raises OSError: the reason why it could not be opened
        """
        if fd not in self._opening_ns:
            return
        code = self._sockets[fd].getsockopt(
            socket_module.SOL_SOCKET, socket_module.SO_ERROR
        )
        if code:
            raise OSError(code, errno.errorcode.get(code, str(code)))
        del self._opening_ns[fd]
        self._attempts[fd] = 0
        self.epoll.modify(fd, EPOLLIN)
        self.rest(fd, self._clock_ns())

    def rest(self, fd: int, now_ns: int) -> None:
        """Mark a connection as idle."""
        self.sent_ns[fd] = 0
        self.idle.append((fd, now_ns))

    def keep_piece(self, fd: int, data: bytes) -> None:
        """Keep the beginning of an answer until its rest has come."""
        self._pieces[fd] = data
        receive, send = self._sockets[fd].recv, self._sockets[fd].send

        def receive_rest(size: int) -> bytes:
            more: bytes = receive(size)
            if not more:
                return more
            self._pieces[fd] += more
            if not answers.read(self._pieces[fd]).whole:
                raise BlockingIOError
            self.slots[fd] = receive, send
            return self._pieces.pop(fd)

        self.slots[fd] = receive_rest, send

    def has_piece(self, fd: int) -> bool:
        """Tell whether the beginning of an answer has come."""
        return fd in self._pieces

    def overdue(self, before_ns: int) -> list[int]:
        """Return those opened or asked before a moment, without answer."""
        return [
            fd
            for times_ns in (self.sent_ns, self._opening_ns)
            for fd, at_ns in times_ns.items()
            if 0 < at_ns < before_ns
        ]

    def close(self, fd: int, now_ns: int) -> bool:
        """Close a connection, to be opened again a little later.

        :returns: whether it had a request or was still being opened
        """
        was_opening = self._opening_ns.pop(fd, None) is not None
        had_request = bool(self.sent_ns.pop(fd, 0))
        attempts = self._attempts.pop(fd)
        self.intended_ns.pop(fd, None)
        self._pieces.pop(fd, None)
        del self.slots[fd]
        self._sockets.pop(fd).close()
        if not had_request and not was_opening:
            self.idle.remove(next(one for one in self.idle if one[0] == fd))
        self._open_later(self._target.pop(fd), attempts, now_ns)
        return had_request or was_opening

    def close_all(self) -> None:
        """Close everything for good."""
        for socket in self._sockets.values():
            socket.close()
        self._sockets.clear()
        self.epoll.close()

    def _open(self, target: int, attempts: int, now_ns: int) -> OSError | None:
        family, address = self._resolved[target]
        socket = Socket(family, socket_module.SOCK_STREAM)
        socket.setblocking(False)
        socket.setsockopt(
            socket_module.IPPROTO_TCP, socket_module.TCP_NODELAY, 1
        )
        code = socket.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            socket.close()
            self._open_later(target, attempts, now_ns)
            return OSError(code, errno.errorcode.get(code, str(code)))
        fd = socket.fileno()
        self._sockets[fd] = socket
        self._target[fd] = target
        self._attempts[fd] = attempts
        self._opening_ns[fd] = now_ns
        self.slots[fd] = socket.recv, socket.send
        self.epoll.register(fd, EPOLLIN | EPOLLOUT)
        return None

    def _open_later(self, target: int, attempts: int, now_ns: int) -> None:
        due_ns = now_ns + _back_off_ns(attempts)
        self._closed.append((due_ns, attempts + 1, target))


def _back_off_ns(attempts: int) -> int:
    if attempts < len(BACK_OFF_NS):
        return BACK_OFF_NS[attempts]
    return BACK_OFF_MAX_NS


def _resolve(address: tuple[str, int]) -> tuple[int, Any]:
    found = socket_module.getaddrinfo(*address, type=socket_module.SOCK_STREAM)
    return found[0][0], found[0][4]
