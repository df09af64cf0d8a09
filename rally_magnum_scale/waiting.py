"""Wait for a condition by polling."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption

T = TypeVar("T")

REPORT_EVERY_S = 5.0


def wait_for(
    poll: Callable[[], T | None],
    *,
    what: str,
    deadline_s: float,
    interval_s: float = 1.0,
    progress: Callable[[], str] = lambda: "",
    log: Callable[[str], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = interruption.sleep,
) -> T:
    """Poll until the result is not None.

    :param poll: returns None to keep waiting; an exception ends the wait
    :param what: what is waited for, in words, for errors and progress
    :param deadline_s: seconds after which the wait ends
    :param interval_s: seconds between two polls
    :param progress: returns the progress in words
    :param log: callback for a progress line every five seconds
    :param clock: monotonic seconds
    :param sleep: sleeps, and raises if the run is interrupted
    :returns: the first result of ``poll`` that is not None
    :raises DeadlineExceeded: when the deadline is exceeded
    :raises Interrupted: when the run is interrupted
    """
    start = reported = clock()
    while True:
        result = poll()
        if result is not None:
            return result
        now = clock()
        if now - start >= deadline_s:
            raise exceptions.DeadlineExceeded(what, deadline_s, progress())
        if log is not None and now - reported >= REPORT_EVERY_S:
            reported = now
            far = progress()
            log(
                f"waiting for {what}: {far + ', ' if far else ''}"
                f"{now - start:.0f} s of at most {deadline_s:.0f} s"
            )
        sleep(min(interval_s, max(0.0, start + deadline_s - now)))
