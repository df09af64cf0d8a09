"""How long Magnum's API took to answer each request."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from keystoneauth1 import exceptions as keystone_errors

_limit_s: contextvars.ContextVar[float | None] = contextvars.ContextVar(
    "limit_s", default=None
)


@contextlib.contextmanager
def limited(limit_s: float) -> Iterator[None]:
    """Give up each request of this thread that is not answered in time.

    A session that has a shorter limit of its own keeps it.

    :param limit_s: seconds for the connection, and seconds without a byte
        of the answer; keystoneauth1 then raises a ``ConnectTimeout``
    """
    token = _limit_s.set(limit_s)
    try:
        yield
    finally:
        _limit_s.reset(token)


class TimedSession:
    """A keystoneauth1 session that notes how long each request took.

    The time of a request that had to fetch a token first holds that too.

    :param session: does the work
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
        """Do a request, as the session does."""
        if (limit_s := _limit_s.get()) is not None:
            own_s = self._session.timeout
            options["timeout"] = (
                limit_s if own_s is None else min(limit_s, own_s)
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
        """Hand over all else of the session."""
        return getattr(self._session, name)


def times_of(magnum: Any) -> list[float]:
    """Return what a client's requests took so far, in seconds.

    :param magnum: from :func:`rally_magnum_scale.bays.lifecycle.connect`
    """
    return list(magnum.http_client.session.times_s)


def timed_out_of(magnum: Any) -> int:
    """Return how many requests of a client were given up unanswered.

    :param magnum: as for :func:`times_of`
    """
    return int(magnum.http_client.session.timed_out)
