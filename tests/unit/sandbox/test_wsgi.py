"""What a client of a server sees of each fault."""

import http.client
import json

import pytest

from rally_magnum_sandbox.servers import faults as sandbox_faults
from rally_magnum_sandbox.servers import wsgi
from tests.unit.sandbox import waitress_server

CONTENT = {"clusters": [{"uuid": "u1", "status": "CREATE_COMPLETE"}]}
Fault = sandbox_faults.Fault


class Client:
    """Sends requests to an application behind the faults.

    ``events`` lists the executed requests and the delays.
    """

    def __init__(self, path):
        self.faults = sandbox_faults.Faults(path)
        self.events = []
        self.injection = wsgi.FaultInjection(
            self.application, "magnum", self.faults, sleep=self.events.append
        )
        self.port = 0

    def application(self, environ, start_response):
        self.events.append(environ["REQUEST_METHOD"])
        body = json.dumps(CONTENT).encode()
        length = ("Content-Length", str(len(body)))
        start_response(
            "201 Created", [("Content-Type", "application/json"), length]
        )
        return [body]

    def send(self, method="GET", path="/v1/clusters", body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def hits(self):
        return [(x.hits, x.requests) for x in self.faults.all()]


@pytest.fixture
def client(tmp_path):
    found = Client(tmp_path / "faults.json")
    with waitress_server.serve(found.injection) as found.port:
        yield found


def test_without_faults_responses_are_unchanged(client):
    status, headers, body = client.send("POST", body=b"{}")
    assert (status, json.loads(body)) == (201, CONTENT)
    assert headers["Content-Type"] == "application/json"
    assert client.events == ["POST"]


def test_a_request_that_gets_an_error_is_not_executed(client):
    client.faults.add(Fault("magnum", "503"))
    status, headers, body = client.send("POST", body=b"{}")
    assert status == 503
    assert headers["Content-Type"] == "application/json"
    (error,) = json.loads(body)["errors"]
    assert error["title"] == "Service Unavailable"
    assert client.events == []
    assert client.hits() == [(1, 1)]


def test_a_request_that_is_applied_is_executed_first(client):
    client.faults.add(Fault("magnum", "502", applied=True))
    assert client.send("POST", body=b"{}")[0] == 502
    assert client.events == ["POST"]


def test_an_error_can_be_the_page_of_a_load_balancer(client):
    client.faults.add(Fault("magnum", "502", html=True))
    status, headers, body = client.send()
    assert status == 502
    assert headers.get_content_type() == "text/html"
    assert b"<h1>502 Bad Gateway</h1>" in body


def test_an_error_can_have_a_retry_after(client):
    client.faults.add(Fault("magnum", "429", retry_after_s=2))
    status, headers, _ = client.send()
    assert (status, headers["Retry-After"]) == (429, "2")
    client.faults.clear()
    client.faults.add(Fault("magnum", "429"))
    assert "Retry-After" not in client.send()[1]


def test_errors_of_other_services_have_their_own_format(tmp_path):
    faults = sandbox_faults.Faults(tmp_path / "faults.json")
    faults.add(Fault("keystone", "500"))
    injection = wsgi.FaultInjection(None, "keystone", faults)
    client = Client(tmp_path / "unused.json")
    with waitress_server.serve(injection) as client.port:
        status, _, body = client.send("POST", "/v3/auth/tokens", b"{}")
    assert (status, json.loads(body)["error"]["code"]) == (500, 500)


def test_a_truncated_response_is_complete_http_but_not_json(client):
    client.faults.add(Fault("magnum", "truncated"))
    status, headers, body = client.send()
    whole = json.dumps(CONTENT).encode()
    assert (status, body) == (201, whole[: len(whole) // 2])
    assert headers["Content-Length"] == str(len(body))
    assert client.events == ["GET"]


def test_a_reset_closes_the_connection_without_a_response(client):
    client.faults.add(Fault("magnum", "reset", times=1))
    with pytest.raises(http.client.RemoteDisconnected):
        client.send("POST", body=b"{}")
    assert client.events == []
    assert client.send()[0] == 201
    assert client.hits() == [(1, 1)]


def test_a_reset_can_come_after_the_request_was_executed(client):
    client.faults.add(Fault("magnum", "reset", applied=True))
    with pytest.raises(http.client.RemoteDisconnected):
        client.send("POST", body=b"{}")
    assert client.events == ["POST"]


@pytest.mark.parametrize(
    ("applied", "events"), [(False, [30.0, "GET"]), (True, ["GET", 30.0])]
)
def test_a_late_response_is_unchanged(client, applied, events):
    client.faults.add(Fault("magnum", "late", delay_s=30.0, applied=applied))
    status, _, body = client.send()
    assert (status, json.loads(body)) == (201, CONTENT)
    assert client.events == events


def test_only_matching_requests_are_hit(client):
    client.faults.add(
        Fault("magnum", "503", methods=("POST",), path="^/v1/clusters$")
    )
    client.faults.add(Fault("keystone", "503"))
    assert client.send("GET")[0] == 201
    assert client.send("POST", "/v1/certificates", b"{}")[0] == 201
    assert client.send("POST", "/v1/clusters?limit=1", b"{}")[0] == 503
    assert client.hits() == [(1, 1), (0, 0)]


def test_every_third_request_is_hit(client):
    client.faults.add(Fault("magnum", "503", every=3))
    found = [client.send()[0] for _ in range(6)]
    assert found == [201, 201, 503, 201, 201, 503]
    assert client.hits() == [(2, 6)]


def test_a_cleared_fault_hits_nothing_more(client):
    client.faults.add(Fault("magnum", "503"))
    assert client.send()[0] == 503
    sandbox_faults.Faults(client.faults._path).clear()
    assert client.send()[0] == 201
