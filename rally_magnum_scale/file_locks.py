"""File locks that the kernel releases when the process ends."""

from __future__ import annotations

import fcntl
from typing import IO
from typing import Any


def take(file: IO[Any]) -> bool | None:
    """Try to take the lock without waiting.

    :returns: True, or None while another process holds the lock, as the
        polls of :func:`waiting.wait_for` do
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return True
