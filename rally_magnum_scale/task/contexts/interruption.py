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

_LOOK_EVERY_S = 0.2

# Rally's result consumer looks for an abort every two seconds.
_ABORT_WITHIN_S = 30.0


@context.configure(
    name="interruption", platform="openstack", order=1, hidden=True
)
class Interruption(context.Context):
    """Turn SIGINT and SIGTERM into an orderly end of the task.

    The runners swallow KeyboardInterrupt, so the signal sets a flag: the
    running iterations end with an error and remove what they made, Rally is
    told to abort the task, and the iterations hold on until it has done so,
    so that none is started after them.
    """

    CONFIG_SCHEMA = {"type": "object", "additionalProperties": False}

    def setup(self) -> None:
        """Take over the signals, if this is the thread that gets them."""
        self._done = threading.Event()
        self._handlers: dict[Any, Any] = {}
        if threading.current_thread() is not threading.main_thread():
            LOG.warning(
                "This task does not run in the main thread: Ctrl-C is not "
                "turned into an orderly end."
            )
            return
        self._handlers = interruption.install()
        threading.Thread(target=self._watch, daemon=True).start()

    def cleanup(self) -> None:
        """Give the signals back."""
        self._done.set()
        interruption.restore(self._handlers)

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_EVERY_S):
            if interruption.requested():
                LOG.warning(
                    "Interrupted: removing what was made, then the task ends."
                )
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
            time.sleep(_LOOK_EVERY_S)
