import json
import ssl
import subprocess
import sys

import pytest

from rally_magnum_scale.measurement.steps import Plan
from rally_magnum_scale.measurement.steps import Step
from rally_magnum_scale.workload.in_bay.asking import Request
from rally_magnum_scale.workload.in_bay.fresh import engine_of
from rally_magnum_scale.workload.in_bay.job import Job
from rally_magnum_scale.workload.in_bay.job import Trust
from tests.unit.kubernetes import certificates

NAME = "target.load.svc"

# As a worker does it, where gevent has patched the whole process.
PATCHED = """
from gevent import monkey
monkey.patch_all()
import json, sys, time
from rally_magnum_scale.workload.in_bay.fresh import engine_of
from rally_magnum_scale.workload.in_bay.job import Job
job = Job.from_json(json.load(sys.stdin))
outcome = engine_of(job)(
    job, start_second=int(time.time()) + 1, report=lambda _: None
).run()
print(json.dumps([outcome.requests, outcome.failures]))
"""


@pytest.fixture(scope="module")
def authority():
    return certificates.Authority()


@pytest.fixture
def secured(serve, authority, tmp_path):
    """Start a server whose certificate is signed by the authority."""

    def start(behave=None, *, dns_name=NAME, **options):
        pem, key = authority.issue(dns_name=dns_name, **options)
        (tmp_path / "tls.crt").write_text(pem)
        (tmp_path / "tls.key").write_text(key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
        given = {} if behave is None else {"behave": behave}
        return serve(context=context, **given)

    return start


def job_for(server, ca_pem, *steps, **changes):
    return Job(
        "t",
        1,
        "b",
        Plan(steps),
        server.url,
        1,
        connections=4,
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


@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize("what", ["answer", "in_pieces", "chunked"])
def test_requests_are_asked_by_tls(
    secured, authority, behaviour, what, keep_alive
):
    server = secured(getattr(behaviour, what))
    job = job_for(server, authority.pem, Step(100, 1), keep_alive=keep_alive)
    outcome = run(job)
    assert (outcome.requests, outcome.failures) == (100, {})
    assert server.requests == 100


def test_a_long_answer_and_a_long_body_go_through_whole(secured, authority):
    body = b"x" * 100_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    server = secured(lambda connection, _: connection.sendall(head + body))
    asked = Request("PUT", body="y" * 60_000, expected_body_bytes=len(body))
    outcome = run(job_for(server, authority.pem, Step(40, 1), asked=asked))
    assert (outcome.requests, outcome.failures) == (40, {})
    (request,) = server.asked
    assert request.endswith(b"\r\n\r\n" + b"y" * 60_000)


@pytest.mark.parametrize(
    ("ours", "options"),
    [
        (False, {}),
        (True, {"dns_name": "other.load.svc"}),
        (True, {"life": certificates.EXPIRED}),
    ],
    ids=["authority", "name", "expired"],
)
@pytest.mark.parametrize("keep_alive", [True, False])
def test_a_certificate_that_is_not_trusted_is_a_failure_of_its_own(
    secured, authority, ours, options, keep_alive
):
    server = secured(**options)
    ca_pem = authority.pem if ours else certificates.Authority().pem
    outcome = run(
        job_for(server, ca_pem, Step(None, 1), keep_alive=keep_alive)
    )
    assert outcome.requests == server.requests == 0
    assert set(outcome.failures) == {"tls"}


def test_a_target_without_tls_is_a_failure_of_tls(serve, authority):
    # It takes the handshake for a request that never ends.
    server = serve()
    outcome = run(job_for(server, authority.pem, Step(None, 1), timeout_s=0.3))
    assert outcome.requests == 0
    assert set(outcome.failures) <= {"timeout", "tls"}


def test_a_connection_that_ends_in_the_middle_is_short(
    secured, authority, behaviour
):
    server = secured(behaviour.on({20, 40}, behaviour.cut))
    outcome = run(job_for(server, authority.pem, Step(100, 1)))
    assert (outcome.requests, outcome.failures) == (98, {"short": 2})


def test_a_worker_that_gevent_has_patched_asks_by_tls(secured, authority):
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
