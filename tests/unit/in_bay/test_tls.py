import itertools
import json
import ssl
import subprocess
import sys

import pytest

from rally_magnum_scale.in_bay.fresh import engine_of
from rally_magnum_scale.in_bay.job import Trust
from rally_magnum_scale.in_bay.request_spec import Request
from rally_magnum_scale.in_bay.stats.steps import Step
from tests.unit import loads
from tests.unit.in_bay.conftest import Behaviour
from tests.unit.in_bay.conftest import serving
from tests.unit.in_bay.engine_runs import side_by_side
from tests.unit.kube import certificates

NAME = "target.load.svc"

# As a worker does it, where gevent has patched the whole process.
PATCHED = """
from gevent import monkey
monkey.patch_all()
import json, sys, time
from rally_magnum_scale.in_bay.fresh import engine_of
from rally_magnum_scale.in_bay.job import Job
job = Job.from_json(json.load(sys.stdin))
outcome = engine_of(job)(
    job, start_second=int(time.time()) + 1, report=lambda _: None
).run()
print(json.dumps([outcome.requests, outcome.failures]))
"""


@pytest.fixture(scope="module")
def authority():
    return certificates.Authority()


def server_context(authority, folder, *, dns_name=NAME, **options):
    """Return a context with a certificate that the authority has signed."""
    pem, key = authority.issue(dns_name=dns_name, **options)
    (folder / "tls.crt").write_text(pem)
    (folder / "tls.key").write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return context


@pytest.fixture
def secured(serve, authority, tmp_path):
    """Start a server whose certificate is signed by the authority."""

    def start(behave=None):
        given = {} if behave is None else {"behave": behave}
        return serve(context=server_context(authority, tmp_path), **given)

    return start


def job_for(server, ca_pem, *steps, **changes):
    return loads.job(
        server.url,
        *steps,
        tls=Trust(NAME, ca_pem),
        **{"timeout_s": 2.0, **changes},
    )


def run(job):
    return engine_of(job)(
        job,
        start_second=1000,
        report=lambda _: None,
        wall_ns=lambda: 999_800_000_000,
    ).run()


KEEP_ALIVE = (True, False)
ANSWERS = [*itertools.product(("answer", "in_pieces", "chunked"), KEEP_ALIVE)]


@pytest.fixture(scope="module")
def tls_runs(authority, tmp_path_factory):
    """Run the engine against targets with TLS that answer in each way."""

    def ask(what, keep_alive):
        context = server_context(authority, tmp_path_factory.mktemp("tls"))
        with serving() as serve:
            server = serve(getattr(Behaviour, what), context=context)
            job = job_for(
                server, authority.pem, Step(50, 1), keep_alive=keep_alive
            )
            return run(job), server.requests

    return side_by_side(ask, ANSWERS)


@pytest.mark.parametrize("case", ANSWERS)
def test_requests_are_sent_over_tls(tls_runs, case):
    outcome, requests = tls_runs[case].result()
    assert (outcome.requests, outcome.failures) == (50, {})
    assert requests == 50


def test_long_responses_and_bodies_pass_completely(secured, authority):
    body = b"x" * 100_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    server = secured(lambda connection, _: connection.sendall(head + body))
    request = Request("PUT", body="y" * 60_000, expected_body_bytes=len(body))
    outcome = run(job_for(server, authority.pem, Step(40, 1), request=request))
    assert (outcome.requests, outcome.failures) == (40, {})
    (received,) = server.received
    assert received.endswith(b"\r\n\r\n" + b"y" * 60_000)


# Whether our authority has signed it, and what it says.
UNTRUSTED = {
    "authority": (False, {}),
    "name": (True, {"dns_name": "other.load.svc"}),
    "expired": (True, {"life": certificates.EXPIRED}),
}
UNTRUSTED_CASES = [*itertools.product(UNTRUSTED, KEEP_ALIVE)]


@pytest.fixture(scope="module")
def untrusted_runs(authority, tmp_path_factory):
    """Run the engine against targets that it must not trust."""
    stranger = certificates.Authority()

    def ask(why, keep_alive):
        ours, options = UNTRUSTED[why]
        context = server_context(
            authority, tmp_path_factory.mktemp("tls"), **options
        )
        ca_pem = authority.pem if ours else stranger.pem
        with serving() as serve:
            server = serve(context=context)
            job = job_for(server, ca_pem, Step(None, 1), keep_alive=keep_alive)
            return run(job), server.requests

    return side_by_side(ask, UNTRUSTED_CASES)


@pytest.mark.parametrize("case", UNTRUSTED_CASES)
def test_an_untrusted_certificate_is_a_tls_failure(untrusted_runs, case):
    outcome, requests = untrusted_runs[case].result()
    assert outcome.requests == requests == 0
    assert set(outcome.failures) == {"tls"}


def test_a_target_without_tls_is_a_tls_failure(serve, authority):
    # It takes the handshake for a request that never ends.
    server = serve()
    outcome = run(job_for(server, authority.pem, Step(None, 1), timeout_s=0.3))
    assert outcome.requests == 0
    assert outcome.failures
    assert set(outcome.failures) <= {"timeout", "tls"}


def test_a_connection_that_ends_in_the_middle_is_short(
    secured, authority, behaviour
):
    server = secured(behaviour.on({20, 40}, behaviour.cut))
    outcome = run(job_for(server, authority.pem, Step(100, 1)))
    assert (outcome.requests, outcome.failures) == (98, {"short": 2})


def test_tls_works_in_a_process_that_gevent_has_patched(secured, authority):
    server = secured()
    job = job_for(server, authority.pem, Step(100, 1))
    done = subprocess.run(
        [sys.executable, "-c", PATCHED],
        input=json.dumps(job.to_json()),
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [100, {}]
    assert server.requests == 100
