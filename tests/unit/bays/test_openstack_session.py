"""The transport of OpenStack sessions, against a real HTTP server."""

import http.server
import itertools
import socket
import threading

import pytest
import requests
from keystoneauth1 import exceptions as keystone_errors
from keystoneauth1 import noauth
from keystoneauth1 import session as keystone_session

from rally_magnum_scale import retries
from rally_magnum_scale.bays import openstack_session

JSON = "application/json"
GOOD = (200, {"Content-Type": JSON}, b'{"name": "bay"}')
BUSY = (503, {}, b"")
HTML = (200, {"Content-Type": "text/html"}, b"<html>Bad gateway</html>")
CUT = (200, {"Content-Type": JSON}, b'{"name": "ba')
SHORT = (200, {"Content-Type": JSON, "Content-Length": "999"}, b'{"name"')
RESET = None


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives the answers that its server was told, the last one for ever."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path))
        answer = next(self.server.answers)
        if answer is RESET:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        status, headers, body = answer
        self.send_response(status)
        self.send_header("Connection", "close")
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    do_GET = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        found.seen = []
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.0)


def opened(server, *answers):
    last = answers[-1]
    server.answers = itertools.chain(answers, itertools.repeat(last))
    session = keystone_session.Session(auth=noauth.NoAuth())
    return session, openstack_session.mount(session)


def url(server, path="/v1/clusters"):
    return f"http://127.0.0.1:{server.server_port}{path}"


def get(session, server, **options):
    return session.get(
        url(server), headers={"Accept": JSON}, authenticated=False, **options
    )


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (BUSY, "503"),
        ((500, {}, b""), "500"),
        ((502, {"Content-Type": "text/html"}, b"<html>"), "502"),
        ((429, {"Retry-After": "0"}, b""), "429"),
        (HTML, "HTML instead of JSON"),
        (CUT, "invalid JSON"),
        (SHORT, "connection broke off"),
        (RESET, "connection broke off"),
    ],
)
def test_a_transient_failure_is_repeated_and_counted(server, answer, what):
    session, adapter = opened(server, answer, answer, GOOD)
    assert get(session, server).json() == {"name": "bay"}
    assert adapter.errors == {f"OpenStack: {what}": 2}


def test_a_request_that_fails_for_seconds_is_logged_once(server, caplog):
    session, adapter = opened(server, *[BUSY] * 6, GOOD)
    get(session, server)
    assert adapter.errors == {"OpenStack: 503": 6}
    (line,) = caplog.messages
    assert line == (
        "OpenStack failed 4 times in a row (503): retrying GET /v1/clusters."
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413])
def test_a_permanent_failure_is_not_repeated(server, status):
    session, adapter = opened(server, (status, {}, b""))
    with pytest.raises(keystone_errors.HttpError):
        get(session, server)
    assert len(server.seen) == 1
    assert adapter.errors == {}


def test_a_silent_server_is_asked_again(server, monkeypatch):
    monkeypatch.setattr(openstack_session, "READ_TIMEOUT_S", 0.2)
    held = threading.Event()
    session, adapter = opened(server, GOOD)

    class Answers:
        """Holds the first answer back until the test has its result."""

        def __init__(self):
            self._number = itertools.count()

        def __next__(self):
            if next(self._number) == 0:
                held.wait()
            return GOOD

    server.answers = Answers()
    try:
        assert get(session, server).json() == {"name": "bay"}
    finally:
        held.set()
    assert adapter.errors == {"OpenStack: no answer in time": 1}


def test_without_patience_the_last_answer_is_returned(server):
    session, adapter = opened(server, BUSY)
    with retries.patience(0.0):
        response = get(session, server, raise_exc=False)
    assert response.status_code == 503
    assert len(server.seen) == 1
    assert adapter.errors == {"OpenStack: 503": 1}


@pytest.mark.parametrize("answer", [HTML, CUT, SHORT, RESET])
def test_an_unreadable_answer_is_an_error_when_patience_ends(server, answer):
    session, _ = opened(server, answer)
    with (
        retries.patience(0.0),
        pytest.raises(
            keystone_errors.ClientException, match="Unexpected|connect"
        ),
    ):
        get(session, server)


def test_an_untrusted_certificate_is_not_repeated(monkeypatch):
    sent = []

    def refuse(*_arguments, **_options):
        sent.append(1)
        raise requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED")

    monkeypatch.setattr(
        openstack_session.keystone_session.TCPKeepAliveAdapter, "send", refuse
    )
    session = keystone_session.Session(auth=noauth.NoAuth())
    openstack_session.mount(session)
    with pytest.raises(keystone_errors.SSLError):
        session.get("https://127.0.0.1:1/", authenticated=False)
    assert len(sent) == 1


def test_a_session_has_one_adapter(server):
    session, adapter = opened(server, GOOD)
    assert openstack_session.mount(session) is adapter


@pytest.mark.parametrize(
    ("headers", "path", "name"),
    [
        ({"OpenStack-API-Version": "container-infra latest"}, "/", "Magnum"),
        ({"OpenStack-API-Version": "compute 2.90"}, "/servers", "Nova"),
        ({}, "/networking/v2.0/ports", "Neutron"),
        ({}, "/identity/v3/auth/tokens", "Keystone"),
        ({"OpenStack-API-Version": "volume 3.1"}, "/", "volume"),
        ({}, "/", "OpenStack"),
    ],
)
def test_errors_are_counted_for_the_service(headers, path, name):
    request = requests.Request("GET", f"http://a{path}", headers=headers)
    assert openstack_session.service_of(request.prepare()) == name
