"""Limits of a Locust master, which has a connection to each worker."""

from __future__ import annotations

import functools
import resource
from typing import Any

# Files of Python, Locust, ZeroMQ and the log.
OWN_FILES = 100
# Linux's default for net.core.somaxconn.
BACKLOG = 4096


def raise_open_files(workers: int) -> None:
    """Raise this process's limit of open files for all worker connections.

    A container runtime sets a soft and a hard limit, and a process may raise
    the soft limit to the hard limit.  Locust does so up to 10,000, and
    continues if that is not allowed.  Connections over the limit would then
    wait forever.

    :param workers: number of workers that will connect
    :raises OSError: when the hard limit is too low as well
    """
    needed = workers + OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = hard if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft != resource.RLIM_INFINITY and soft < needed:
        raise OSError(
            f"The Locust master may open {hard} files, and {workers} workers "
            f"need {needed}. Raise the limit of open files of the nodes' "
            "container runtime (LimitNOFILE), or use fewer workers."
        )


def widen_backlog(sockets: Any, option: int, backlog: int = BACKLOG) -> None:
    """Set the backlog of every socket that Locust creates from now on.

    ZeroMQ's default backlog is 100 connections.  If a thousand workers start
    together, those beyond the backlog believe that they are connected.  They
    detect the error only after ZeroMQ's handshake timeout of 30 s.

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
