"""Keystone, Magnum and Nova on loopback, with what runs left in them."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Iterator
from typing import Any

from tests.unit import loopback
from tests.unit.task import fake_tenants

OLD = "2026-01-01T10:00:00+00:00"


class FakeCloud(fake_tenants.FakeCloud):
    """A cloud that also has keypairs and servers.

    :ivar services: types of further services to the paths of their endpoints
    :ivar refuse: beginnings of paths that are answered with 403
    :ivar hanging: names of bays whose deletion never ends
    :ivar groups: id of each default security group to its project
    :ivar keypairs: id of the user to the names of the user's keypairs
    """

    def __init__(self) -> None:
        super().__init__()
        self.refuse: set[str] = set()
        self.hanging: set[str] = set()
        self.keypairs: dict[str, list[str]] = {}
        self.servers: list[dict[str, str]] = []
        self.groups: dict[str, str] = {}
        self.services = {"compute": "compute/v2.1", "network": "network"}

    def leave(self, run: str, created_at: str = OLD) -> dict[str, str]:
        """Let a run have left one object of each kind.

        :param run: first 8 characters of its id
        :returns: kind to name
        """
        project, user = f"c_rally_{run}_Project1", f"c_rally_{run}_User0001"
        self.add("projects", project)
        self.add("users", user, default_project_id=project)
        self.keypairs[user] = [f"c_rally_{run}_Keypair1"]
        own = {"project_id": project, "created_at": created_at}
        self.add("clusters", f"rms-{run}-aaaaaaaa", **own)
        self.add("clustertemplates", f"rms-{run}-bbbbbbbb", **own)
        return {
            "bay": f"rms-{run}-aaaaaaaa",
            "bay template": f"rms-{run}-bbbbbbbb",
            "keypair": f"c_rally_{run}_Keypair1",
            "user": user,
            "project": project,
        }

    def names(self) -> set[str]:
        """Return the names of all that exists."""
        pairs = {name for own in self.keypairs.values() for name in own}
        return super().names() | pairs

    def answer(self, method: str, target: str, body: Any) -> tuple[int, Any]:
        parts = urllib.parse.urlsplit(target)
        if any(parts.path.startswith(path) for path in self.refuse):
            return 403, {"errors": [{"status": 403, "title": "forbidden"}]}
        query = dict(urllib.parse.parse_qsl(parts.query))
        if parts.path.startswith("/compute"):
            return self._nova(method, parts.path, query)
        if parts.path.startswith("/network"):
            return self._neutron(method, parts.path)
        status, content = super().answer(method, target, body)
        for kind in ("users", "projects"):
            if isinstance(content, dict) and kind in content:
                content = {kind: _matching(content[kind], query)}
        return status, content

    def _one(self, kind: str, name: str, method: str) -> tuple[int, Any]:
        if method == "DELETE" and name in self.hanging:
            self.objects[kind][name]["status"] = "DELETE_IN_PROGRESS"
            return 204, None
        return super()._one(kind, name, method)

    def _nova(
        self, method: str, path: str, query: dict[str, str]
    ) -> tuple[int, Any]:
        *_, kind, last = path.split("/")
        own = self.keypairs.get(query.get("user_id", "u"), [])
        if last == "os-keypairs":
            return 200, {"keypairs": [{"keypair": {"name": n}} for n in own]}
        if "servers" in (kind, last):
            return 200, {"servers": [] if "marker" in query else self.servers}
        if kind != "os-keypairs":
            return 200, {"version": self._nova_version()}
        if last not in own:
            return 404, {}
        if method == "DELETE":
            own.remove(last)
            self.deleted.append(last)
            return 202, None
        return 200, {"keypair": {"name": last, "created_at": OLD[:19]}}

    def _neutron(self, method: str, path: str) -> tuple[int, Any]:
        if "security-groups" not in path:
            link = {"rel": "self", "href": f"{self.url}/network/v2.0/"}
            version = {"id": "v2.0", "status": "CURRENT", "links": [link]}
            return 200, {"versions": [version]}
        if method == "DELETE":
            del self.groups[path.rpartition("/")[2]]
            return 204, None
        shown = [
            {"id": group, "name": "default", "project_id": project}
            for group, project in self.groups.items()
        ]
        return 200, {"security_groups": shown}

    def _nova_version(self) -> dict[str, Any]:
        link = {"rel": "self", "href": f"{self.url}/compute/v2.1/"}
        return {
            "id": "v2.1",
            "status": "CURRENT",
            "version": "2.90",
            "min_version": "2.1",
            "links": [link],
        }

    def _token(self) -> dict[str, Any]:
        token = super()._token()
        for kind, path in self.services.items():
            token["catalog"].append(self._service(kind, path))
        return token


def _matching(
    shown: list[dict[str, Any]], query: dict[str, str]
) -> list[dict[str, Any]]:
    begin, end = query.get("name__startswith"), query.get("name__endswith")
    return [
        each
        for each in shown
        if each["name"].startswith(begin or "")
        and each["name"].endswith(end or "")
    ]


@contextlib.contextmanager
def serve() -> Iterator[FakeCloud]:
    """Serve an empty cloud for as long as the context is open."""
    cloud = FakeCloud()
    with loopback.serve(cloud.answer) as cloud.url:
        yield cloud
