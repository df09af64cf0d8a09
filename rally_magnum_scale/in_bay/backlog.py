"""How many workers may knock at the Locust master's port at once.

ZeroMQ lets 100 connections wait to be accepted.  Of a thousand workers
that start together, those above it believe that they are connected, and
notice only after ZeroMQ's 30 s for a handshake that nobody answers.
"""

from __future__ import annotations

import functools
from typing import Any

# What Linux allows by itself (net.core.somaxconn).
BACKLOG = 4096


def widen(sockets: Any, option: int, backlog: int = BACKLOG) -> None:
    """Give every socket that Locust makes from now on a longer queue.

    It must be set before Locust binds the socket, which it does as soon as
    it has made it.

    :param sockets: Locust's class of them
    :param option: ZeroMQ's number for it
    :param backlog: how many connections may wait
    """
    make = sockets.__init__

    @functools.wraps(make)
    def make_with_backlog(self: Any, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        self.socket.setsockopt(option, backlog)

    sockets.__init__ = make_with_backlog
