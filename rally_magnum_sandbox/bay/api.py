"""The little of the Kubernetes API that a bay's maker needs."""

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


class ApiClient:
    """One keep-alive connection for each thread that uses it.

    :param address: of the API server, without port
    :param port: its port
    :param folder: holds ``ca.crt``, ``maker.crt`` and ``maker.key``
    """

    def __init__(self, address: str, port: int, folder: Path) -> None:
        self._address = address
        self._port = port
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        context.load_cert_chain(folder / "maker.crt", folder / "maker.key")
        self._context = context
        self._local = threading.local()

    def answers(self, path: str) -> bool:
        """Tell whether the API server answers a path with 200."""
        try:
            return self._request("GET", path)[0] == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            self._drop()
            return False

    def get(self, path: str) -> str:
        """Read an object, or the log of a pod.

        :raises SandboxError: when the API server refuses or breaks off
        """
        return self._demand("GET", path, http.HTTPStatus.OK)

    def post(self, path: str, content: Mapping[str, Any]) -> None:
        """Create an object.

        :raises SandboxError: when the API server refuses it or breaks off
        """
        body = json.dumps(content).encode()
        self._demand("POST", path, http.HTTPStatus.CREATED, body=body)

    def delete(self, path: str) -> None:
        """Delete an object; one that is gone already is no error.

        :raises SandboxError: when the API server refuses it or breaks off
        """
        gone = (http.HTTPStatus.OK, http.HTTPStatus.NOT_FOUND)
        self._demand("DELETE", path, *gone, http.HTTPStatus.ACCEPTED)

    def close(self) -> None:
        """Close the calling thread's connection."""
        self._drop()

    def open_watch(self, path: str) -> http.client.HTTPResponse:
        """Begin to watch on a connection of its own.

        :param path: with its query
        :returns: the answer; one JSON event a line
        """
        connection = self._connect(timeout_s=None)
        connection.request("GET", path)
        return connection.getresponse()

    def _demand(
        self,
        method: str,
        path: str,
        *wanted: http.HTTPStatus,
        body: bytes | None = None,
    ) -> str:
        asked = f"{method} {path} of the bay's API server"
        try:
            status, answer = self._request(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise exceptions.SandboxError(
                f"{asked} broke off: {error}."
            ) from error
        text = answer.decode(errors="replace")
        if status not in wanted:
            raise exceptions.SandboxError(
                f"{asked} was answered with {status}: {text[:300]}."
            )
        return text

    def _request(
        self, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, bytes]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect(TIMEOUT_S)
            self._local.connection = connection
        headers = {"Content-Type": "application/json"}
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
    """Tell whether a Node's own condition says that it is Ready."""
    conditions = node.get("status", {}).get("conditions", [])
    return any(
        c.get("type") == "Ready" and c.get("status") == "True"
        for c in conditions
    )


class ReadyNodes:
    """Follows which nodes are Ready, from a watch in a thread.

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
        """Stop following."""
        self._ended.set()

    def note(self, event: Mapping[str, Any]) -> None:
        """Take in one event of the watch."""
        name = event["object"].get("metadata", {}).get("name", "")
        if event["type"] != "DELETED" and is_ready(event["object"]):
            self._ready.add(name)
        else:
            self._ready.discard(name)

    def _follow(self) -> None:
        # Without a resource version a watch begins with what is there, so
        # one that broke off is simply begun again.
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
