"""Keystone and Magnum on loopback, as far as the leftovers need them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from rally_openstack.common import credential

from tests.unit import loopback


class FakeCloud:
    """What exists, by path: ``clusters``, ``projects`` and so on.

    :param stuck: names of what can't be deleted
    """

    def __init__(self) -> None:
        self.url = ""
        self.objects: dict[str, dict[str, dict[str, Any]]] = {
            kind: {}
            for kind in ("clusters", "clustertemplates", "projects", "users")
        }
        self.deleted: list[str] = []
        self.stuck: set[str] = set()
        self.forbidden = False
        self.down = False

    def add(self, kind: str, name: str, **fields: Any) -> None:
        """Let something exist under its name as id."""
        self.objects[kind][name] = {
            "id": name,
            "uuid": name,
            "name": name,
            "status": "CREATE_COMPLETE",
            "status_reason": "port in use",
            "node_count": 2,
            "created_at": "2026-01-01T10:00:00+00:00",
            "project_id": "p",
            **fields,
        }

    def names(self) -> set[str]:
        """Return the names of all that exists."""
        return {name for known in self.objects.values() for name in known}

    def answer(self, method: str, path: str, _body: Any) -> tuple[int, Any]:
        parts = path.partition("?")[0].strip("/").split("/")
        if self.down:
            return 503, {"errors": [{"status": 503, "title": "later"}]}
        if parts[-1] == "tokens":
            return 201, {"token": self._token()}
        kind = parts[1] if parts[0] in ("v1", "v3") and parts[1:] else parts[0]
        if kind not in self.objects:
            return 300, {"versions": {"values": [self._version()]}}
        if parts[-1] in (kind, "detail"):
            return self._list(kind)
        return self._one(kind, parts[-1], method)

    def _list(self, kind: str) -> tuple[int, Any]:
        if self.forbidden and kind == "clusters":
            return 403, {"errors": [{"status": 403, "title": "no"}]}
        return 200, {kind: list(self.objects[kind].values())}

    def _one(self, kind: str, name: str, method: str) -> tuple[int, Any]:
        known = self.objects[kind]
        if name not in known:
            return 404, {"errors": [{"status": 404, "title": "gone"}]}
        if method == "DELETE":
            self.deleted.append(name)
            if name in self.stuck:
                known[name]["status"] = "DELETE_FAILED"
                refused = {"errors": [{"status": 403, "title": "in use"}]}
                return (204, None) if kind == "clusters" else (403, refused)
            del known[name]
            return 204, None
        return 200, known[name]

    def _version(self) -> dict[str, Any]:
        link = {"rel": "self", "href": f"{self.url}/v3/"}
        return {"id": "v3.14", "status": "stable", "links": [link]}

    def _token(self) -> dict[str, Any]:
        return {
            "methods": ["password"],
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "user": {"id": "u", "name": "admin", "domain": {"id": "default"}},
            "project": {"id": "p", "name": "p", "domain": {"id": "default"}},
            "roles": [{"id": "r", "name": "admin"}],
            "catalog": [
                self._service("identity", "v3"),
                self._service("container-infra", ""),
            ],
        }

    def _service(self, kind: str, path: str) -> dict[str, Any]:
        endpoint = {
            "id": kind,
            "interface": "public",
            "region": "R",
            "region_id": "R",
            "url": f"{self.url}/{path}",
        }
        return {
            "id": kind,
            "type": kind,
            "name": kind,
            "endpoints": [endpoint],
        }


def credentials(cloud: FakeCloud, project: str = "admin") -> dict[str, Any]:
    """Return how an environment of Rally's holds a login."""
    return {
        "auth_url": f"{cloud.url}/v3",
        "username": "admin",
        "password": "secret",
        "tenant_name": project,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "region_name": "R",
        "endpoint_type": "public",
    }


def context(cloud: FakeCloud, task: str, workload: str) -> dict[str, Any]:
    """Return the context of a task that has an administrator."""
    login = credentials(cloud)
    return {
        "task": {"uuid": task},
        "owner_id": workload,
        "config": {},
        "env": {"platforms": {"openstack": {"admin": login, "users": []}}},
        "admin": {"credential": credential.OpenStackCredential(**login)},
    }


@contextlib.contextmanager
def serve() -> Iterator[FakeCloud]:
    """Serve an empty cloud for as long as the context is open."""
    cloud = FakeCloud()
    with loopback.serve(cloud.answer) as url:
        cloud.url = url
        yield cloud
