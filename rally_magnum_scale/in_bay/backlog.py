"""Listen backlog of the Locust master's port.

ZeroMQ's default backlog is 100 connections.  If a thousand workers start
together, those beyond the backlog believe that they are connected.  They
detect the error only after ZeroMQ's handshake timeout of 30 s.
"""

from __future__ import annotations

import functools
from typing import Any

# Linux's default for net.core.somaxconn.
BACKLOG = 4096


def widen(sockets: Any, option: int, backlog: int = BACKLOG) -> None:
    """Set the backlog of every socket that Locust creates from now on.

    The backlog must be set before the bind, and Locust binds a socket as
    soon as it has created it.

    :param sockets: Locust's class of the sockets
    :param option: ZeroMQ's number of the option
    :param backlog: number of connections that may wait
    """
    make = sockets.__init__

    @functools.wraps(make)
    def make_with_backlog(self: Any, *given: Any, **named: Any) -> None:
        make(self, *given, **named)
        self.socket.setsockopt(option, backlog)

    sockets.__init__ = make_with_backlog
