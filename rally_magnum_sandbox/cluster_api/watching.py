"""A copy of all objects of a kind, kept up to date by a watch."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable
from typing import Any

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.cluster_api import kinds
from rally_magnum_sandbox.cluster_api import objects

WATCH_S = 600
RETRY_S = 0.5


class Watch:
    """Keeps a copy of all objects of a kind.

    The copies must not be changed. After a disconnect, all objects are listed
    again.

    :param client: of the API server
    :param kind: of the objects
    :param changed: gets the key of each object that was created, changed or
        removed
    """

    def __init__(
        self,
        client: api.ApiClient,
        kind: kinds.Kind,
        changed: Callable[[str], None],
    ) -> None:
        self._client = client
        self._kind = kind
        self._changed = changed
        self._items: dict[str, dict[str, Any]] = {}
        self.complete = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End after the next event, or when the API server disconnects."""
        self._closed.set()
        self._thread.join()

    def get(self, key: str) -> dict[str, Any] | None:
        return self._items.get(key)

    def all(self) -> list[dict[str, Any]]:
        return list(self._items.values())

    def _follow(self) -> None:
        while not self._closed.is_set():
            # A missing API server is retried, and so is an invalid line,
            # which a disconnect leaves.
            with contextlib.suppress(
                exceptions.SandboxError,
                OSError,
                http.client.HTTPException,
                ValueError,
            ):
                self._watch_from(self._list())
            self._client.close()
            self._closed.wait(RETRY_S)

    def _list(self) -> str:
        found = json.loads(self._client.get(self._kind.path))
        items = {objects.key_of(x): self._typed(x) for x in found["items"]}
        keys = [*items, *(key for key in self._items if key not in items)]
        self._items = items
        self.complete.set()
        for key in keys:
            self._changed(key)
        return str(found["metadata"]["resourceVersion"])

    def _typed(self, item: dict[str, Any]) -> dict[str, Any]:
        # The items of a list have neither.
        version = f"{kinds.GROUP}/{kinds.VERSION}"
        return {"kind": self._kind.name, "apiVersion": version, **item}

    def _watch_from(self, version: str) -> None:
        path = (
            f"{self._kind.path}?watch=1&timeoutSeconds={WATCH_S}"
            f"&resourceVersion={version}"
        )
        with self._client.open_watch(path) as answer:
            while not self._closed.is_set():
                line = answer.readline()
                if not line or not self._note(json.loads(line)):
                    return

    def _note(self, event: dict[str, Any]) -> bool:
        """Apply an event; return whether the watch goes on."""
        if event["type"] not in ("ADDED", "MODIFIED", "DELETED"):
            return False
        item = event["object"]
        key = objects.key_of(item)
        if event["type"] == "DELETED":
            self._items.pop(key, None)
        else:
            self._items[key] = item
        self._changed(key)
        return True
