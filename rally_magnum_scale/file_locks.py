"""A lock on a file, which ends with the process, however that ends."""

from __future__ import annotations

import fcntl
from typing import IO
from typing import Any


def take(file: IO[Any]) -> bool | None:
    """Take the lock without waiting; None while another has it.

    That is what :func:`waiting.wait_for` polls.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return True
