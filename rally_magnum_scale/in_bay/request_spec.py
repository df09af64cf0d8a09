"""What is asked of the targets, and what they must answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from typing import Any

# RFC 9110, section 5.6.2.
_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
# Visible characters; a blank, in a path or a header's name, ends it.
_PATH = re.compile(r"/[!-~]*")
_VALUE = re.compile(r"[!-~]([ \t!-~]*[!-~])?|")
# The engine sets them, or would not understand what they bring.
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
# The request travels in one environment variable, of which Linux allows
# 128 KiB, beside all else that a worker is told.
BODY_MAX_BYTES = 65_536
HEADERS_MAX_BYTES = 16_384


@dataclass(frozen=True)
class Request:
    """A request, and the answer that is expected.

    :param method: such as GET
    :param path: with the query
    :param headers: beside Host, Connection and Content-Length
    :param body: sent as UTF-8; None for none
    :param expected_status: any other counts as a failure
    :param expected_body_bytes: any other counts as a failure; None for any
    :raises ValueError: naming the key that can't be right
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
        """Read a request; what is not given is a GET of ``/``.

        :raises ValueError: naming the key that is unknown or wrong
        """
        if not isinstance(data, Mapping):
            raise _wrong("", f"must be an object: {data!r}")
        known = [one.name for one in fields(cls)]
        for key in data:
            if key not in known:
                raise _wrong(
                    f".{key}",
                    f"there is no such key, only "
                    f"{', '.join(known[:-1])} and {known[-1]}",
                )
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` reads."""
        return {**asdict(self), "headers": dict(self.headers)}

    @property
    def what(self) -> str:
        """Method and path; a query may hold what reports must not."""
        return f"{self.method} {self.path.partition('?')[0]}"

    def to_bytes(self, host: str, *, keep_alive: bool = True) -> bytes:
        """Return the request as it is sent.

        :param host: of the target, with its port
        :param keep_alive: False for a connection of its own
        """
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if not keep_alive:
            lines.append("Connection: close")
        body = b"" if self.body is None else self.body.encode()
        if self.body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    def what_is_wrong(self, status: int, body_bytes: int) -> str:
        """Return the kind of failure that a whole answer is, or nothing."""
        if status != self.expected_status:
            return "bad_status"
        if self.expected_body_bytes not in (None, body_bytes):
            return "bad_length"
        return ""

    def _check_line(self) -> None:
        if not _fits(_TOKEN, self.method):
            raise _wrong(
                ".method",
                f"must be a word such as GET or POST: {self.method!r}",
            )
        if self.method in ("CONNECT", "TRACE"):
            raise _wrong(".method", f"{self.method} makes no load on a target")
        if not _fits(_PATH, self.path):
            raise _wrong(
                ".path",
                "must begin with / and hold no blank and "
                f"nothing but ASCII, other characters as %XX: {self.path!r}",
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
                "holds half of a surrogate pair, which UTF-8 does not know",
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
        if type(size) is not int or size < 0:
            raise _wrong(
                ".expected_body_bytes",
                f"must be a whole number, 0 or more: {size!r}",
            )
        if size and (self.method == "HEAD" or status in (204, 304)):
            raise _wrong(
                ".expected_body_bytes",
                f"{size} can't come, an answer "
                f"to {self.method} with the status {status} has no body",
            )


def _wrong(key: str, why: str) -> ValueError:
    return ValueError(f"request{key}: {why}")


def _check_header(name: str, value: str) -> None:
    key = f".headers.{name}"
    if not _fits(_TOKEN, name):
        raise _wrong(".headers", f"{name!r} is no header's name")
    if name.lower() in OURS:
        raise _wrong(key, "is set by the load engine, leave it out")
    if not _fits(_VALUE, value):
        raise _wrong(
            key,
            # Never repeated: it may hold a password.
            "must be a string of one line, ASCII, with no blank at its ends",
        )


def _fits(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and bool(pattern.fullmatch(text))
