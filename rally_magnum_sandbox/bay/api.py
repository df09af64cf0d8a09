"""A small Kubernetes API client for the commands on a bay."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rally_magnum_sandbox import exceptions

TIMEOUT_S = 30.0
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ApiClient:
    """A client with one keep-alive connection per thread.

    :param address: of the API server, without port
    :param port: of the API server
    :param folder: contains ``ca.crt``, ``maker.crt`` and ``maker.key``
    :param title: of the API server, in words
    """

    def __init__(
        self,
        address: str,
        port: int,
        folder: Path,
        title: str = "bay's API server",
    ) -> None:
        self._address = address
        self._title = title
        self._port = port
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        context.load_cert_chain(folder / "maker.crt", folder / "maker.key")
        self._context = context
        self._local = threading.local()

    def answers(self, path: str) -> bool:
        """Tell whether the API server responds to a path with 200."""
        try:
            return self._request("GET", path)[0] == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            self._drop()
            return False

    def get(self, path: str) -> str:
        """Read an object, or the log of a pod.

        :raises SandboxError: if the API server refuses or disconnects
        """
        return self._exchange("GET", path, http.HTTPStatus.OK)[1]

    def post(self, path: str, content: Mapping[str, Any]) -> None:
        """Create an object.

        :raises SandboxError: if the API server refuses or disconnects
        """
        body = json.dumps(content).encode()
        self._exchange("POST", path, http.HTTPStatus.CREATED, body=body)

    def find(self, path: str) -> dict[str, Any] | None:
        """Read an object; return None if it does not exist.

        :raises SandboxError: if the API server refuses or disconnects
        """
        found = (http.HTTPStatus.OK, http.HTTPStatus.NOT_FOUND)
        status, text = self._exchange("GET", path, *found)
        return dict(json.loads(text)) if status == http.HTTPStatus.OK else None

    def create(self, path: str, content: Mapping[str, Any]) -> bool:
        """Create an object, unless it exists.

        :returns: whether it was created
        :raises SandboxError: if the API server refuses or disconnects
        """
        body = json.dumps(content).encode()
        done = (http.HTTPStatus.CREATED, http.HTTPStatus.CONFLICT)
        status, _ = self._exchange("POST", path, *done, body=body)
        return status == http.HTTPStatus.CREATED

    def patch(self, path: str, content: Mapping[str, Any]) -> bool:
        """Change an object by a merge patch.

        :returns: whether the object exists
        :raises SandboxError: if the API server refuses or disconnects
        """
        body = json.dumps(content).encode()
        done = (http.HTTPStatus.OK, http.HTTPStatus.NOT_FOUND)
        status, _ = self._exchange(
            "PATCH", path, *done, body=body, content_type=MERGE_PATCH
        )
        return status == http.HTTPStatus.OK

    def apply(self, path: str, content: Mapping[str, Any]) -> None:
        """Create an object, or change it to this content.

        :raises SandboxError: if the API server refuses or disconnects
        """
        body = json.dumps(content).encode()
        self._exchange(
            "PATCH",
            f"{path}?fieldManager=rally-magnum-sandbox&force=true",
            *(http.HTTPStatus.OK, http.HTTPStatus.CREATED),
            body=body,
            content_type=APPLY_PATCH,
        )

    def delete(self, path: str) -> None:
        """Delete an object; it is not an error if it does not exist.

        :raises SandboxError: if the API server refuses or disconnects
        """
        gone = (http.HTTPStatus.OK, http.HTTPStatus.NOT_FOUND)
        self._exchange("DELETE", path, *gone, http.HTTPStatus.ACCEPTED)

    def close(self) -> None:
        """Close the calling thread's connection."""
        self._drop()

    def open_watch(self, path: str) -> http.client.HTTPResponse:
        """Start a watch on its own connection.

        :param path: with its query
        :returns: the response; one JSON event per line
        """
        connection = self._connect(timeout_s=None)
        connection.request("GET", path)
        return connection.getresponse()

    def _exchange(
        self,
        method: str,
        path: str,
        *wanted: http.HTTPStatus,
        body: bytes | None = None,
        content_type: str = JSON,
    ) -> tuple[int, str]:
        request = f"{method} {path} to the {self._title}"
        try:
            status, answer = self._request(method, path, body, content_type)
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise exceptions.SandboxError(
                f"{request} failed: {error}."
            ) from error
        text = answer.decode(errors="replace")
        if status not in wanted:
            raise exceptions.SandboxError(
                f"{request} returned {status}: {text[:300]}."
            )
        return status, text

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = JSON,
    ) -> tuple[int, bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect(TIMEOUT_S)
            self._local.connection = connection
        headers = {"Content-Type": content_type}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def _connect(self, timeout_s: float | None) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            self._address,
            self._port,
            timeout=timeout_s,
            context=self._context,
        )

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
        self._local.connection = None


def is_ready(node: Mapping[str, Any]) -> bool:
    """Tell whether a Node object has the condition Ready."""
    conditions = node.get("status", {}).get("conditions", [])
    return any(
        c.get("type") == "Ready" and c.get("status") == "True"
        for c in conditions
    )


class ReadyNodes:
    """Tracks which nodes are Ready, with a watch in a thread.

    :param client: of the bay's API server
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._ready: set[str] = set()
        self._ended = threading.Event()
        self._response: http.client.HTTPResponse | None = None
        threading.Thread(target=self._follow, daemon=True).start()

    def count(self) -> int:
        """Count the nodes that are Ready now."""
        return len(self._ready)

    def have(self, names: Iterable[str]) -> bool:
        """Tell whether all of these nodes are Ready now."""
        return self._ready.issuperset(names)

    def close(self) -> None:
        """Stop the watch."""
        self._ended.set()

    def note(self, event: Mapping[str, Any]) -> None:
        """Apply one event of the watch."""
        name = event["object"].get("metadata", {}).get("name", "")
        if event["type"] != "DELETED" and is_ready(event["object"]):
            self._ready.add(name)
        else:
            self._ready.discard(name)

    def _follow(self) -> None:
        # Without a resource version, a watch begins with all existing
        # objects. So after a disconnect it can simply be started again.
        while not self._ended.is_set():
            with contextlib.suppress(
                OSError, http.client.HTTPException, ValueError
            ):
                answer = self._client.open_watch(
                    "/api/v1/nodes?watch=1&timeoutSeconds=600"
                )
                with answer:
                    while not self._ended.is_set():
                        line = answer.readline()
                        if not line:
                            break
                        self.note(json.loads(line))
            self._ended.wait(0.2)
