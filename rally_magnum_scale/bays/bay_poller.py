"""Look at one bay again and again, as every wait for one does."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from keystoneauth1 import exceptions as keystone_errors

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import magnum_errors
from rally_magnum_scale.bays import timing

MAX_ERRORS_IN_A_ROW = 5

# A request that hangs must not keep the wait from asking again.
LIMIT_S = 5.0


@dataclasses.dataclass(frozen=True)
class _Unknown:
    """A cluster before Magnum has shown it for the first time."""

    status: str | None = None


UNKNOWN = _Unknown()


@dataclasses.dataclass(frozen=True)
class Observed:
    """What a wait has ended with.

    :param cluster: as Magnum shows it then, None when it is gone
    :param resolution_s: seconds from the request of the last poll that
        showed otherwise until now; None where there was no such poll
    """

    cluster: Any
    resolution_s: float | None

    def resolution_of(self, value_s: float) -> float:
        """Return how far below a time from the request the truth may be.

        :param value_s: the time until now, from the request on
        """
        if self.resolution_s is None:
            return value_s
        return min(self.resolution_s, value_s)


class BayPoller:
    """Shows a cluster, None when it is gone.

    An answer that is an error is passed over a few times in a row: an API
    under load drops requests, and a cluster that was just created may
    answer 400 once.  What was seen last is shown meanwhile.

    A request that is not answered within :data:`LIMIT_S` is given up, and
    tells nothing.  The next may take twice as long, so an API that is slow
    but answers is not lost; how long an API may be silent is a matter of the
    deadline of the wait.

    :param magnum: a Magnum client
    :param uuid: of the cluster
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        magnum: Any,
        uuid: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._magnum = magnum
        self._uuid = uuid
        self._clock = clock
        self._last: Any | None = UNKNOWN
        self._failed = 0
        self._timed_out = 0
        self._limit_s = LIMIT_S
        # Of the last request that was answered, and of the last whose answer
        # showed that what is waited for had not come.
        self._sent_at: float | None = None
        self._not_yet_at: float | None = None

    def __call__(self) -> Any | None:
        """Look once.

        :returns: the cluster, None when it is gone, :data:`UNKNOWN` when
            it was never seen
        :raises BayError: when too many looks in a row were errors
        """
        sent_at = self._clock()
        try:
            with timing.limited(self._limit_s):
                self._last = magnum_errors.look(
                    self._magnum.clusters, self._uuid
                )
        except keystone_errors.ConnectTimeout:
            self._timed_out += 1
            self._limit_s *= 2
        except magnum_errors.CLIENT_ERRORS as error:
            self._failed += 1
            if self._failed > MAX_ERRORS_IN_A_ROW:
                raise exceptions.BayError(
                    f"Magnum answered {self._failed} requests for the bay "
                    f"{self._uuid} in a row with an error: {error}."
                ) from error
        else:
            self._sent_at = sent_at
            self._failed = self._timed_out = 0
            took_s = self._clock() - sent_at
            self._limit_s = max(LIMIT_S, 2 * took_s)
        return self._last

    def not_yet(self) -> None:
        """Note that what is waited for had not come, by the last answer."""
        self._not_yet_at = self._sent_at

    def observed(self) -> Observed:
        """Return what the wait has ended with, and how exact its time is."""
        if self._not_yet_at is None:
            return Observed(self._last, None)
        return Observed(self._last, self._clock() - self._not_yet_at)

    def silence(self) -> str:
        """Say that Magnum does not answer; empty while it does."""
        if not self._timed_out:
            return ""
        return f", no answer to the last {self._timed_out} requests"
