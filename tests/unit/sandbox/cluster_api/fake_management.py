"""A management cluster's API server on loopback, with objects in memory."""

from __future__ import annotations

import contextlib
import copy
import http.server
import json
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import certificates
from rally_magnum_sandbox.cluster_api import kinds

HOST = "127.0.0.1"


class FakeManagement:
    """The objects of an API server, by their paths.

    :param client: of the server
    """

    def __init__(self) -> None:
        self.client: api.ApiClient
        self.objects: dict[str, dict[str, Any]] = {}
        self.refused: dict[str, int] = {}
        self.requests: list[tuple[str, str]] = []
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._changed = threading.Condition()
        self._closed = False
        self._version = 0

    def put(self, kind: kinds.Kind, name: str, **content: Any) -> str:
        """Create an object of the namespace ``ns``; return its key."""
        key = f"ns/{name}"
        metadata = {
            "name": name,
            "namespace": "ns",
            "uid": f"uid-of-{name}",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            **content.pop("metadata", {}),
        }
        item = {
            "apiVersion": f"{kinds.GROUP}/{kinds.VERSION}",
            "kind": kind.name,
            "metadata": metadata,
            "spec": {},
            **content,
        }
        self.store(kind.path_of(key), item)
        return key

    def get(self, kind: kinds.Kind, key: str) -> dict[str, Any]:
        with self._changed:
            return copy.deepcopy(self.objects[kind.path_of(key)])

    def store(self, path: str, item: dict[str, Any]) -> None:
        """Create or change an object at a path."""
        with self._changed:
            self._version += 1
            item["metadata"]["resourceVersion"] = str(self._version)
            event = "MODIFIED" if path in self.objects else "ADDED"
            self.objects[path] = item
            self._events.append((path, {"type": event, "object": item}))
            self._changed.notify_all()

    def remove(self, path: str) -> None:
        with self._changed:
            item = self.objects.pop(path)
            self._events.append((path, {"type": "DELETED", "object": item}))
            self._changed.notify_all()

    def end_watches(self) -> None:
        """End all watches; their clients list the objects again."""
        with self._changed:
            self._events.append(("", {}))
            self._changed.notify_all()

    def wait_for(self, condition: Any) -> None:
        """Wait until a condition on the objects holds."""
        with self._changed:
            assert self._changed.wait_for(condition, 30), self.objects

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def items_below(self, path: str) -> tuple[list[Any], int]:
        """List the objects of a kind, and the number of events so far."""
        plural = path.rpartition("/")[2]
        with self._changed:
            items = [
                copy.deepcopy(item)
                for place, item in self.objects.items()
                if place.split("/")[-2] == plural
            ]
            return items, len(self._events)

    def events_of(self, path: str, start: int) -> Iterator[dict[str, Any]]:
        """Yield the events of a kind from a number of events on."""
        plural = path.rpartition("/")[2]
        while True:
            with self._changed:
                while not self._closed and len(self._events) <= start:
                    self._changed.wait()
                if self._closed:
                    return
                place, event = copy.deepcopy(self._events[start])
            start += 1
            if not place:
                return
            if place.split("/")[-2] == plural:
                yield event

    def merge(self, path: str, patch: dict[str, Any]) -> int:
        """Apply a merge patch; return the HTTP status."""
        whole = path.removesuffix("/status")
        with self._changed:
            item = self.objects.get(whole)
            if item is None:
                return 404
            version = patch.get("metadata", {}).get("resourceVersion")
            if version not in (None, item["metadata"]["resourceVersion"]):
                return 409
            self.store(whole, _merged(item, patch))
            return 200


def _merged(item: Any, patch: Any) -> Any:
    if not isinstance(item, dict) or not isinstance(patch, dict):
        return patch
    result = {**item}
    for key, value in patch.items():
        result[key] = _merged(item.get(key), value)
    return result


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[FakeManagement]:
    """Serve a fake API server.

    :param folder: gets the certificates
    """
    management = FakeManagement()
    certificates.create_authority(folder)
    authority = certificates.Authority(folder)
    for name, user in (("apiserver", "server"), ("maker", "client")):
        authority.issue(certificates.Identity(name, user, names=(HOST,)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "apiserver.crt", folder / "apiserver.key")
    server = http.server.ThreadingHTTPServer((HOST, 0), _handler(management))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    management.client = api.ApiClient(HOST, server.server_port, folder)
    try:
        yield management
    finally:
        management.close()
        management.client.close()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(management: FakeManagement) -> Any:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            query = urllib.parse.parse_qs(url.query)
            if "watch" in query:
                self._watch(url.path, int(query["resourceVersion"][0]))
            elif url.path in management.objects:
                self._answer(200, management.objects[url.path])
            elif url.path.split("/")[-1] in {x.plural for x in kinds.ALL}:
                items, version = management.items_below(url.path)
                metadata = {"resourceVersion": str(version)}
                self._answer(200, {"items": items, "metadata": metadata})
            else:
                self._answer(404, {"message": "not found"})

        def do_PATCH(self) -> None:
            patch = self._body()
            path = self.path.partition("?")[0]
            management.requests.append(("PATCH", path))
            if "apply-patch" in self.headers["Content-Type"]:
                management.store(path, patch)
                self._answer(201, patch)
                return
            self._answer(management.merge(path, patch), {})

        def do_POST(self) -> None:
            item = self._body()
            path = f"{self.path}/{item['metadata']['name']}"
            management.requests.append(("POST", path))
            if path in management.objects:
                self._answer(409, {"message": "already exists"})
                return
            management.store(path, item)
            self._answer(201, item)

        def _body(self) -> Any:
            length = int(self.headers["Content-Length"])
            return json.loads(self.rfile.read(length))

        def _answer(self, status: int, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _watch(self, path: str, start: int) -> None:
            self.close_connection = True
            self.send_response(200)
            self.end_headers()
            for event in management.events_of(path, start):
                self.wfile.write(json.dumps(event).encode() + b"\n")

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
