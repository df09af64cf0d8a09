"""A stub of Glance, Nova, Neutron and Cinder.

``python -m rally_magnum_sandbox.servers.stub BAYS PORT`` answers the few
requests that Magnum and Rally send to these services:

- Glance: one image, ``sandbox``, whose ``os_distro`` selects our driver;
- Nova: two flavors, key pairs, quotas, limits, and the servers of the bays
  in the folder BAYS (see :mod:`.stub_machines`);
- Neutron: one external network, no extensions, quotas, and the ports of
  these servers;
- Cinder: quotas and limits.

Key pairs and quotas are kept in memory. The stub does not check tokens.
"""

from __future__ import annotations

import json
import pathlib
import re
import sys
import threading
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from urllib import parse

import webob
import webob.dec

from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_sandbox.servers import stub_machines
from rally_magnum_sandbox.servers import wsgi

Answer = tuple[int, Any]

IMAGE = {
    "id": "11111111-1111-4111-8111-111111111111",
    "name": "sandbox",
    "os_distro": "rally-magnum-sandbox",
    "status": "active",
    "visibility": "public",
    "container_format": "bare",
    "disk_format": "raw",
    "min_disk": 0,
    "min_ram": 0,
    "size": 1,
    "protected": False,
    "tags": [],
    "owner": "sandbox",
    "checksum": "none",
    "file": "/v2/images/11111111-1111-4111-8111-111111111111/file",
    "self": "/v2/images/11111111-1111-4111-8111-111111111111",
    "schema": "/v2/schemas/image",
    "created_at": "2024-01-01T00:00:00Z",
    "updated_at": "2024-01-01T00:00:00Z",
}
NETWORK = {
    "id": "22222222-2222-4222-8222-222222222222",
    "name": "public",
    "router:external": True,
    "status": "ACTIVE",
    "admin_state_up": True,
    "shared": True,
    "subnets": [],
    "tenant_id": "sandbox",
}
UNLIMITED = -1
NOVA_QUOTAS = (
    "instances",
    "cores",
    "ram",
    "key_pairs",
    "metadata_items",
    "server_groups",
    "server_group_members",
    "injected_files",
    "injected_file_content_bytes",
    "injected_file_path_bytes",
)
CINDER_QUOTAS = ("volumes", "snapshots", "gigabytes", "backups")
NEUTRON_QUOTAS = (
    "network",
    "subnet",
    "port",
    "router",
    "floatingip",
    "security_group",
    "security_group_rule",
)
ABSOLUTE_LIMITS = {
    "maxTotalInstances": UNLIMITED,
    "maxTotalCores": UNLIMITED,
    "maxTotalRAMSize": UNLIMITED,
    "maxTotalKeypairs": UNLIMITED,
    "totalInstancesUsed": 0,
    "totalCoresUsed": 0,
    "totalRAMUsed": 0,
    "maxTotalVolumes": UNLIMITED,
    "maxTotalVolumeGigabytes": UNLIMITED,
    "totalVolumesUsed": 0,
    "totalGigabytesUsed": 0,
}


def _flavor(number: int, name: str, cores: int, ram_mb: int) -> Any:
    return {
        "id": str(number),
        "name": name,
        "vcpus": cores,
        "ram": ram_mb,
        "disk": 20,
        "swap": "",
        "rxtx_factor": 1.0,
        "links": [],
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
    }


FLAVORS = [
    _flavor(1, "sandbox.node", 4, 8192),
    _flavor(2, "sandbox.master", 2, 4096),
]


@dataclass
class Stub:
    """The stub's state: key pairs and quotas, by name.

    :param machines: the servers and ports of the bays, or None
    """

    keypairs: dict[str, Any] = field(default_factory=dict)
    quotas: dict[str, dict[str, int]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    machines: stub_machines.Machines | None = None

    def answer(self, method: str, target: str, body: Any) -> Answer:
        """Answer one request.

        :param method: the HTTP method
        :param target: path and query
        :param body: the decoded JSON, or None
        :returns: the status, and the JSON to send; None sends no body
        """
        split = parse.urlsplit(target)
        path = split.path.rstrip("/").removesuffix(".json")
        query = dict(parse.parse_qsl(split.query))
        if self.machines:
            # Not under our lock, because these may wait for other locks.
            found = self.machines.answer(method, path, query, body)
            if found is not None:
                return found
        for pattern, handle in self._routes():
            match = re.fullmatch(pattern, f"{method} {path}")
            if match:
                with self.lock:
                    return handle(*match.groups(), **_given(body, query))
        message = f"The sandbox's stub has no {method} {path}."
        return 404, {"error": {"message": message, "code": 404}}

    def _routes(self) -> list[tuple[str, Callable[..., Answer]]]:
        return [
            (r"GET /image", _image_versions),
            (r"GET /image/v2/schemas/image", _image_schema),
            (r"GET /image/v2/images", _images),
            (r"GET /image/v2/images/([^/]+)", _image),
            (r"GET /compute(?:/v2\.1)?", _compute_version),
            (r"GET /compute/v2\.1/flavors(?:/detail)?", _flavors),
            (r"GET /compute/v2\.1/flavors/([^/]+)", _one_flavor),
            (r"GET /compute/v2\.1/os-keypairs", self._keypairs),
            (r"POST /compute/v2\.1/os-keypairs", self._make_keypair),
            (r"GET /compute/v2\.1/os-keypairs/([^/]+)", self._keypair),
            (r"DELETE /compute/v2\.1/os-keypairs/([^/]+)", self._no_keypair),
            (r"GET /(?:compute|volume)/.*limits", _limits),
            (r"GET /(\w+)/.*/os-quota-sets/([^/]+)/detail", self._quota_use),
            (r"GET /(\w+)/.*/os-quota-sets/([^/]+)/defaults", _default_quota),
            (r"GET /(network)/v2.0/quotas/([^/]+)/details", self._quota_use),
            (r"GET /(network)/v2.0/quotas/([^/]+)/default", _default_quota),
            (
                r"(GET|PUT|DELETE) /(\w+)/.*/os-quota-sets/([^/]+)",
                self._quota,
            ),
            (r"(GET|PUT|DELETE) /(network)/v2.0/quotas/([^/]+)", self._quota),
            (r"GET /network", _network_versions),
            (r"GET /network/v2\.0/networks", lambda **_: (200, _networks())),
            (r"GET /network/v2\.0/networks/([^/]+)", _network),
            (r"GET /network/v2\.0/([a-z-]+)", _none_of),
        ]

    def _keypairs(self, **_: Any) -> Answer:
        pairs = [{"keypair": pair} for pair in self.keypairs.values()]
        return 200, {"keypairs": pairs}

    def _make_keypair(self, body: Any, **_: Any) -> Answer:
        name = body["keypair"]["name"]
        self.keypairs[name] = _keypair(name)
        return 200, {"keypair": self.keypairs[name]}

    def _keypair(self, name: str, **_: Any) -> Answer:
        # Key pairs belong to users, but the stub does not know users. So the
        # key pair that a template may name exists for every user.
        found = self.keypairs.get(name)
        if found is None and name == "sandbox":
            found = _keypair(name)
        if found is None:
            return 404, {"itemNotFound": {"message": name, "code": 404}}
        return 200, {"keypair": found}

    def _no_keypair(self, name: str, **_: Any) -> Answer:
        self.keypairs.pop(name, None)
        return 202, None

    def _quota(
        self,
        method: str,
        service: str,
        tenant: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        if (query or {}).get("usage") == "True":
            return self._quota_use(service, tenant)
        kind = _kind(service)
        key = f"{service}/{tenant}"
        if method == "DELETE":
            self.quotas.pop(key, None)
            return (204 if service == "network" else 202), None
        if method == "PUT":
            changed = {k: v for k, v in body[kind].items() if _is_number(v)}
            self.quotas.setdefault(key, {}).update(changed)
        return 200, {kind: self._limits_of(service, tenant)}

    def _quota_use(self, service: str, tenant: str, **_: Any) -> Answer:
        """Show the limits with their use, which the stub does not count."""
        used = "used" if service == "network" else "in_use"
        limits = self._limits_of(service, tenant).items()
        return 200, {
            _kind(service): {
                name: {"limit": limit, used: 0, "reserved": 0}
                for name, limit in limits
            }
        }

    def _limits_of(self, service: str, tenant: str) -> dict[str, int]:
        own = self.quotas.get(f"{service}/{tenant}", {})
        return _defaults(service) | own


def _given(body: Any, query: dict[str, str]) -> dict[str, Any]:
    return {"body": body, "query": query}


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _defaults(service: str) -> dict[str, int]:
    names = {"compute": NOVA_QUOTAS, "volume": CINDER_QUOTAS}
    return dict.fromkeys(names.get(service, NEUTRON_QUOTAS), UNLIMITED)


def _kind(service: str) -> str:
    return "quota" if service == "network" else "quota_set"


def _default_quota(service: str, _tenant: str, **_: Any) -> Answer:
    return 200, {_kind(service): _defaults(service)}


def _keypair(name: str) -> dict[str, str]:
    return {
        "name": name,
        "public_key": "ssh-rsa none",
        "private_key": "none",
        "fingerprint": "none",
        "user_id": "sandbox",
    }


def _image_versions(**_: Any) -> Answer:
    links = [{"rel": "self", "href": "v2/"}]
    version = {"id": "v2.9", "status": "CURRENT", "links": links}
    return 200, {"versions": [version]}


def _image_schema(**_: Any) -> Answer:
    properties: dict[str, Any] = {name: {} for name in IMAGE}
    return 200, {"name": "image", "properties": properties}


def _images(query: dict[str, str], **_: Any) -> Answer:
    wanted = query.get("name", IMAGE["name"])
    found = [IMAGE] if wanted == IMAGE["name"] else []
    first = {"schema": "/v2/schemas/images", "first": "/v2/images"}
    return 200, {"images": found} | first


def _image(name: str, **_: Any) -> Answer:
    return (200, IMAGE) if name == IMAGE["id"] else (404, {})


def _compute_version(**_: Any) -> Answer:
    version = {
        "id": "v2.1",
        "status": "CURRENT",
        "version": "2.90",
        "min_version": "2.1",
        "links": [],
    }
    return 200, {"version": version}


def _flavors(**_: Any) -> Answer:
    return 200, {"flavors": FLAVORS}


def _one_flavor(name: str, **_: Any) -> Answer:
    found = [f for f in FLAVORS if name in (f["id"], f["name"])]
    return (200, {"flavor": found[0]}) if found else (404, {})


def _limits(**_: Any) -> Answer:
    return 200, {"limits": {"rate": [], "absolute": ABSOLUTE_LIMITS}}


def _network_versions(**_: Any) -> Answer:
    links = [{"rel": "self", "href": "v2.0/"}]
    version = {"id": "v2.0", "status": "CURRENT", "links": links}
    return 200, {"versions": [version]}


def _networks() -> Any:
    return {"networks": [NETWORK]}


def _network(name: str, **_: Any) -> Answer:
    known = name in (NETWORK["id"], NETWORK["name"])
    return (200, {"network": NETWORK}) if known else (404, {})


def _none_of(kind: str, **_: Any) -> Answer:
    return 200, {kind.replace("-", "_"): []}


class Application:
    """The stub as a WSGI application."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    @webob.dec.wsgify
    def __call__(self, request: webob.Request) -> webob.Response:
        body = request.json_body if request.body else None
        status, content = self._stub.answer(
            request.method, request.path_qs, body
        )
        response = webob.Response(
            status=status, content_type="application/json"
        )
        response.body = (
            b"" if content is None else json.dumps(content).encode()
        )
        return response


def main() -> None:
    """Serve the bays' folder on the port, both from the command line."""
    bays = bay_folder.Bays(pathlib.Path(sys.argv[1]))
    stub = Stub(machines=stub_machines.Machines(bays))
    wsgi.serve(Application(stub), "stub", int(sys.argv[2]), threads=16)


if __name__ == "__main__":
    main()
