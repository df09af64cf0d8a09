"""File locks that the kernel releases when the process ends."""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import IO
from typing import Any

from rally_magnum_scale import waiting


def take(file: IO[Any], *, shared: bool = False) -> bool | None:
    """Try to take the lock of an open file without waiting.

    :param shared: take a shared lock, which others may hold, too
    :returns: True, or None while another process holds the lock, as the
        polls of :func:`waiting.wait_for` do
    :raises OSError: when the file system does not support locks
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return True


@contextlib.contextmanager
def locked(
    path: pathlib.Path, on_wait: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold the lock of a file; wait for it without a deadline.

    :param path: the lock file, which is created if it is missing
    :param on_wait: called once if another process holds the lock
    """
    with path.open("a") as file:
        if not take(file):
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def locked_within(
    path: pathlib.Path, deadline_s: float, *, what: str, interval_s: float
) -> Iterator[None]:
    """Hold the lock of a file; wait for it until a deadline.

    :param path: the lock file, which is created if it is missing
    :param deadline_s: seconds after which the wait ends
    :param what: what is waited for, in words, for the error
    :param interval_s: seconds between two attempts
    :raises DeadlineExceeded: when another process holds the lock too long
    :raises Interrupted: when the run is interrupted
    """
    with path.open("a") as file:
        waiting.wait_for(
            lambda: take(file),
            what=what,
            deadline_s=deadline_s,
            interval_s=interval_s,
        )
        yield
