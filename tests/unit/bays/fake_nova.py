"""A Nova and Neutron of one server, on the loopback."""

from __future__ import annotations

import contextlib
import re
import urllib.parse

from keystoneauth1 import session
from keystoneauth1.identity import v3

from rally_magnum_scale.bays import machines
from rally_magnum_scale.bays import openstack_session
from tests.unit import loopback

WRONG = "http://127.0.0.1:1"


class FakeCloud:
    """One server, ``m``, and its ports, by id: whether each is up."""

    def __init__(self, **ports):
        self.ports = ports
        self.states = [("ACTIVE", None)]
        self.refuse = {}
        self.requests = []
        self.url = ""

    def answer(self, method, path, body):
        split = urllib.parse.urlsplit(path)
        if split.path == "/v3/auth/tokens":
            return 201, token(self.url)
        service, place = re.fullmatch(r"/(\w*)(.*)", split.path).groups()
        if place in ("", "/"):
            return 200, version(service)
        place = place.removeprefix("/v2.0")
        if method != "GET":
            self.requests.append((method, place, body))
        if (method, place) in self.refuse:
            code, message = self.refuse[method, place]
            return code, {"fault": {"code": code, "message": message}}
        if place == "/servers/m" and method == "GET":
            many = len(self.states) > 1
            status, task = self.states.pop(0) if many else self.states[0]
            return 200, {"server": server(status, task)}
        if place.startswith("/servers/m"):
            return 202, None
        if place == "/ports":
            wanted = urllib.parse.parse_qs(split.query)["device_id"]
            mine = self.ports if wanted == ["m"] else {}
            return 200, {"ports": [port(x, up) for x, up in mine.items()]}
        if place.startswith("/ports/") and method == "PUT":
            name = place.rpartition("/")[2]
            self.ports[name] = body["port"]["admin_state_up"]
            return 200, {"port": port(name, self.ports[name])}
        return 404, {"itemNotFound": {"code": 404, "message": "Not there."}}


def token(url):
    """Keystone's catalogue with the addresses of Nova and Neutron."""
    catalog = [
        {
            "type": kind,
            "id": kind,
            "name": kind,
            "endpoints": [
                {
                    "id": f"{kind}-{region}",
                    "interface": "internal",
                    "region": region,
                    "region_id": region,
                    "url": f"{url}/{kind}" if region == "two" else WRONG,
                }
                for region in ("one", "two")
            ],
        }
        for kind in ("compute", "network")
    ]
    user = {"id": "u", "name": "u", "domain": {"id": "d", "name": "d"}}
    soon = "2999-01-01T00:00:00.000000Z"
    return {
        "token": {
            "methods": ["password"],
            "user": user,
            "project": user,
            "catalog": catalog,
            "expires_at": soon,
            "issued_at": "2024-01-01T00:00:00.000000Z",
        }
    }


def version(service):
    number = "v2.1" if service == "compute" else "v2.0"
    links = [{"rel": "self", "href": f"/{service}/"}]
    return {"version": {"id": number, "status": "CURRENT", "links": links}}


def server(status, task):
    return {
        "id": "m",
        "status": status,
        "OS-EXT-STS:task_state": task,
        "fault": {"message": "no disk."},
    }


def port(name, up):
    return {"id": name, "device_id": "m", "admin_state_up": up}


@contextlib.contextmanager
def opened(cloud, ledger=None):
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    with loopback.serve(cloud.answer) as cloud.url:
        login = v3.Password(f"{cloud.url}/v3", "u", "p", project_id="u")
        known = session.Session(auth=login)
        openstack_session.mount(known, clock=lambda: now[0], sleep=sleep)
        with known.session:
            yield machines.Machines(
                machines.connect(known, "two", "internal"),
                lambda line: None,
                ledger,
                clock=lambda: now[0],
                sleep=sleep,
            )
