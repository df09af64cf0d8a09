import contextlib
import datetime
import http.server
import json
import pathlib
import ssl
import threading

import kubernetes.client
import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import renewal
from tests.unit.kube import certificates
from tests.unit.kube import fake_api
from tests.unit.kube import test_client

VERSION = test_client.VERSION
ANSWER = test_client.ANSWER
# 5 % of its life is left.
ENDING = (datetime.timedelta(minutes=-95), datetime.timedelta(minutes=5))


@pytest.fixture(scope="module")
def authority():
    return certificates.Authority()


@contextlib.contextmanager
def connect(answers, pair, renew):
    with (
        fake_api.serve({VERSION: answers}) as (fake, cluster),
        client.connect(
            cluster.api.configuration.host, "", *pair, renew=renew
        ) as connected,
    ):
        yield fake, connected


def test_a_refused_certificate_is_renewed_once_and_the_request_repeated(
    authority,
):
    calls = []

    def renew():
        calls.append(1)
        return authority.issue()

    with connect([401, ANSWER], authority.issue(), renew) as (fake, cluster):
        before = cluster.api.rest_client
        assert cluster.version() == "v1.33.1"
        assert cluster.api.rest_client is not before
        cluster.version()
    assert (len(calls), len(fake.queries)) == (1, 3)


@pytest.mark.usefixtures("no_umask")
def test_the_private_key_is_for_this_user_alone(authority):
    with connect([ANSWER], authority.issue(), None) as (_, cluster):
        key = pathlib.Path(cluster.api.configuration.key_file)
        assert key.stat().st_mode & 0o777 == 0o600
        assert key.parent.stat().st_mode & 0o777 == 0o700
    assert not key.parent.exists()


def test_a_permanent_refusal_is_raised_and_does_not_renew_each_time(
    authority, monkeypatch
):
    monkeypatch.setattr(client, "UP_WITHIN_S", 0.2)
    calls = []

    def renew():
        calls.append(1)
        return authority.issue()

    with (
        connect([401], authority.issue(), renew) as (_, cluster),
        pytest.raises(exceptions.KubernetesError, match="401"),
    ):
        cluster.version()
    assert len(calls) == 1


def test_a_renewal_that_fails_is_one_sentence(authority, monkeypatch):
    monkeypatch.setattr(client, "UP_WITHIN_S", 0.0)

    def renew():
        raise RuntimeError("Magnum is away")

    with (
        connect([401], authority.issue(), renew) as (_, cluster),
        pytest.raises(
            exceptions.KubernetesError, match=r"\(401 .*\).*Magnum is away"
        ),
    ):
        cluster.version()


def test_without_another_certificate_a_refusal_is_a_refusal(
    authority, monkeypatch
):
    monkeypatch.setattr(client, "UP_WITHIN_S", 0.0)
    with (
        connect([401], authority.issue(), None) as (_, cluster),
        pytest.raises(exceptions.KubernetesError, match="refused to read"),
    ):
        cluster.version()


def test_a_certificate_that_expires_soon_is_renewed(authority):
    calls = []

    def renew():
        calls.append(1)
        return authority.issue()

    ending = authority.issue(life=ENDING)
    with connect([ANSWER], ending, renew) as (fake, cluster):
        cluster.version()
        cluster.version()
    assert (len(calls), len(fake.queries)) == (1, 2)


def test_an_early_renewal_that_fails_keeps_the_certificate(authority):
    calls = []

    def renew():
        calls.append(1)
        raise RuntimeError("Magnum is away")

    ending = authority.issue(life=ENDING)
    with connect([ANSWER], ending, renew) as (_, cluster):
        assert cluster.version() == cluster.version() == "v1.33.1"
    # Not at each request.
    assert len(calls) == 1


@contextlib.contextmanager
def serve_tls(authority, tmp_path):
    """Serve a version to those whose certificate the handshake takes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            text = json.dumps(ANSWER).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_arguments):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_arguments):
            pass

    certificate, key = authority.issue("server")
    (tmp_path / "server.pem").write_text(certificate + key)
    (tmp_path / "ca.pem").write_text(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    context.load_verify_locations(tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def configuration(folder, host, name, pair):
    made = kubernetes.client.Configuration()
    made.host, made.ssl_ca_cert = host, str(folder / "ca.pem")
    made.retries = 0
    for kind, pem in zip(("cert", "key"), pair, strict=True):
        path = folder / f"{name}-{kind}.pem"
        path.write_text(pem)
        setattr(made, f"{kind}_file", str(path))
    return made


def test_a_handshake_that_fails_as_expired_is_renewed(authority, tmp_path):
    expired = authority.issue(life=certificates.EXPIRED)
    with serve_tls(authority, tmp_path) as host:
        api = renewal.RenewingApiClient(
            configuration(tmp_path, host, "old", expired),
            lambda: configuration(tmp_path, host, "new", authority.issue()),
            # Our clock is behind: nothing is renewed ahead.
            wall_clock=lambda: 0.0,
        )
        with api:
            assert client.KubeClient(api).version() == "v1.33.1"


def test_a_server_that_we_do_not_trust_is_no_reason_to_renew(
    authority, tmp_path, monkeypatch
):
    monkeypatch.setattr(client, "UP_WITHIN_S", 0.0)
    with serve_tls(authority, tmp_path) as host:
        (tmp_path / "ca.pem").write_text(certificates.Authority().pem)
        calls = []
        api = renewal.RenewingApiClient(
            configuration(tmp_path, host, "old", authority.issue()),
            lambda: calls.append(1),
        )
        with (
            api,
            pytest.raises(
                exceptions.KubernetesError, match="CERTIFICATE_VERIFY"
            ),
        ):
            client.KubeClient(api).version()
    assert calls == []
