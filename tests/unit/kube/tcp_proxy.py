"""A load balancer that cuts connections, on loopback."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

BUFFER = 4096
LOOK_EVERY_S = 0.02


class TcpProxy:
    """Forwards connections, until it cuts them.

    :param target: where connections go
    :param cut_every_s: how long a connection lives; None for ever
    :param cut_after_bytes: how much of the target's answers a connection
        forwards; None for all
    :param how: ``fin``, ``rst``, or ``silence``: nothing is forwarded any
        more, and the connection is not closed
    """

    def __init__(
        self,
        target: tuple[str, int],
        cut_every_s: float | None = None,
        cut_after_bytes: int | None = None,
        how: str = "fin",
    ) -> None:
        self.cut_every_s = cut_every_s
        self._cut_after_bytes = cut_after_bytes
        self.cuts = 0
        # While it is down, no connection is forwarded at all.
        self.is_down = False
        self._target = target
        self._how = how
        self._closing = False
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._listener.getsockname()[1]

    def close(self) -> None:
        """End all threads and close all connections."""
        self._closing = True
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self) -> None:
        self._listener.settimeout(LOOK_EVERY_S)
        while not self._closing:
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            if self.is_down:
                _reset(client)
                continue
            thread = threading.Thread(target=self._forward, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _forward(self, client: socket.socket) -> None:
        with (
            client,
            contextlib.suppress(OSError),
            socket.create_connection(self._target, 5) as server,
        ):
            self._pump({client: server, server: client}, client)

    def _pump(
        self,
        other: dict[socket.socket, socket.socket],
        client: socket.socket,
    ) -> None:
        begun = time.monotonic()
        left = self._cut_after_bytes
        while not self._closing:
            life_s = self.cut_every_s
            if (
                self.is_down
                or left == 0
                or (life_s is not None and time.monotonic() - begun > life_s)
            ):
                self._cut(client)
                return
            for ready in select.select([*other], [], [], LOOK_EVERY_S)[0]:
                is_answer = ready is not client and left is not None
                data = ready.recv(min(BUFFER, left) if is_answer else BUFFER)
                if not data:
                    return
                other[ready].sendall(data)
                if is_answer:
                    left -= len(data)

    def _cut(self, client: socket.socket) -> None:
        with self._lock:
            self.cuts += 1
        if self._how == "rst" or self.is_down:
            _reset(client)
        while self._how == "silence" and not self._closing:
            time.sleep(LOOK_EVERY_S)


@contextlib.contextmanager
def proxy(target: tuple[str, int], **options: Any) -> Iterator[TcpProxy]:
    """Run a proxy for as long as the context is open."""
    running = TcpProxy(target, **options)
    try:
        yield running
    finally:
        running.close()


def _reset(connection: socket.socket) -> None:
    # Linger of 0 s: close() sends RST and not FIN.
    connection.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    connection.close()
