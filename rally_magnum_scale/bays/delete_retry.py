"""Repeat a delete request that Magnum accepted and then lost."""

from __future__ import annotations

from collections.abc import Callable

# Polls after which a delete counts as lost.  The first polls may still show
# another status because Magnum answers the request before it starts the
# delete.
LOOKS = 5


class DeleteRetry:
    """Repeats a delete request when Magnum has lost it.

    When a create ends after Magnum has accepted the delete, it overwrites the
    bay's status, and Magnum never removes the bay.

    :param retry: sends the delete request again
    """

    def __init__(self, retry: Callable[[], object]) -> None:
        self._retry = retry
        self._looks = 0

    def look(self, status: str | None) -> None:
        """Take the status that a poll after the delete request showed."""
        if str(status).startswith("DELETE"):
            return
        self._looks += 1
        if self._looks >= LOOKS:
            self._looks = 0
            self._retry()
