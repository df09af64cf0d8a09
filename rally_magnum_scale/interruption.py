"""Turn Ctrl-C and SIGTERM into a flag that every wait checks.

Rally's runners swallow KeyboardInterrupt: the serial runner counts the
iteration as successful and starts the next, and the constant runner leaves
its child processes running.  A signal therefore only sets a flag.  The waits
of this package check it and raise
:class:`~rally_magnum_scale.exceptions.Interrupted`, an ordinary exception,
and the iteration removes what it created before it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

from rally_magnum_scale import exceptions

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SLICE_S = 0.2

# Shared memory, so that all processes forked by a runner see the same flag.
# Without a lock: the thread that a signal handler interrupts could hold it,
# and the handler would wait forever.
_signal_number = multiprocessing.RawValue(ctypes.c_int, 0)
_acknowledged = multiprocessing.RawValue(ctypes.c_int, 0)
_deferring = threading.local()


def install() -> dict[signal.Signals, Any]:
    """Clear the flag and let SIGINT and SIGTERM set it.

    :returns: the previous handlers, for :func:`restore`
    """
    _signal_number.value = 0
    _acknowledged.value = 0
    return {number: signal.signal(number, _note) for number in SIGNALS}


def restore(handlers: dict[signal.Signals, Any]) -> None:
    """Restore the handlers that :func:`install` replaced."""
    for number, handler in handlers.items():
        signal.signal(number, handler)


def requested() -> bool:
    """Return whether a signal has asked the run to stop."""
    return bool(_signal_number.value)


def check() -> None:
    """Raise if the run was interrupted, unless inside :func:`deferred`.

    :raises Interrupted: with the name of the signal
    """
    if requested() and not is_deferred():
        name = signal.Signals(_signal_number.value).name
        raise exceptions.Interrupted(
            f"The run was interrupted by {name}; everything that it created "
            "is removed."
        )


def acknowledge() -> None:
    """Tell all processes that no further iteration will start."""
    _acknowledged.value = 1


def wait_acknowledged(deadline_s: float = 30.0) -> None:
    """If the run was interrupted, wait until no iteration can start.

    The runner starts the next iteration as soon as this one ends.

    :param deadline_s: seconds after which the wait ends anyway
    """
    end = time.monotonic() + deadline_s
    while requested() and not _acknowledged.value:
        if time.monotonic() >= end:
            return
        time.sleep(SLICE_S)


def refuse_to_start() -> None:
    """Raise if the run was interrupted before a new iteration.

    :raises Interrupted: once no runner can start another iteration
    """
    wait_acknowledged()
    check()


def sleep(seconds: float) -> None:
    """Sleep and check the flag at least every 0.2 s.

    :raises Interrupted: as :func:`check` does
    """
    end = time.monotonic() + seconds
    check()
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, SLICE_S))
        check()


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let this thread finish its work, such as the removal of a bay."""
    _deferring.depth = getattr(_deferring, "depth", 0) + 1
    try:
        yield
    finally:
        _deferring.depth -= 1


def is_deferred() -> bool:
    """Return whether this thread is inside :func:`deferred`."""
    return bool(getattr(_deferring, "depth", 0))


def _note(number: int, _frame: FrameType | None) -> None:
    _signal_number.value = number
