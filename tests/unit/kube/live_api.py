"""A loopback API that lives on between connections, as a real one does.

A watch begins at the version that it is asked for, and a log at the second;
both go on until the connection is cut.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

LOOK_EVERY_S = 0.01


class LiveApi:
    """Nodes that become Ready and a log that grows, one at each tick.

    :param nodes: how many there will be
    :param lines: how many lines the log will have
    :param every_s: seconds between two of either
    :param line_bytes: how long a line is
    """

    def __init__(
        self, nodes: int, lines: int, every_s: float, line_bytes: int
    ) -> None:
        self.closing = threading.Event()
        self.requests: list[str] = []
        self._nodes, self._lines = nodes, lines
        self._every_s = every_s
        self._line_bytes = line_bytes
        # By the first request: a client takes its time to be made.
        self._begun: float | None = None

    def line(self, number: int) -> str:
        """Return a line of the log, without its time stamp."""
        return f"line {number} ".ljust(self._line_bytes, "x")

    @property
    def lines(self) -> list[str]:
        """All lines that the log will have."""
        return [self.line(number) for number in range(self._lines)]

    def _ticks(self, most: int) -> int:
        now = time.monotonic()
        if self._begun is None:
            self._begun = now
        passed_s = now - self._begun
        return min(most, int(passed_s / self._every_s))

    def _node(self, number: int) -> dict[str, Any]:
        condition = {
            "type": "Ready",
            "status": "True",
            "lastTransitionTime": "2026-01-01T00:00:07Z",
        }
        return {
            "metadata": {
                "name": f"node-{number}",
                "resourceVersion": str(number + 1),
            },
            "status": {
                "allocatable": {"cpu": "1"},
                "conditions": [condition],
            },
        }

    def answer(self, target: str) -> Any:
        """Return what a request is answered: JSON, or an iterator of lines."""
        url = urllib.parse.urlparse(target)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.requests.append(target)
        if url.path.endswith("/log"):
            return self._log(query.get("sinceTime", ""))
        if url.path.endswith("/status"):
            over = self._ticks(self._lines) >= self._lines
            return {"status": {"phase": "Succeeded" if over else "Running"}}
        if "watch" in query:
            return self._watch(int(query["resourceVersion"]))
        now = self._ticks(self._nodes)
        return {
            "metadata": {"resourceVersion": str(now)},
            "items": [self._node(number) for number in range(now)],
        }

    def _log(self, since: str) -> Iterator[str]:
        for number in self._numbers(0, self._lines):
            # Ten lines in a second of its clock.
            second, tenth = divmod(number, 10)
            stamp = f"2026-01-01T00:00:{second:02}.{tenth}00000000Z"
            if stamp >= since[:-1]:
                yield f"{stamp} {self.line(number)}"

    def _watch(self, version: int) -> Iterator[str]:
        for number in self._numbers(version, self._nodes):
            yield json.dumps({"type": "ADDED", "object": self._node(number)})
        self.closing.wait()

    def _numbers(self, first: int, most: int) -> Iterator[int]:
        for number in range(first, most):
            while self._ticks(most) <= number:
                if self.closing.wait(LOOK_EVERY_S):
                    return
            yield number


@contextlib.contextmanager
def serve(
    *,
    nodes: int = 0,
    lines: int = 0,
    every_s: float = 0.02,
    line_bytes: int = 20,
) -> Iterator[tuple[LiveApi, tuple[str, int]]]:
    """Serve an API and hand over its address."""
    live = LiveApi(nodes, lines, every_s, line_bytes)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer = live.answer(self.path)
            with contextlib.suppress(OSError):
                if isinstance(answer, dict):
                    self._send(json.dumps(answer).encode())
                else:
                    self._stream(answer)

        def _send(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _stream(self, texts: Iterator[str]) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for text in texts:
                line = text.encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield live, ("127.0.0.1", server.server_port)
    finally:
        live.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
