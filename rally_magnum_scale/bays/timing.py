"""Time and limit the requests to Magnum's API."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from keystoneauth1 import exceptions as keystone_errors

_timeout_s: contextvars.ContextVar[float | None] = contextvars.ContextVar(
    "timeout_s", default=None
)


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
            return self._session.request(*arguments, **options)
        except keystone_errors.ConnectTimeout:
            self.timed_out += 1
            raise
        finally:
            self.times_s.append(self._clock() - start)

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the session."""
        return getattr(self._session, name)
