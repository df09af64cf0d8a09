"""How long Magnum's API took to answer each request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


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

    def request(self, *arguments: Any, **options: Any) -> Any:
        """Do a request, as the session does."""
        start = self._clock()
        try:
            return self._session.request(*arguments, **options)
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
