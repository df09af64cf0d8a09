"""Ctrl-C and SIGTERM as a flag that every wait looks at.

Rally's runners swallow KeyboardInterrupt: the serial one counts the
iteration as good and starts the next, the constant one leaves its
children running.  So a signal only sets a flag; the waits of this package
raise :class:`~rally_magnum_scale.exceptions.Interrupted`, an ordinary
exception, and the iteration removes what it made on its way out.
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

# Shared memory, so that processes forked by a runner see one flag.  It is
# a plain value: a lock in a signal handler could be held by the very
# thread that the handler interrupts.
_signal_number = multiprocessing.RawValue(ctypes.c_int, 0)
_acknowledged = multiprocessing.RawValue(ctypes.c_int, 0)
_deferring = threading.local()


def install() -> dict[signal.Signals, Any]:
    """Turn SIGINT and SIGTERM into the flag, which is cleared first.

    :returns: the handlers that were there, for :func:`restore`
    """
    _signal_number.value = 0
    _acknowledged.value = 0
    return {number: signal.signal(number, _note) for number in SIGNALS}


def restore(handlers: dict[signal.Signals, Any]) -> None:
    """Put back the handlers that :func:`install` replaced."""
    for number, handler in handlers.items():
        signal.signal(number, handler)


def requested() -> bool:
    """Tell whether the run was asked to stop."""
    return bool(_signal_number.value)


def check() -> None:
    """Raise if the run was asked to stop, unless inside :func:`deferred`.

    :raises Interrupted: with the name of the signal
    """
    if requested() and not is_deferred():
        name = signal.Signals(_signal_number.value).name
        raise exceptions.Interrupted(
            f"The run was interrupted by {name}; what it made is removed."
        )


def acknowledge() -> None:
    """Say, to all processes, that no further iteration will be started."""
    _acknowledged.value = 1


def wait_acknowledged(deadline_s: float = 30.0) -> None:
    """If the run was asked to stop, hold on until nothing new can start.

    The runner starts the next iteration as soon as this one ends.
    """
    end = time.monotonic() + deadline_s
    while requested() and not _acknowledged.value:
        if time.monotonic() >= end:
            return
        time.sleep(SLICE_S)


def refuse_to_start() -> None:
    """Raise if the run was asked to stop before a new piece of work.

    :raises Interrupted: when no runner can start the next one any more
    """
    wait_acknowledged()
    check()


def sleep(seconds: float) -> None:
    """Sleep, but look at the flag at least every 0.2 s.

    :raises Interrupted: as :func:`check` does
    """
    end = time.monotonic() + seconds
    check()
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, SLICE_S))
        check()


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let this thread finish a piece of work, such as removing a bay."""
    _deferring.depth = getattr(_deferring, "depth", 0) + 1
    try:
        yield
    finally:
        _deferring.depth -= 1


def is_deferred() -> bool:
    """Tell whether this thread is inside :func:`deferred`."""
    return bool(getattr(_deferring, "depth", 0))


def _note(number: int, _frame: FrameType | None) -> None:
    _signal_number.value = number
