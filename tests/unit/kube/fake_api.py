"""A loopback server that streams like the Kubernetes API, and breaks off."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import kubernetes.client

from rally_magnum_scale.kube import client


class FakeApi:
    """Answers requests in turn from a script for each path.

    :param script: path to a list of answers: a dict is one JSON answer, a
        list is a stream of lines (dicts as JSON) that is then cut off
        without an end, an int is an HTTP error, a float is so many seconds
        of silence before the connection is closed, a str is a plain text;
        the last one stays.  A path with ``?NAME`` is for requests with a
        label selector that ends with ``=NAME``.  A path with ``?limit=1`` is
        for the lists that a watch requests when it is resumed; without it,
        they are refused
    """

    def __init__(self, script: dict[str, list[Any]]) -> None:
        self.script = script
        # Without those with ``limit=1``.
        self.queries: list[tuple[str, dict[str, str]]] = []
        self.limited: list[tuple[str, dict[str, str]]] = []
        # Silences that lasted as long as the script says.
        self.waited_out = 0
        self.posted: list[Any] = []
        self.closing = threading.Event()

    def next_answer(self, target: str) -> Any:
        url = urllib.parse.urlparse(target)
        query = dict(urllib.parse.parse_qsl(url.query))
        url = url._replace(path=urllib.parse.unquote(url.path))
        if query.get("limit") == "1":
            self.limited.append((url.path, query))
            answers = self.script.get(f"{url.path}?limit=1", [403])
            return answers.pop(0) if len(answers) > 1 else answers[0]
        self.queries.append((url.path, query))
        component = query.get("labelSelector", "").rpartition("=")[2]
        by_component = f"{url.path}?{component}"
        path = by_component if by_component in self.script else url.path
        answers = self.script[path]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@contextlib.contextmanager
def serve(
    script: dict[str, list[Any]], *, dated: bool = True
) -> Iterator[tuple[FakeApi, Any]]:
    """Serve a script and hand over a cluster that is connected to it.

    :param dated: answers have a header ``Date``
    """
    fake = FakeApi(script)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            fake.posted.append(json.loads(self.rfile.read(length)))
            self.do_GET()

        do_PATCH = do_POST

        def do_DELETE(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def do_GET(self) -> None:
            answer = fake.next_answer(self.path)
            if isinstance(answer, list):
                self._stream(answer)
            elif isinstance(answer, float):
                fake.waited_out += not fake.closing.wait(answer)
                self.close_connection = True
            elif isinstance(answer, str):
                self._send_text(200, answer)
            elif isinstance(answer, int):
                self._send(answer, {"message": f"scripted {answer}"})
            else:
                self._send(200, answer)

        def date_time_string(self, timestamp: Any = None) -> str:
            return super().date_time_string(timestamp) if dated else ""

        def _send(self, status: int, content: Any) -> None:
            self._send_text(status, json.dumps(content))

        def _send_text(self, status: int, text: str) -> None:
            sent = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def _stream(self, items: list[Any]) -> None:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for item in items[: -1 if items[-1:] == ["END"] else None]:
                text = item if isinstance(item, str) else json.dumps(item)
                line = text.encode() + (b"" if text.endswith("~") else b"\n")
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            if items[-1:] == ["END"]:
                self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()
            self.close_connection = True

        def log_message(self, *_arguments: Any) -> None:
            pass

    with connected(Handler, fake.closing.set) as cluster:
        yield fake, cluster


@contextlib.contextmanager
def connected(
    handler: type[http.server.BaseHTTPRequestHandler],
    close: Callable[[], object],
) -> Iterator[client.KubeClient]:
    """Serve on loopback and hand over a cluster that is connected to it.

    :param close: ends what a request may wait for
    """
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    configuration = kubernetes.client.Configuration()
    configuration.host = f"http://127.0.0.1:{server.server_port}"
    configuration.retries = False
    try:
        with kubernetes.client.ApiClient(configuration) as api:
            yield client.KubeClient(api)
    finally:
        close()
        server.shutdown()
        server.server_close()
        thread.join()
