"""A cloud on loopback, as far as a preflight reads it."""

from __future__ import annotations

import contextlib
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from keystoneauth1 import session
from keystoneauth1.identity import v3

from rally_magnum_scale.bays import openstack_session
from rally_magnum_scale.preflight import have
from tests.unit import loopback

# Service type to the path of its endpoint.
SERVICES = {
    "identity": "v3",
    "container-infra": "magnum/v1",
    "compute": "compute/v2.1",
    "block-storage": "volume/v3",
    "network": "network",
    "image": "image",
    "load-balancer": "octavia",
}
QUOTAS = {
    "compute": dict.fromkeys(
        (
            "instances",
            "cores",
            "ram",
            "server_groups",
            "server_group_members",
        ),
        10_000_000,
    ),
    "volume": {"volumes": 1000, "gigabytes": 100_000},
    "network": dict.fromkeys(
        (
            "network",
            "subnet",
            "router",
            "port",
            "floatingip",
            "security_group",
            "security_group_rule",
        ),
        10_000,
    ),
    "octavia": {"load_balancer": 10},
}


class FakeCloud:
    """Everything that a bay of the template ``k8s`` needs, and plenty.

    :ivar refuse: regular expression of paths to the status that they get
    :ivar used: what is in use of a quota, by resource
    """

    def __init__(self) -> None:
        self.url = ""
        self.services = dict(SERVICES)
        self.refuse: dict[str, int] = {}
        self.quotas = {name: dict(each) for name, each in QUOTAS.items()}
        self.used: dict[str, int] = {}
        self.bay_quota = 20
        self.bays: list[dict[str, Any]] = []
        # What Magnum answers to a request to sign a certificate.
        self.signed = ""
        self.templates = [template()]
        self.objects: dict[str, list[dict[str, Any]]] = {
            "flavors": [
                flavor("small", 4, 8192),
                flavor("large", 16, 65536),
            ],
            "images": [image("fcos", os_distro="fedora-coreos")],
            "networks": [
                {"id": "ext", "name": "public", "router:external": True},
                {"id": "net", "name": "lan", "shared": True},
            ],
            "subnets": [{"id": "sub", "name": "lan-1", "network_id": "net"}],
            "os-keypairs": [{"id": "key", "name": "key"}],
        }
        self.balancers = 0
        self.addresses = {"total_ips": 250, "used_ips": 40}

    def answer(self, _method: str, target: str, _body: Any) -> tuple[int, Any]:
        path = urllib.parse.urlsplit(target).path.rstrip("/")
        query = dict(
            parse
            for parse in urllib.parse.parse_qsl(
                urllib.parse.urlsplit(target).query
            )
        )
        for pattern, status in self.refuse.items():
            if re.search(pattern, target):
                return status, {"error": {"message": "no luck"}}
        if path == "/v3/auth/tokens":
            return 201, self._token()
        service, _, place = path.removeprefix("/").partition("/")
        if service == "magnum":
            return self._magnum(place.removeprefix("v1/"))
        if not re.search(r"/v[0-9.]+/.|lbaas", path):
            return 200, _versions(service)
        if "quota" in path:
            return self._quota(service, path, query)
        if path.endswith("/loadbalancers"):
            return 200, {"loadbalancers": [{"id": "x"}] * self.balancers}
        if "network-ip-availabilities" in path:
            subnet = {"subnet_id": "sub", **self.addresses}
            shown = {"subnet_ip_availability": [subnet]}
            return 200, {"network_ip_availability": shown}
        return self._object(path, query)

    def _magnum(self, place: str) -> tuple[int, Any]:
        if place.startswith("quotas/"):
            return 200, {"hard_limit": self.bay_quota, "project_id": "p"}
        if place.startswith("clustertemplates"):
            return 200, {"clustertemplates": self.templates}
        if place.startswith("certificates"):
            return 200, {"pem": self.signed}
        if place in [f"clusters/{bay['uuid']}" for bay in self.bays]:
            return 200, self.bays[0]
        return 200, {"clusters": self.bays}

    def _quota(
        self, service: str, path: str, query: dict[str, str]
    ) -> tuple[int, Any]:
        body: dict[str, Any] = dict(self.quotas[service])
        name = "used" if service == "network" else "in_use"
        if path.endswith(("/detail", "/details")) or "usage" in query:
            body = {
                each: {
                    "limit": limit,
                    name: self.used.get(each, 0),
                    "reserved": 0,
                }
                for each, limit in body.items()
            }
        kind = "quota_set" if service in ("compute", "volume") else "quota"
        return 200, {kind: {"id": "p", **body}}

    def _object(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        *_, kind, last = path.split("/")
        if last == "detail":
            kind, last = kind, ""
        elif last in self.objects:
            kind, last = last, ""
        known = self.objects.get(kind, [])
        if last:
            one = [each for each in known if last == each["id"]]
            single = kind.removeprefix("os-").removesuffix("s")
            shown = one and (one[0] if kind == "images" else {single: one[0]})
            return (200, shown) if one else (404, {})
        wanted = query.get("name")
        named = [e for e in known if wanted in (None, e["name"])]
        if kind == "os-keypairs":
            return 200, {"keypairs": [{"keypair": one} for one in named]}
        return 200, {kind: named}

    def _token(self) -> dict[str, Any]:
        user = {"id": "u", "name": "u", "domain": {"id": "d", "name": "d"}}
        return {
            "token": {
                "methods": ["password"],
                "user": user,
                "project": {**user, "id": "p"},
                "roles": [{"id": "r", "name": "admin"}],
                "expires_at": "2999-01-01T00:00:00.000000Z",
                "issued_at": "2024-01-01T00:00:00.000000Z",
                "catalog": [
                    {
                        "id": kind,
                        "type": kind,
                        "name": kind,
                        "endpoints": [
                            {
                                "id": kind,
                                "interface": "public",
                                "region": "R",
                                "region_id": "R",
                                "url": f"{self.url}/{path}",
                            }
                        ],
                    }
                    for kind, path in self.services.items()
                ],
            }
        }


def template(name: str = "k8s", **fields: Any) -> dict[str, Any]:
    return {
        "uuid": f"t-{name}",
        "name": name,
        "coe": "kubernetes",
        "public": True,
        "hidden": False,
        "image_id": "fcos",
        "flavor_id": "small",
        "master_flavor_id": "large",
        "external_network_id": "public",
        "network_driver": "flannel",
        "floating_ip_enabled": True,
        "master_lb_enabled": False,
        "labels": {},
        **fields,
    }


def flavor(name: str, cores: int, ram: int, public: bool = True) -> Any:
    return {
        "id": name,
        "name": name,
        "vcpus": cores,
        "ram": ram,
        "disk": 20,
        "os-flavor-access:is_public": public,
    }


def image(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "status": "active",
        "visibility": "public",
        **fields,
    }


def _versions(service: str) -> Any:
    """Return the version document at the root of a service."""
    number, place = {
        "v3": ("v3.14", "/v3/"),
        "compute": ("v2.1", "/compute/v2.1/"),
        "volume": ("v3.0", "/volume/v3/"),
        "network": ("v2.0", "/network/v2.0/"),
        "image": ("v2.9", "/image/v2/"),
        "octavia": ("v2.26", "/octavia/v2/"),
        "magnum": ("v1", "/magnum/v1/"),
    }[service]
    links = [{"rel": "self", "href": place}]
    version = {"id": number, "status": "CURRENT", "links": links}
    if service in ("network", "image"):
        return {"versions": [version]}
    return {"version": version}


@contextlib.contextmanager
def serve() -> Iterator[FakeCloud]:
    """Serve a cloud for as long as the context is open."""
    cloud = FakeCloud()
    with loopback.serve(cloud.answer) as cloud.url:
        yield cloud


@contextlib.contextmanager
def project(cloud: FakeCloud, *, new: bool) -> Iterator[have.Project]:
    """Open the project ``p``; nothing is sent twice."""
    login = v3.Password(f"{cloud.url}/v3", "u", "p", project_id="p")
    opened = session.Session(auth=login)
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    openstack_session.mount(opened, clock=lambda: now[0], sleep=sleep)
    with opened.session:
        yield have.Project(opened, "R", "public", new=new)
