"""The request to the targets, and the expected response."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from typing import Any

from rally_magnum_scale.in_bay.stats import checks

# RFC 9110, section 5.6.2.
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
# Visible characters; a blank would end a path or a header's name.
_PATH = re.compile(r"/[!-~]*")
_VALUE = re.compile(r"[!-~]([ \t!-~]*[!-~])?|")
# The engine sets these headers, or does not support their effects.
OURS = (
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
# The request is part of one environment variable with the whole job, and
# Linux limits a variable to 128 KiB.
BODY_MAX_BYTES = 65_536
HEADERS_MAX_BYTES = 16_384


@dataclass(frozen=True)
class Request:
    """A request and the expected response.

    :param method: such as GET
    :param path: path with the query
    :param headers: headers besides Host, Connection and Content-Length
    :param body: sent as UTF-8; None for no body
    :param expected_status: any other status counts as a failure
    :param expected_body_bytes: any other length counts as a failure; None
        for any length
    :raises ValueError: when a key is invalid; names the key
    """

    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    expected_status: int = 200
    expected_body_bytes: int | None = None

    def __post_init__(self) -> None:
        self._check_line()
        self._check_headers()
        self._check_body()
        self._check_expected()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Request:
        """Read a request; the default is a GET of ``/``.

        :raises ValueError: when a key is unknown or invalid; names the key
        """
        checks.check_keys("request", data, [one.name for one in fields(cls)])
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """Return the request in the form that :meth:`from_json` reads."""
        return {**asdict(self), "headers": dict(self.headers)}

    @property
    def what(self) -> str:
        """Method and path, without the query, which may contain secrets."""
        return f"{self.method} {self.path.partition('?')[0]}"

    def to_bytes(self, host: str, *, keep_alive: bool = True) -> bytes:
        """Return the bytes of the request.

        :param host: host and port of the target
        :param keep_alive: False for a new connection for each request
        """
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if not keep_alive:
            lines.append("Connection: close")
        body = b"" if self.body is None else self.body.encode()
        if self.body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    def failure_kind(self, status: int, body_bytes: int) -> str:
        """Return the kind of failure of a response, or an empty text."""
        if status != self.expected_status:
            return "bad_status"
        if self.expected_body_bytes not in (None, body_bytes):
            return "bad_length"
        return ""

    def _check_line(self) -> None:
        if not checks.matches(_TOKEN, self.method):
            raise _wrong(
                ".method",
                f"must be a word such as GET or POST: {self.method!r}",
            )
        if self.method in ("CONNECT", "TRACE"):
            raise _wrong(".method", f"{self.method} can't be used for a load")
        if not checks.matches(_PATH, self.path):
            raise _wrong(
                ".path",
                "must begin with / and contain only ASCII without "
                f"blanks, other characters as %XX: {self.path!r}",
            )

    def _check_headers(self) -> None:
        if not isinstance(self.headers, Mapping):
            raise _wrong(".headers", f"must be an object: {self.headers!r}")
        for name, value in self.headers.items():
            _check_header(name, value)
        size = len("".join([*self.headers, *self.headers.values(), self.path]))
        if size > HEADERS_MAX_BYTES:
            raise _wrong(
                ".headers",
                f"path and headers have {size} characters, "
                f"at most {HEADERS_MAX_BYTES} may be sent",
            )

    def _check_body(self) -> None:
        if self.body is None:
            return
        if not isinstance(self.body, str):
            raise _wrong(".body", f"must be a string: {self.body!r}")
        try:
            self.body.encode()
        except UnicodeEncodeError:
            raise _wrong(
                ".body",
                "contains half of a surrogate pair, which is invalid in UTF-8",
            ) from None
        size = len(json.dumps(self.body))
        if size > BODY_MAX_BYTES:
            raise _wrong(
                ".body",
                f"has {size} bytes when written as JSON, at most "
                f"{BODY_MAX_BYTES} can be handed to the workers",
            )

    def _check_expected(self) -> None:
        status, size = self.expected_status, self.expected_body_bytes
        if type(status) is not int or not 200 <= status <= 599:
            raise _wrong(
                ".expected_status",
                f"must be a status from 200 to 599: {status!r}",
            )
        if size is None:
            return
        checks.check_whole("request.expected_body_bytes", size, 0)
        if size and (self.method == "HEAD" or status in (204, 304)):
            raise _wrong(
                ".expected_body_bytes",
                f"{size} is impossible, because a response "
                f"to {self.method} with the status {status} has no body",
            )


def _wrong(key: str, why: str) -> ValueError:
    return checks.wrong(f"request{key}", why)


def _check_header(name: str, value: str) -> None:
    key = f".headers.{name}"
    if not checks.matches(_TOKEN, name):
        raise _wrong(".headers", f"{name!r} is not a header name")
    if name.lower() in OURS:
        raise _wrong(key, "is set by the load engine; remove it")
    if not checks.matches(_VALUE, value):
        raise _wrong(
            key,
            # The message never repeats the value, which may be a password.
            "must be one line of ASCII without blanks at its ends",
        )
