"""A hidden context that ends a task cleanly after Ctrl-C or SIGTERM."""

from __future__ import annotations

import threading
import time
from typing import Any

from rally import consts
from rally.common import logging
from rally.common import objects
from rally.task import context

from rally_magnum_scale import interruption

LOG = logging.getLogger(__name__)

_POLL_INTERVAL_S = 0.2

# Rally's result consumer checks for an abort every two seconds.
_ABORT_WITHIN_S = 30.0


@context.configure(
    name="interruption", platform="openstack", order=1, hidden=True
)
class Interruption(context.Context):
    """On SIGINT and SIGTERM, end the task and clean up.

    Rally's runners swallow KeyboardInterrupt, so the signal sets a flag.
    The running iterations then end with an error and clean up.  This
    context aborts the task in Rally.  The iterations wait until the abort
    is done, so that no new iteration starts after them.
    """

    CONFIG_SCHEMA = {"type": "object", "additionalProperties": False}

    def setup(self) -> None:
        """Install the signal handlers, if this is the main thread."""
        self._done = threading.Event()
        self._handlers: dict[Any, Any] = {}
        if threading.current_thread() is not threading.main_thread():
            LOG.warning(
                "This task does not run in the main thread, so it can't "
                "clean up after Ctrl-C."
            )
            return
        self._handlers = interruption.install()
        threading.Thread(target=self._watch, daemon=True).start()

    def cleanup(self) -> None:
        self._done.set()
        interruption.restore(self._handlers)

    def _watch(self) -> None:
        while not self._done.wait(_POLL_INTERVAL_S):
            if interruption.requested():
                LOG.warning("Interrupted: cleaning up, then the task ends.")
                try:
                    self._abort_task()
                finally:
                    interruption.acknowledge()
                return

    def _abort_task(self) -> None:
        uuid = self.task["uuid"]
        objects.Task.get(uuid).update_status(consts.TaskStatus.ABORTING)
        end = time.monotonic() + _ABORT_WITHIN_S
        while time.monotonic() < end:
            if objects.Task.get_status(uuid) == consts.TaskStatus.ABORTED:
                return
            time.sleep(_POLL_INTERVAL_S)
