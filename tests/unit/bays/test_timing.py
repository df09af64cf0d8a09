import pytest
import requests
from magnumclient import exceptions as magnum_exceptions

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import timing
from tests.unit.bays import fake_magnum


def test_each_request_is_timed_even_if_it_fails():
    magnum = fake_magnum.FakeMagnum("CREATE_COMPLETE", 404)
    with fake_magnum.bays(magnum) as bays:
        bays.show("c-1")
        with pytest.raises(Exception, match="show the bay c-1"):
            bays.show("c-1")
        times_s = bays.request_times_s
    assert len(times_s) == 2
    assert all(0 < one < 60 for one in times_s)


def test_other_attributes_are_those_of_the_session():
    class Session:
        auth = "token"

        def request(self, url, method, raise_exc):
            raise magnum_exceptions.NotFound(f"{method} {url} {raise_exc}")

    ticks = iter([1.0, 3.5])
    session = timing.TimedSession(Session(), clock=lambda: next(ticks))
    assert session.auth == "token"
    with pytest.raises(magnum_exceptions.NotFound, match="GET /x False"):
        session.request("/x", "GET", raise_exc=False)
    assert session.times_s == [2.5]


class Recorded:
    """A session that keeps the timeouts of its requests."""

    def __init__(self, timeout):
        self.timeout = timeout
        self.timeouts = []

    def request(self, _url, _method, **options):
        self.timeouts.append(options.get("timeout"))


@pytest.mark.parametrize(
    ("own_s", "timeout_s"), [(None, 5.0), (180.0, 5.0), (2.0, 2.0)]
)
def test_a_timeout_applies_to_a_block_and_never_exceeds_the_session_s(
    own_s, timeout_s
):
    recorded = Recorded(own_s)
    session = timing.TimedSession(recorded)
    with timing.timeout(5.0):
        session.request("/x", "GET")
    session.request("/x", "POST")
    assert recorded.timeouts == [timeout_s, None]


class Proxy:
    """A session that gets the error of a proxy."""

    timeout = None

    def __init__(self, status, headers, body):
        self._response = requests.Response()
        self._response.status_code = status
        self._response.headers.update(headers)
        self._response._content = body

    def request(self, *_arguments, **_options):
        return self._response


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("status", "headers", "body", "detail"),
    [
        (429, {"Retry-After": "120", **JSON}, b"{}", "{}"),
        (429, {"Retry-After": "soon"}, b"", ""),
        (502, {"Content-Type": "text/html"}, b"<p>\n no\n</p>", "<p> no </p>"),
        (500, JSON, b'{"errors": [{"ti', '{"errors": [{"ti'),
        (500, JSON, b'["errors"]', '["errors"]'),
        (500, JSON, b'{"errors": []}', '{"errors": []}'),
    ],
)
def test_a_proxys_error_is_readable_for_the_client(
    status, headers, body, detail
):
    session = timing.TimedSession(Proxy(status, headers, body))
    response = session.request("/x", "GET")
    assert response.json() == {
        "errors": [{"title": str(status), "detail": detail}]
    }
    assert "Retry-After" not in response.headers


def test_magnums_own_error_is_kept():
    body = b'{"errors": [{"title": "Quota", "detail": "of 20"}]}'
    session = timing.TimedSession(Proxy(403, JSON, body))
    assert session.request("/x", "GET").content == body


def test_magnums_client_names_the_status_of_a_rate_limit():
    magnum = fake_magnum.FakeMagnum(429)
    with (
        fake_magnum.bays(magnum) as bays,
        pytest.raises(exceptions.BayError, match=r"HTTP 429"),
    ):
        bays.show("c-1")
    assert magnum.now > 0
