"""HTTP servers on loopback that answer as scripted."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

# (method, path, body) -> (status, JSON answer)
Answer = Callable[[str, str, Any], tuple[int, Any]]


@contextlib.contextmanager
def serve(
    answer: Answer, headers: Callable[[], dict[str, str]] = dict
) -> Iterator[str]:
    """Serve JSON on loopback for as long as the context is open.

    :param headers: that every answer has besides
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet: two would wait for a delayed ACK.
        wbufsize = -1

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length) or "null")
            status, content = answer(self.command, self.path, body)
            sent = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            # Keystone gives a token in a header.
            self.send_header("X-Subject-Token", "token")
            for name, value in headers().items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
