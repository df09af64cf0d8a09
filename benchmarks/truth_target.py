"""An HTTP server that delays its answers as told, and logs when it gave them.

It is a process of its own: ``python truth_target.py LOG DELAYS SPIN``.
``DELAYS`` is a JSON file with the delays in µs, given to the requests in
the order in which they come, from the first again when they are used up.
It prints its port, then a second line at the first request, answers until
SIGTERM, and writes to ``LOG`` when each request came and was answered.

Only the standard library is used, and nothing of what is to be checked.
"""

from __future__ import annotations

import heapq
import json
import select
import signal
import socket
import sys
import time
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
HEAD_END = b"\r\n\r\n"
IDLE_S = 0.05
# So long before an answer is due the server stops sleeping and looks at
# the clock: a sleep ends some tens of µs late.
SPIN_NS = 300_000


class Target:
    """The server.

    :param delays_us: how long each answer is held back
    :param spin: never sleep, which takes a core: a request is seen at once
    """

    def __init__(self, delays_us: list[int], *, spin: bool) -> None:
        self._delays_ns = [one * 1000 for one in delays_us]
        self._spin = spin
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        self._connections: dict[int, socket.socket] = {}
        # When to answer, the number of the request, when it came, and whom.
        self._waiting: list[tuple[int, int, int, int]] = []
        self._number = 0
        self.received_ns: list[int] = []
        self.sent_ns: list[int] = []
        self.stopped = False

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Answer until it is stopped."""
        while not self.stopped:
            for fd, _ in self._poll():
                if fd == self._listener.fileno():
                    self._accept()
                else:
                    self._receive(fd)
            self._answer_due()

    def _poll(self) -> list[tuple[int, int]]:
        if found := self._epoll.poll(0):
            return found
        left_s = IDLE_S
        if self._waiting:
            left_ns = self._waiting[0][0] - time.perf_counter_ns() - SPIN_NS
            left_s = min(IDLE_S, left_ns / 1e9)
        if self._spin or left_s <= 0:
            return []
        # epoll counts in milliseconds; select, in microseconds, can wait
        # for an epoll.
        select.select([self._epoll.fileno()], [], [], left_s)
        return self._epoll.poll(0)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections[connection.fileno()] = connection
        self._epoll.register(connection.fileno(), select.EPOLLIN)

    def _receive(self, fd: int) -> None:
        try:
            data = self._connections[fd].recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self._connections.pop(fd).close()
            return
        now_ns = time.perf_counter_ns()
        for _ in range(data.count(HEAD_END)):
            if not self._number:
                say("asked")
            delay_ns = self._delays_ns[self._number % len(self._delays_ns)]
            due = (now_ns + delay_ns, self._number, now_ns, fd)
            heapq.heappush(self._waiting, due)
            self._number += 1

    def _answer_due(self) -> None:
        waiting = self._waiting
        while waiting and waiting[0][0] <= time.perf_counter_ns():
            _, _, received_ns, fd = heapq.heappop(waiting)
            connection = self._connections.get(fd)
            if connection is None:
                continue
            # Before it is sent: what comes after is on the way.
            self.sent_ns.append(time.perf_counter_ns())
            self.received_ns.append(received_ns)
            connection.send(ANSWER)


def say(line: str) -> None:
    """Tell whoever started the server."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(log: str, delays: str, spin: str) -> None:
    """Serve, then write the log."""
    target = Target(json.loads(Path(delays).read_text()), spin=spin == "yes")

    def stop(*_: object) -> None:
        target.stopped = True

    signal.signal(signal.SIGTERM, stop)
    say(str(target.port))
    target.serve()
    found = {
        "epoch_ns": time.time_ns() - time.perf_counter_ns(),
        "received_ns": target.received_ns,
        "sent_ns": target.sent_ns,
    }
    Path(log).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
