"""Time and limit the requests to Magnum's API."""

from __future__ import annotations

import contextlib
import contextvars
import json
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from keystoneauth1 import exceptions as keystone_errors

_timeout_s: contextvars.ContextVar[float | None] = contextvars.ContextVar(
    "timeout_s", default=None
)

_FIRST_ERROR = 400
# Of the text of an error that is not Magnum's.
_MOST_CHARACTERS = 300


@contextlib.contextmanager
def timeout(timeout_s: float) -> Iterator[None]:
    """Set a timeout for the requests of this thread.

    A shorter timeout of the session takes precedence.

    :param timeout_s: seconds to connect, and seconds without a byte of the
        response; keystoneauth1 then raises a ``ConnectTimeout``
    """
    token = _timeout_s.set(timeout_s)
    try:
        yield
    finally:
        _timeout_s.reset(token)


class TimedSession:
    """A keystoneauth1 session that records the duration of each request.

    The duration includes the time to fetch a token if one is needed.

    :param session: session that sends the requests
    :param clock: monotonic seconds
    """

    def __init__(
        self, session: Any, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._session = session
        self._clock = clock
        self.times_s: list[float] = []
        self.timed_out = 0

    def request(self, *arguments: Any, **options: Any) -> Any:
        """Send a request through the session."""
        if (timeout_s := _timeout_s.get()) is not None:
            own_s = self._session.timeout
            options["timeout"] = (
                timeout_s if own_s is None else min(timeout_s, own_s)
            )
        start = self._clock()
        try:
            response = self._session.request(*arguments, **options)
        except keystone_errors.ConnectTimeout:
            self.timed_out += 1
            raise
        finally:
            self.times_s.append(self._clock() - start)
        _make_readable(response)
        return response

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the session."""
        return getattr(self._session, name)


def _make_readable(response: Any) -> None:
    """Give an error response the form that magnumclient can read.

    The client raises a KeyError or a TypeError for JSON that is not
    Magnum's, such as a proxy's, and for a ``Retry-After`` header.
    """
    if response is None or response.status_code < _FIRST_ERROR:
        return
    response.headers.pop("Retry-After", None)
    try:
        (error, *_) = response.json()["errors"]
        known = bool(error["title"])
    except (KeyError, TypeError, ValueError):
        known = False
    if not known:
        title = f"{response.status_code} {response.reason or ''}".strip()
        detail = " ".join(response.text.split())[:_MOST_CHARACTERS]
        response.headers["Content-Type"] = "application/json"
        response._content = json.dumps(
            {"errors": [{"title": title, "detail": detail}]}
        ).encode()
