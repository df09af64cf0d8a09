"""A small HTTP server on loopback that misbehaves on demand."""

import contextlib
import re
import socket
import struct
import threading
import time

import pytest

from tests.unit import loads
from tests.unit.in_bay import locust_processes
from tests.unit.in_bay import processes

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
    b"Connection: keep-alive\r\n\r\nok\n"
)


def answer(connection, _number):
    connection.sendall(ANSWER)


def reset(connection):
    # Linger of 0 s: close() sends RST and not FIN.
    connection.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
    )
    connection.close()


def at_once(connection):
    """Let a piece not wait until the one before it has arrived."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def body_bytes(head):
    found = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return int(found[1]) if found else 0


class Server:
    """Answers one request after another, on a thread a connection.

    :param behave: gets the connection and the number of the request, from
        1, over all connections
    :param port: where it listens, 0 for anywhere
    :param host: the address where it listens
    :param accept_after_s: how long all but one have to wait at first
    :param context: of TLS
    """

    def __init__(
        self,
        behave=answer,
        port=0,
        accept_after_s=0.0,
        context=None,
        host="127.0.0.1",
    ):
        self._context = context
        self.behave = behave
        self.requests = 0
        self.received = set()
        self._lock = threading.Lock()
        self._connections = []
        self._listener = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=0 if accept_after_s else 64,
        )
        self._accept_after_s = accept_after_s
        self.port = self._listener.getsockname()[1]
        at = f"[{host}]" if ":" in host else host
        self.url = f"http://{at}:{self.port}/"
        # Each plain connection and its thread.
        self._serving = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    @property
    def connections(self):
        """How many there have been."""
        return len(self._connections)

    def _accept(self):
        time.sleep(self._accept_after_s)
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            thread.start()
            self._serving.append((connection, thread))

    def _serve(self, connection):
        if self._context:
            with contextlib.suppress(OSError):
                secured = self._context.wrap_socket(
                    connection, server_side=True
                )
                self._connections.append(secured)
                self._answer(secured)
        else:
            self._answer(connection)

    def _answer(self, connection):
        pending = b""
        while True:
            try:
                data = connection.recv(65536)
                if not data:
                    connection.shutdown(socket.SHUT_WR)
                    return
                pending += data
                while b"\r\n\r\n" in pending:
                    head, end, rest = pending.partition(b"\r\n\r\n")
                    size = body_bytes(head)
                    if len(rest) < size:
                        break
                    with self._lock:
                        self.received.add(head + end + rest[:size])
                        self.requests += 1
                        number = self.requests
                    pending = rest[size:]
                    self.behave(connection, number)
            except OSError:
                return

    def drain(self, most=None):
        """Answer all received requests, then close the connections.

        :param most: how many of them, None for all
        """
        serving = [one for one in self._serving if one[1].is_alive()][:most]
        for connection, _ in serving:
            # Its thread still reads what has come, and then an end.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        for _, thread in serving:
            thread.join(5)

    def close(self):
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._accepting.join(5)
        for _, thread in self._serving:
            thread.join(5)
        for connection in self._connections:
            connection.close()


@contextlib.contextmanager
def serving():
    """Start servers that are closed in the end."""
    servers = []

    def start(behave=answer, **options):
        servers.append(Server(behave, **options))
        return servers[-1]

    try:
        yield start
    finally:
        for server in servers:
            server.close()


@pytest.fixture
def serve():
    """Start servers that are closed when the test is over."""
    with serving() as start:
        yield start


@pytest.fixture
def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Behaviour:
    """What a server does with a request."""

    answer = staticmethod(answer)

    @staticmethod
    def stall_on(number, seconds):
        def behave(connection, request):
            if request == number:
                time.sleep(seconds)
            answer(connection, request)

        return behave

    @staticmethod
    def in_pieces(connection, _number):
        at_once(connection)
        for piece in (ANSWER[:9], ANSWER[9:-2], ANSWER[-2:]):
            connection.sendall(piece)
            time.sleep(0.002)

    @staticmethod
    def on(numbers, instead):
        def behave(connection, request):
            (instead if request in numbers else answer)(connection, request)

        return behave

    @staticmethod
    def reset(connection, _number):
        reset(connection)

    @staticmethod
    def cut(connection, _number):
        connection.sendall(ANSWER[:-2])
        connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def silence(_connection, _number):
        pass

    @staticmethod
    def status(connection, _number):
        connection.sendall(ANSWER.replace(b"200 OK", b"503 No"))

    @staticmethod
    def longer(connection, _number):
        body = ANSWER.replace(b"Length: 3", b"Length: 4")
        connection.sendall(body[:-1] + b"k\n")

    @staticmethod
    def overrun(connection, _number):
        connection.sendall(ANSWER + b"x")

    @staticmethod
    def other_protocol(connection, _number):
        connection.sendall(b"SSH-2.0")

    @staticmethod
    def two_lengths(connection, _number):
        connection.sendall(ANSWER[:-5] + b"Content-Length: 4\r\n")

    @staticmethod
    def head_alone(connection, _number):
        connection.sendall(ANSWER[:-3])

    @staticmethod
    def until_the_end(connection, _number):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def numbered(connection, number):
        head, _, body = ANSWER.partition(b"\r\n\r\n")
        number = b"\r\nX-Number: %08d\r\n\r\n" % number
        connection.sendall(head + number + body)

    @staticmethod
    def close(connection, _number):
        connection.sendall(ANSWER.replace(b"keep-alive", b"close"))
        connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def leave(connection, _number):
        # The end comes in the same packet, and nothing announces it.
        connection.send(ANSWER, socket.MSG_MORE)
        connection.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def of_bytes(size):
        """Answer with so many bytes, head and body."""
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
        body = size - len(head % size)
        whole = head % body + b"x" * body
        return lambda connection, _: connection.sendall(whole)

    @staticmethod
    def chunked(connection, _number):
        at_once(connection)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        time.sleep(0.001)
        connection.sendall(b"3\r\nok\n\r\n0\r\n\r\n")


@pytest.fixture
def behaviour():
    return Behaviour


@pytest.fixture(scope="session")
def locust():
    """Start what the processes of Locust are forked from."""
    with locust_processes.serving() as orders:
        yield orders


@pytest.fixture(scope="session")
def code(tmp_path_factory):
    """Make the folder of the package that all loads run."""
    return tmp_path_factory.mktemp("code")


@pytest.fixture
def make_bay(tmp_path, code, free_port, locust):
    """Make the pods of loads, as processes that end with the test."""
    bays = []

    def make(url, *steps, service_ip="127.0.0.1", **changes):
        spec = loads.load_spec(
            *steps,
            **{"workers": 2, "connections_per_worker": 4, **changes},
        )
        bays.append(
            processes.Bay(
                tmp_path, code, spec, url, free_port, locust, service_ip
            )
        )
        return bays[-1]

    yield make
    for bay in bays:
        bay.close()
