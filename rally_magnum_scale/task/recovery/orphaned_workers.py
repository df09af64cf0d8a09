"""End Rally's runner workers when their parent was killed.

Rally's runners fork.  A worker whose parent is gone would create bay after
bay, and then wait forever for a reader of its results.
"""

from __future__ import annotations

import os
import signal
import threading
import time

from rally.common import logging

from rally_magnum_scale import interruption
from rally_magnum_scale.bays import deadlines

LOG = logging.getLogger(__name__)

_POLL_INTERVAL_S = 0.5
_SIGNAL_WITHIN_S = 10.0

# The size of the largest bay that has been published.
_REMOVE_WITHIN_S = deadlines.delete_s(1000)


# Whether new forked processes are watched.
_watching = threading.Event()


def watch() -> None:
    """End each process forked from now on when its parent is gone."""
    _watching.set()


def unwatch() -> None:
    """Do not watch processes that are forked from now on."""
    _watching.clear()


def _begin() -> None:
    if _watching.is_set():
        parent = os.getppid()
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_INTERVAL_S)
    try:
        _end_iterations()
    finally:
        # A normal exit would wait until the results are read.
        os._exit(1)


def _end_iterations() -> None:
    """Let the iterations clean up, and start no other iteration."""
    os.kill(os.getpid(), signal.SIGTERM)
    interruption.acknowledge()
    end = time.monotonic() + _SIGNAL_WITHIN_S
    while not interruption.requested() and time.monotonic() < end:
        time.sleep(_POLL_INTERVAL_S)
    main = threading.main_thread()
    running = [
        each
        for each in threading.enumerate()
        if not each.daemon and each != main
    ]
    if running:
        LOG.warning(
            f"The parent of the worker process {os.getpid()} is gone: "
            "cleaning up, then the worker ends."
        )
    end = time.monotonic() + _REMOVE_WITHIN_S
    for thread in running:
        thread.join(max(0.0, end - time.monotonic()))


os.register_at_fork(after_in_child=_begin)
