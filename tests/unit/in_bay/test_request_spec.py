import json

import pytest

from rally_magnum_scale.in_bay import request_spec
from rally_magnum_scale.in_bay.request_spec import Request


def test_the_default_request_is_minimal():
    assert Request().to_bytes("10.0.0.1:8080") == (
        b"GET / HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n\r\n"
    )


def test_a_request_contains_method_headers_and_body():
    request = Request(
        "POST", "/a?b=%20", {"Accept": "text/plain, */*", "X-A": ""}, "hé"
    )
    assert request.to_bytes("h", keep_alive=False) == (
        b"POST /a?b=%20 HTTP/1.1\r\nHost: h\r\n"
        b"Accept: text/plain, */*\r\nX-A: \r\n"
        b"Connection: close\r\nContent-Length: 3\r\n\r\n"
        b"h\xc3\xa9"
    )


def test_an_empty_body_has_a_length():
    assert b"Content-Length: 0\r\n" in Request("PUT", body="").to_bytes("h")


def test_a_request_survives_json():
    request = Request("PUT", "/x", {"A": "b"}, "c", 201, 7)
    assert (
        Request.from_json(json.loads(json.dumps(request.to_json()))) == request
    )
    assert Request.from_json({}) == Request()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("method", ""),
        ("method", "GET /"),
        ("method", 1),
        ("method", "CONNECT"),
        ("path", ""),
        ("path", "x"),
        ("path", "/a b"),
        ("path", "/a\r\nX: y"),
        ("path", "/é"),
        ("headers", []),
        ("headers", {"": "x"}),
        ("headers", {"a b": "x"}),
        ("headers", {"a:": "x"}),
        ("headers", {"A": "b\r\nC: d"}),
        ("headers", {"A": "b\n"}),
        ("headers", {"A": " b"}),
        ("headers", {"A": 1}),
        ("headers", {"A": "x" * request_spec.HEADERS_MAX_BYTES}),
        ("headers", {"host": "x"}),
        ("headers", {"Content-Length": "1"}),
        ("headers", {"Transfer-Encoding": "chunked"}),
        ("headers", {"Expect": "100-continue"}),
        ("body", 1),
        ("body", "\ud800"),
        ("body", "é" * (request_spec.BODY_MAX_BYTES // 2 + 1)),
        ("expected_status", 100),
        ("expected_status", True),
        ("expected_status", "200"),
        ("expected_body_bytes", -1),
        ("expected_body_bytes", 1.0),
        ("size", 1),
    ],
)
def test_invalid_requests_are_named(key, value):
    with pytest.raises(ValueError, match=rf"^request\.{key}"):
        Request.from_json({key: value})


@pytest.mark.parametrize(
    "given", [{"method": "HEAD"}, {"expected_status": 204}]
)
def test_a_body_is_not_expected_where_none_is_possible(given):
    with pytest.raises(ValueError, match=r"^request\.expected_body_bytes"):
        Request.from_json({**given, "expected_body_bytes": 1})
    Request.from_json({**given, "expected_body_bytes": 0})


def test_only_an_object_is_a_request():
    with pytest.raises(ValueError, match=r"^request: must be an object"):
        Request.from_json("GET /")
