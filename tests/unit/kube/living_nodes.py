"""A loopback API whose nodes a test adds, changes and removes."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

from tests.unit.kube import fake_api

SILENCE_S = 0.02


class LivingNodes:
    """Node objects with their versions, and what has happened to them."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.refuse: int | None = None
        self._items: dict[str, dict[str, Any]] = {}
        self._events: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._closing = False

    def put(
        self,
        *names: str,
        ready: bool = True,
        life: str = "a",
        labels: dict[str, str] | None = None,
        machine: str = "",
    ) -> None:
        """Add nodes, or change them.

        :param life: makes the uid: another one is another node
        :param machine: the provider's id
        """
        for name in names:
            status = {"type": "Ready", "status": str(ready)}
            item: dict[str, Any] = {
                "metadata": {
                    "name": name,
                    "uid": f"{name}-{life}",
                    "labels": labels or {},
                },
                "spec": {"providerID": machine},
                "status": {
                    "conditions": [status],
                    "allocatable": {"cpu": "4"},
                },
            }
            kind = "MODIFIED" if name in self._items else "ADDED"
            self._happen(kind, item)
            self._items[name] = item

    def remove(self, *names: str) -> None:
        for name in names:
            self._happen("DELETED", dict(self._items.pop(name)))

    def _happen(self, kind: str, item: dict[str, Any]) -> None:
        with self._changed:
            version = str(len(self._events) + 1)
            item["metadata"] = item["metadata"] | {"resourceVersion": version}
            self._events.append({"type": kind, "object": item})
            self._changed.notify_all()

    def listed(self) -> dict[str, Any]:
        version = str(len(self._events))
        return {
            "metadata": {"resourceVersion": version},
            "items": list(self._items.values()),
        }

    def close(self) -> None:
        """Let nobody wait for events any more."""
        self._closing = True

    def events_since(self, version: int) -> list[dict[str, Any]]:
        """Wait a moment for events; none mean that the watch is over."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or len(self._events) > version, SILENCE_S
            )
            return self._events[version:]


@contextlib.contextmanager
def serve(nodes: LivingNodes) -> Iterator[Any]:
    """Serve the nodes and hand over a cluster that is connected to them."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            url = urllib.parse.urlparse(self.path)
            query = dict(urllib.parse.parse_qsl(url.query))
            if "limit" not in query:
                nodes.requests.append("watch" if "watch" in query else "list")
            if nodes.refuse:
                self._send(nodes.refuse, b"{}")
            elif "watch" in query:
                found = nodes.events_since(int(query["resourceVersion"]))
                self._send(200, b"".join(map(_line, found)))
            else:
                self._send(200, json.dumps(nodes.listed()).encode())

        def _send(self, status: int, sent: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_arguments: Any) -> None:
            pass

    with fake_api.connected(Handler, nodes.close) as cluster:
        yield cluster


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"
