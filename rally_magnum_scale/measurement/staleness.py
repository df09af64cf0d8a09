"""How late a watch may report a change.

A watch that works reports a change at once.  A watch that broke off, or that
was silent for so long that it was resumed, reports what it has missed only
afterwards.  A change that it missed may have happened at any time since the
last moment at which its objects were certainly current.

Resource versions tell which changes a watch has missed.  They are integers
that grow with each write (Kubernetes KEP-5504), and a watch reports changes
in their order (etcd API guarantees, "Watch APIs").  A list that is requested
before the watch is resumed has the current version.  A change with a newer
version happened after that request.
"""

from __future__ import annotations

import collections
import dataclasses
import math
import re

# A watch that works reports an event as soon as it happens.
WATCH_S = 0.001

# A resumed watch reports what it has missed within this time.  Where versions
# prove nothing, this time decides.
CATCH_UP_S = 1.0

# As Kubernetes 1.35 documents resource versions.  They have at most 128 bits.
_VERSION = re.compile("[1-9][0-9]{0,38}")


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

    All times are monotonic seconds.  Versions are resource versions of the
    watched resource.
    """

    def __init__(self) -> None:
        #: When the change that was reported last had certainly not happened.
        self.not_before = -math.inf
        # Every change that is not reported yet happened after this time.
        self._current_at = -math.inf
        # Version and time: a change that is newer than this version happened
        # after this time.  In the order of time, without those that
        # _current_at includes.
        self._marks: collections.deque[tuple[int, float]] = collections.deque()
        # When the open watch has caught up.
        self._live_at = math.inf

    def listed(self, requested_at: float) -> None:
        """Note that a list of the objects has arrived.

        :param requested_at: when it was requested
        """
        self.not_before = self._current_at
        self._current_at = requested_at
        self._marks.clear()

    def marked(self, requested_at: float, version: str) -> None:
        """Note the current version, before the watch is resumed.

        :param requested_at: when it was requested
        :param version: ignored if it is not an integer
        """
        number = _number(version)
        if number is not None:
            self._marks.append((number, requested_at))

    def opened(self, now: float) -> None:
        """Note that a watch was opened, or resumed."""
        since = self._marks[-1][1] if self._marks else self._current_at
        self._live_at = now + min(CATCH_UP_S, now - since)

    def received(self, now: float, version: str) -> None:
        """Note that the open watch has reported a change.

        :param version: of the changed object; one that is not an integer
            counts as missed if the current version was noted
        """
        number = _number(version)
        while self._marks and number is not None:
            marked, requested_at = self._marks[0]
            if number <= marked:
                break
            self._current_at = requested_at
            self._marks.popleft()
        if self._marks:
            # The watch missed this change, and may have missed others.
            self._live_at = now + CATCH_UP_S
        if now < self._live_at:
            self.not_before = self._current_at
        else:
            self.not_before = now - WATCH_S
            self._current_at = now


def _number(version: str) -> int | None:
    return int(version) if _VERSION.fullmatch(version) else None
