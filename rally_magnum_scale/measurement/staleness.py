"""How late a watch may report a change.

A watch that works reports a change at once.  A watch that broke off, or that
was silent for so long that it was resumed, reports what it has missed only
afterwards.  A change that it reports then may have happened at any time since
the last moment at which its objects were certainly current.
"""

from __future__ import annotations

import dataclasses
import math

# A watch that works reports an event as soon as it happens.
WATCH_S = 0.001

# A resumed watch reports what it has missed within this time.
CATCH_UP_S = 1.0


@dataclasses.dataclass(frozen=True)
class ObservedTime:
    """When a change was observed, and since when it may have happened.

    :param at: monotonic seconds at which the change was observed
    :param not_before: monotonic seconds at which it had not happened yet
    """

    at: float
    not_before: float = -math.inf

    def resolution_s(self, start: float, begun_within_s: float = 0.0) -> float:
        """Return by how much the time from ``start`` may be too long.

        :param start: monotonic seconds of the request
        :param begun_within_s: seconds from the request until it was accepted
        """
        exact_s = self.at - self.not_before + begun_within_s
        return max(0.0, min(exact_s, self.at - start))


class Staleness:
    """Tracks the last moment at which the objects of a watch were current.

    All times are monotonic seconds.
    """

    def __init__(self) -> None:
        #: When the change that was reported last had certainly not happened.
        self.not_before = -math.inf
        self._current_at = -math.inf
        # When the open watch was opened, and when it has caught up.
        self._opened_at = math.inf
        self._live_at = math.inf

    def listed(self, requested_at: float) -> None:
        """Note that a list has arrived.

        :param requested_at: when it was requested
        """
        self.not_before = self._current_at
        self._current_at = requested_at

    def opened(self, now: float) -> None:
        """Note that a watch was opened, or resumed."""
        self._opened_at = now
        self._live_at = now + min(CATCH_UP_S, now - self._current_at)

    def received(self, now: float) -> None:
        """Note that the open watch has reported an event."""
        if now < self._live_at:
            self.not_before = self._current_at
        else:
            self.not_before = now - WATCH_S
            self._current_at = now

    def refused(self) -> None:
        """Note that the open watch can't report what it has missed."""
        self._opened_at = self._live_at = math.inf

    def closed(self, now: float) -> None:
        """Note that the watch broke off or was silent for too long.

        It may have stopped to report events unnoticed since it was opened.
        """
        if now >= self._live_at:
            self._current_at = max(self._current_at, self._opened_at)
        self.refused()
