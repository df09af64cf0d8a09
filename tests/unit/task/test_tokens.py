"""A run may outlive the token that Rally got at its beginning."""

import contextlib
import http.server
import json
import threading

import pytest
from magnumclient import exceptions as magnum_exceptions
from rally_openstack.common import credential
from rally_openstack.common import osclients

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.task import clients

# As Keystone's middleware in front of Magnum says it.
REFUSAL = {
    "code": 401,
    "title": "Unauthorized",
    "message": "The request you have made requires authentication.",
}


class Cloud:
    """Keystone and Magnum; a token is good for some requests to Magnum.

    :param lasts: how many requests; 0 for tokens that are old at once
    """

    def __init__(self, lasts):
        self.lasts = lasts
        self.url = ""
        self.used = {}
        self.refused = 0

    def answer(self, method, path, headers):
        """Return status, headers and JSON."""
        if method == "POST" and path.endswith("/v3/auth/tokens"):
            token = f"token-{len(self.used)}"
            self.used[token] = 0
            return 201, {"X-Subject-Token": token}, {"token": self._token()}
        if path.startswith("/magnum"):
            return self._magnum(headers["X-Auth-Token"])
        return 200, {}, {"versions": {"values": [self._version()]}}

    def _magnum(self, token):
        self.used[token] += 1
        if self.used[token] > self.lasts:
            self.refused += 1
            return 401, {}, {"error": REFUSAL}
        bay = {"uuid": "u-1", "name": "bay", "status": "CREATE_COMPLETE"}
        return 200, {}, {"clusters": [bay], **bay}

    def _version(self):
        links = [{"rel": "self", "href": f"{self.url}/v3/"}]
        return {"id": "v3.14", "status": "stable", "links": links}

    def _token(self):
        endpoint = {
            "id": "e",
            "interface": "public",
            "region": "r",
            "region_id": "r",
            "url": f"{self.url}/magnum/v1",
        }
        service = {
            "id": "s",
            "type": "container-infra",
            "name": "magnum",
            "endpoints": [endpoint],
        }
        return {
            "methods": ["password"],
            "user": {"id": "u", "name": "u", "domain": {"id": "d"}},
            "project": {"id": "p", "name": "p", "domain": {"id": "d"}},
            "issued_at": "2020-01-01T00:00:00.000000Z",
            "expires_at": "2100-01-01T00:00:00.000000Z",
            "catalog": [service],
        }


@contextlib.contextmanager
def serve(cloud):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers, content = cloud.answer(
                self.command, self.path, self.headers
            )
            sent = json.dumps(content).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_POST = do_GET

        def log_message(self, *_arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def bays_of(cloud):
    """Open the bays through Rally's own credential and clients."""
    with serve(cloud):
        user = credential.OpenStackCredential(
            auth_url=f"{cloud.url}/v3",
            username="u",
            password="secret",
            tenant_name="p",
            region_name="r",
            endpoint_type="public",
        )
        own = osclients.Clients(user)
        magnum = clients.magnum_of(own)
        session, _ = own.keystone.get_session()
        with session.session:
            yield lifecycle.Bays(magnum)


def test_a_token_that_grew_old_is_replaced_in_the_middle_of_a_run():
    cloud = Cloud(lasts=3)
    with bays_of(cloud) as bays:
        for _ in range(5):
            assert bays.find("bay").uuid == "u-1"
    assert len(cloud.used) > 2
    assert cloud.refused == len(cloud.used) - 1


def test_an_account_that_is_no_longer_let_in_is_an_error():
    cloud = Cloud(lasts=0)
    with (
        bays_of(cloud) as bays,
        pytest.raises(exceptions.BayError, match="list the bays") as got,
    ):
        bays.find("bay")
    assert isinstance(got.value.__cause__, magnum_exceptions.ClientException)
    assert len(cloud.used) == 2
