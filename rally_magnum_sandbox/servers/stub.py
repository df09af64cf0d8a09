"""A stub of Glance, Nova, Neutron and Cinder.

``python -m rally_magnum_sandbox.servers.stub BAYS PORT`` answers the few
requests that Magnum and Rally send to these services:

- Glance: an image for each of Magnum's drivers (see :mod:`.stub_images`);
- Nova: flavors, key pairs, quotas, limits, and the servers of the bays
  in the folder BAYS (see :mod:`.stub_machines`);
- Neutron: one external network, no extensions, quotas, and the ports of
  these servers;
- Cinder: one volume type, quotas and limits.

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

from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_sandbox.servers import stub_images
from rally_magnum_sandbox.servers import stub_machines
from rally_magnum_sandbox.servers import wsgi

Answer = tuple[int, Any]

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
VOLUME_TYPE = {
    "id": "44444444-4444-4444-8444-444444444444",
    "name": "default",
    "is_public": True,
    "extra_specs": {},
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
    # The provider for Cluster API gives these flavors a meaning.
    _flavor(3, "sandbox.real", 4, 8192),
    _flavor(4, "sandbox.no-host", 4, 8192),
    _flavor(5, "sandbox.late", 4, 8192),
    _flavor(6, "sandbox.uninitialized", 4, 8192),
    _flavor(7, "sandbox.no-control-plane", 2, 4096),
    _flavor(8, "sandbox.one-real", 4, 8192),
]


@dataclass
class Stub:
    """The stub's state: key pairs and quotas, by name.

    :param images: of all users
    :param url: of the stub; the version documents need it, because
        openstacksdk refuses relative links
    :param machines: the servers and ports of the bays, or None
    """

    images: stub_images.Images
    url: str
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
            (r"GET /image", self._image_versions),
            (r"GET /image/v2/schemas/image", self.images.schema),
            (r"GET /image/v2/images", self.images.list_images),
            (r"GET /image/v2/images/([^/]+)", self.images.show_image),
            (r"GET /volume/v3", self._volume_version),
            (r"GET /volume/v3(?:/[^/]+)?/types", _volume_types),
            (r"GET /compute(?:/v2\.1)?", self._compute_version),
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
            (r"GET /network", self._network_versions),
            (r"GET /network/v2\.0/networks", lambda **_: (200, _networks())),
            (r"GET /network/v2\.0/networks/([^/]+)", _network),
            (r"GET /network/v2\.0/([a-z-]+)", _none_of),
        ]

    def _image_versions(self, **_: Any) -> Answer:
        return 200, {"versions": [self._version("v2.9", "image/v2")]}

    def _volume_version(self, **_: Any) -> Answer:
        version = self._version("v3.0", "volume/v3")
        limits = {"version": "3.70", "min_version": "3.0"}
        return 200, {"versions": [version | limits]}

    def _compute_version(self, **_: Any) -> Answer:
        version = self._version("v2.1", "compute/v2.1")
        limits = {"version": "2.90", "min_version": "2.1"}
        return 200, {"version": version | limits}

    def _network_versions(self, **_: Any) -> Answer:
        return 200, {"versions": [self._version("v2.0", "network/v2.0")]}

    def _version(self, version: str, path: str) -> dict[str, Any]:
        links = [{"rel": "self", "href": f"{self.url}/{path}/"}]
        return {"id": version, "status": "CURRENT", "links": links}

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


def _volume_types(**_: Any) -> Answer:
    return 200, {"volume_types": [VOLUME_TYPE]}


def _flavors(query: dict[str, str], **_: Any) -> Answer:
    least_mb = int(query.get("minRam", "0"))
    found = [flavor for flavor in FLAVORS if flavor["ram"] >= least_mb]
    return 200, {"flavors": found}


def _one_flavor(name: str, **_: Any) -> Answer:
    found = [f for f in FLAVORS if name in (f["id"], f["name"])]
    return (200, {"flavor": found[0]}) if found else (404, {})


def _limits(**_: Any) -> Answer:
    return 200, {"limits": {"rate": [], "absolute": ABSOLUTE_LIMITS}}


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
    bays, port = bay_folder.Bays(pathlib.Path(sys.argv[1])), int(sys.argv[2])
    url = f"http://{sandbox_settings.HOST}:{port}"
    images = stub_images.Images(bays.kubernetes_version)
    stub = Stub(images, url, machines=stub_machines.Machines(bays))
    wsgi.serve(Application(stub), "stub", port, threads=16)


if __name__ == "__main__":
    main()
