"""A loopback Magnum and Nova, and Rally's clients of one of their users."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

from keystoneauth1 import noauth
from keystoneauth1 import session

from tests.unit import loopback

DEFAULT_QUOTA = 20


class Clients:
    """As much of rally-openstack's credentials and clients as is used."""

    def __init__(self, url: str) -> None:
        self.keystone = self
        self.credential = self
        self.region_name = None
        self.endpoint_type = "public"
        self._session = session.Session(auth=noauth.NoAuth(endpoint=url))

    def get_session(self) -> Any:
        return self._session, None

    def clients(self) -> Any:
        return self

    def close(self) -> None:
        self._session.session.close()


class Cloud:
    """Clusters, templates and quotas that come and go.

    :param created: the status that a new cluster shows
    :param after_delete: the status after a delete; None for gone at once
    :param once: only after the first delete of each
    """

    def __init__(
        self,
        created: str = "CREATE_COMPLETE",
        after_delete: str | None = None,
        *,
        once: bool = False,
    ) -> None:
        self.created = created
        self.after_delete = after_delete
        self.once = once
        self.requests: list[tuple[str, str, Any]] = []
        self.objects: dict[str, dict[str, dict[str, Any]]] = {
            "clusters": {},
            "clustertemplates": {},
        }
        # The driver that Magnum chooses, whatever the request.
        self.driver = ""
        self.quotas: dict[str, int] = {}
        # Title of Magnum's error by a text in the body of a create.
        self.refused: dict[str, str] = {}
        self._numbers = itertools.count()

    def add(self, kind: str, name: str, **fields: Any) -> str:
        uuid = f"{kind}-{next(self._numbers)}"
        self.objects[kind][uuid] = {"uuid": uuid, "name": name, **fields}
        return uuid

    def asked(self, method: str, kind: str) -> list[Any]:
        """Return path and body of each request of a kind."""
        return [
            (path, body)
            for verb, path, body in self.requests
            if verb == method and path.startswith(f"/{kind}")
        ]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        path = path.split("?")[0].rstrip("/")
        self.requests.append((method, path, body))
        kind, _, rest = path.strip("/").partition("/")
        if kind == "quotas":
            return self._quota(method, rest, body)
        if kind == "os-keypairs":
            return (200 if rest == "mine" else 404), {}
        if method == "POST":
            return self._create(kind, body)
        if rest in ("", "detail"):
            return 200, {kind: [*map(self._show, self.objects[kind].values())]}
        if rest not in self.objects[kind]:
            return error(404, "not found")
        if method == "DELETE":
            return self._delete(kind, rest)
        return 200, self._show(self.objects[kind][rest])

    def _create(self, kind: str, body: Any) -> tuple[int, Any]:
        for text, title in self.refused.items():
            if text in str(body):
                return error(400, title)
        if self.driver:
            body = {**body, "driver": self.driver}
        uuid = self.add(kind, **body, status=self.created)
        return 201, self._show(self.objects[kind][uuid])

    def _delete(self, kind: str, uuid: str) -> tuple[int, Any]:
        found = self.objects[kind][uuid]
        again = self.once and found["status"] == self.after_delete
        if again or self.after_delete is None:
            del self.objects[kind][uuid]
        else:
            found["status"] = self.after_delete
        return 204, None

    def _quota(self, method: str, rest: str, body: Any) -> tuple[int, Any]:
        project = rest.split("/")[0] or body["project_id"]
        if method in ("POST", "PATCH"):
            self.quotas[project] = body["hard_limit"]
        if method == "DELETE":
            return (204, None) if self.quotas.pop(project, 0) else error(404)
        known = {"id": 1} if project in self.quotas else {}
        limit = self.quotas.get(project, DEFAULT_QUOTA)
        return 200, {"project_id": project, "hard_limit": limit, **known}

    def _show(self, fields: dict[str, Any]) -> dict[str, Any]:
        shown = {
            "coe": "kubernetes",
            "node_count": 200,
            "status": "CREATE_COMPLETE",
            "status_reason": "port in use",
            "labels": {},
        }
        return {**shown, **fields}


def error(status: int, title: str = "gone") -> tuple[int, Any]:
    return status, {"errors": [{"status": status, "title": title}]}


@contextlib.contextmanager
def serve(cloud: Cloud) -> Iterator[Clients]:
    """Serve a cloud; the clients are those of its only user."""
    with loopback.serve(cloud.answer) as url:
        opened = Clients(url)
        try:
            yield opened
        finally:
            opened.close()
