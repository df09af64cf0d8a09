"""Poll the state of one bay, and repeat a delete that Magnum has lost."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from typing import Any

from keystoneauth1 import exceptions as keystone_errors

from rally_magnum_scale import exceptions
from rally_magnum_scale import retries
from rally_magnum_scale.bays import failure_classes
from rally_magnum_scale.bays import magnum_errors
from rally_magnum_scale.bays import nodegroups
from rally_magnum_scale.bays import timing

# Timeout of the first request, so that a request that hangs does not block
# the poll.
TIMEOUT_S = 5.0

# Polls after which a delete counts as lost.  The first polls may still show
# another status because Magnum answers the request before it starts the
# delete.
POLLS_UNTIL_LOST = 5

# Number of 404 responses in a row after which a bay is gone.  A proxy or a
# database replica that lags behind answers 404 once.
POLLS_UNTIL_GONE = 3


@dataclasses.dataclass(frozen=True)
class _Unknown:
    """State of a cluster that no response has shown yet."""

    status: str | None = None


UNKNOWN = _Unknown()


@dataclasses.dataclass(frozen=True)
class Observed:
    """The result of a wait.

    :param cluster: as Magnum showed it last; None when it is gone
    :param resolution_s: seconds from the request of the last poll before
        the awaited state until the response that showed it first; None where
        there was no such poll
    :param confirmed_s: seconds from that response until now
    :param begun_within_s: seconds from the first request for the operation
        until Magnum accepted one
    """

    cluster: Any
    resolution_s: float | None
    confirmed_s: float = 0.0
    begun_within_s: float = 0.0

    def resolution_of(self, value_s: float) -> float:
        """Return by how much a measured duration may be too long.

        :param value_s: seconds from the request until the awaited state
        """
        if self.resolution_s is None:
            return value_s
        return min(self.resolution_s, value_s)

    def begun_within(self, seconds: float) -> Observed:
        """Return this with the uncertainty of when the operation began.

        :param seconds: from the request until Magnum accepted it
        """
        exact_s = self.resolution_s
        return dataclasses.replace(
            self,
            resolution_s=None if exact_s is None else exact_s + seconds,
            begun_within_s=seconds,
        )


class BayPoller:
    """Returns the state of a cluster at each call.

    The poller tolerates errors for some time and returns the last known
    state meanwhile: an API that is restarted answers with errors, and Magnum
    may answer 400 once for a cluster that was just created.

    A request times out after :data:`TIMEOUT_S`.  Each timeout doubles the
    timeout of the next request, so that a slow API can still answer.  The
    deadline of the wait limits how long the API may be unresponsive.

    :param magnum: a Magnum client
    :param uuid: of the cluster
    :param clock: monotonic seconds
    :param patience_s: seconds for which errors are tolerated
    """

    def __init__(
        self,
        magnum: Any,
        uuid: str,
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = retries.PATIENCE_S,
    ) -> None:
        self._magnum = magnum
        self._uuid = uuid
        self._clock = clock
        self._patience_s = patience_s
        self._last: Any | None = UNKNOWN
        # What the last response that had the bay showed.
        self._shown = "requested"
        # The node groups that the last response which had them showed.
        self._node_groups = ""
        self._failed = 0
        self._error = ""
        # Number of responses in a row that the bay does not exist.
        self.gone = 0
        self._gone_at = 0.0
        self._failing_since: float | None = None
        self._timed_out = 0
        self._timeout_s = TIMEOUT_S
        # When the last answered request was sent, and the last one whose
        # response showed that the awaited state had not been reached.
        self._sent_at: float | None = None
        self._not_yet_at: float | None = None

    def __call__(self) -> Any | None:
        """Poll once.

        :returns: the cluster; None when it is gone; :data:`UNKNOWN` when
            no response has shown it yet
        :raises BayError: when there were only errors for too long
        """
        sent_at = self._clock()
        try:
            with timing.timeout(self._timeout_s), retries.patience(0.0):
                self._last = magnum_errors.get_or_none(
                    self._magnum.clusters, self._uuid
                )
        except keystone_errors.ConnectTimeout:
            self._timed_out += 1
            self._timeout_s *= 2
        except magnum_errors.CLIENT_ERRORS as error:
            self._take_error(error, sent_at)
        else:
            self._sent_at = sent_at
            self._failed = self._timed_out = 0
            self._failing_since = None
            now = self._clock()
            self.gone = self.gone + 1 if self._last is None else 0
            if self.gone == 1:
                self._gone_at = now
            if self._last is not None:
                self._shown = magnum_errors.state(self._last)
            took_s = now - sent_at
            self._timeout_s = max(TIMEOUT_S, 2 * took_s)
        return self._last

    def until_sure(self) -> Any | None:
        """Poll at once again while a response says that the bay is gone.

        :returns: as a poll; if None, :attr:`gone` tells whether the bay is
            really gone, or whether a poll failed meanwhile
        """
        for _ in range(POLLS_UNTIL_GONE):
            if self() is not None or self.gone >= POLLS_UNTIL_GONE:
                break
        return self._last

    def _take_error(self, error: Exception, sent_at: float) -> None:
        self._failed += 1
        self._error = magnum_errors.message_of(error)
        if self._failing_since is None:
            self._failing_since = sent_at
        if self._clock() - self._failing_since > self._patience_s:
            raise exceptions.BayError(
                f"Magnum failed {self._failed} requests in a row for the bay "
                f"{self._uuid}; the last error: "
                f"{self._error}{failure_classes.advice(self._error)}.",
                reason=self._error,
            ) from error

    def not_yet(self) -> None:
        """Note that the last response did not show the awaited state."""
        self._not_yet_at = self._sent_at

    def observed(self) -> Observed:
        """Return the result of the wait with the resolution of its time."""
        now = self._clock()
        seen_at = self._gone_at if self.gone else now
        since = self._not_yet_at
        return Observed(
            self._last,
            None if since is None else seen_at - since,
            now - seen_at,
        )

    def progress(self) -> str:
        """Describe the last known state, and why Magnum shows no newer one."""
        known = ", ".join(filter(None, [self._shown, self.node_groups()]))
        if self._failed:
            return f"{known}, {self._failed} errors in a row: {self._error}"
        if self._timed_out:
            return f"{known}, no answer to the last {self._timed_out} requests"
        return known

    def node_groups(self) -> str:
        """Describe the node groups that are not complete.

        Requests them, unless Magnum does not answer at the moment.  If it
        does not show them, the last known ones are returned.
        """
        if self._failed or self._timed_out:
            return self._node_groups
        # They only explain what the bay waits for, so no error may end the
        # wait.
        with (
            contextlib.suppress(
                *magnum_errors.CLIENT_ERRORS,
                AttributeError,
                LookupError,
                TypeError,
                ValueError,
            ),
            timing.timeout(TIMEOUT_S),
            retries.patience(0.0),
        ):
            self._node_groups = nodegroups.incomplete(self._magnum, self._uuid)
        return self._node_groups


class DeleteRetry:
    """Repeats a delete request when Magnum has lost it.

    When a create ends after Magnum has accepted the delete, it overwrites the
    bay's status, and Magnum never removes the bay.

    :param retry: sends the delete request again
    """

    def __init__(self, retry: Callable[[], object]) -> None:
        self._retry = retry
        self._polls = 0

    def on_status(self, status: str | None) -> None:
        """Take the status that a poll after the delete request showed."""
        if str(status).startswith("DELETE"):
            return
        self._polls += 1
        if self._polls >= POLLS_UNTIL_LOST:
            self._polls = 0
            self._retry()
