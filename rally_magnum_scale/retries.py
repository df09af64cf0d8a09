"""The one policy of retries, for requests to OpenStack and to Kubernetes.

A request is sent again while its failure is transient and the caller's
patience lasts.  The pauses grow exponentially.  They are jittered, so that
the clients of a service that comes back do not all return at once.  A
``Retry-After`` is honoured.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import datetime
import email.utils
import random
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import TypeVar

from rally_magnum_scale import interruption

T = TypeVar("T")

# A service that is restarted, or that its proxy has lost, is back by then.
PATIENCE_S = 60.0

# A longer deadline allows for a longer outage.
PATIENCE_PER_DEADLINE = 0.1

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0

# Statuses of a service that is busy, restarting or not reached by its proxy.
# Magnum also answers 500 when its database or its queue is not available.
TRANSIENT_STATUSES = frozenset({429, 500, 502, 503, 504})

_patience_s: contextvars.ContextVar[float] = contextvars.ContextVar(
    "patience_s", default=PATIENCE_S
)


@dataclasses.dataclass(frozen=True)
class Transient:
    """A failure that may pass.

    :param what: the failure in a few words, such as ``503``, for counts
    :param retry_after_s: seconds to wait at least, as the service asked
    """

    what: str
    retry_after_s: float = 0.0


def patience_for(deadline_s: float) -> float:
    """Return how long failures are tolerated within a wait, in seconds."""
    return max(PATIENCE_S, PATIENCE_PER_DEADLINE * deadline_s)


@contextlib.contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Set how long the requests of this thread are sent again.

    :param seconds: 0 to send each request once, because its caller decides
        what follows a failure
    """
    token = _patience_s.set(seconds)
    try:
        yield
    finally:
        _patience_s.reset(token)


def call(
    send: Callable[[], T],
    transient: Callable[[Exception], Transient | None],
    *,
    on_transient: Callable[[Transient], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = interruption.sleep,
    jitter: Callable[[], float] = random.random,
) -> T:
    """Send a request until it succeeds, fails for good, or patience ends.

    :param send: sends the request once
    :param transient: describes a failure that may pass; None for any other
    :param on_transient: called for each failure that may pass
    :param clock: monotonic seconds
    :param sleep: sleeps, and raises if the run is interrupted
    :param jitter: returns a random number from 0 to 1
    :returns: the result of ``send``
    :raises Exception: the last failure
    """
    end_s = clock() + _patience_s.get()
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return send()
        except Exception as error:
            failure = transient(error)
            if failure is None:
                raise
            on_transient(failure)
            # Equal jitter: Marc Brooker, "Exponential Backoff And Jitter",
            # AWS Architecture Blog, 2015.
            wait_s = max(pause_s * (1 + jitter()) / 2, failure.retry_after_s)
            if clock() + wait_s > end_s:
                raise
        sleep(wait_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def retry_after_s(value: str | None, now: Callable[[], float]) -> float:
    """Return the seconds of a ``Retry-After`` header (RFC 9110, 10.2.3).

    :param value: seconds or a date; None when there is no such header
    :param now: epoch seconds
    :returns: 0 when the header is missing or invalid
    """
    if value is None:
        return 0.0
    if value.strip().isdecimal():
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.UTC)
    return max(0.0, date.timestamp() - now())
