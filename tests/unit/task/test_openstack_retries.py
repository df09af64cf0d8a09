"""Sessions that Rally opens itself, on a Keystone that is busy at first."""

from tests.unit import fresh_python
from tests.unit import loopback

CREDENTIAL = {
    "username": "admin",
    "password": "secret",
    "tenant_name": "admin",
    "user_domain_name": "Default",
    "project_domain_name": "Default",
}
TOKEN = {
    "methods": ["password"],
    "user": {"id": "u", "name": "admin", "domain": {"id": "default"}},
    "expires_at": "2099-01-01T00:00:00Z",
    "issued_at": "2026-01-01T00:00:00Z",
}


class BusyKeystone:
    """Answers each request first with 503, then as it should."""

    def __init__(self):
        self.seen = set()

    def __call__(self, method, path, _body):
        if (method, path) not in self.seen:
            self.seen.add((method, path))
            return 503, {}
        if method == "POST":
            return 201, {"token": TOKEN}
        version = {
            "id": "v3.14",
            "status": "stable",
            "links": [{"rel": "self", "href": f"{self.url}/v3"}],
        }
        if path.rstrip("/") == "/v3":
            return 200, {"version": version}
        return 300, {"versions": {"values": [version]}}


LOG_IN = f"""
import sys
from rally.plugins import load
from rally_openstack.common import osclients
load()
credential = {CREDENTIAL} | {{"auth_url": sys.argv[1]}}
print(osclients.Keystone(credential).auth_ref.username)
"""


def test_rally_logs_in_to_a_busy_keystone():
    keystone = BusyKeystone()
    with loopback.serve(keystone) as keystone.url:
        said = fresh_python.run(LOG_IN, keystone.url)
    assert said.splitlines()[-1] == "admin"
    assert {method for method, _ in keystone.seen} == {"GET", "POST"}
