"""A delete that Magnum accepted and then forgot."""

from __future__ import annotations

from collections.abc import Callable

# A bay that was to be deleted may show another status a few times: Magnum
# begins a delete only after it has answered.
LOOKS = 5


class DeleteRetry:
    """Asks for a delete again when Magnum has forgotten it.

    A create that ends after the delete was accepted overwrites its status,
    and nothing ever removes that bay.

    :param ask_again: asks Magnum once more
    """

    def __init__(self, ask_again: Callable[[], object]) -> None:
        self._ask_again = ask_again
        self._looks = 0

    def look(self, status: str | None) -> None:
        """Take note of the status that the bay shows after the delete."""
        if str(status).startswith("DELETE"):
            return
        self._looks += 1
        if self._looks >= LOOKS:
            self._looks = 0
            self._ask_again()
