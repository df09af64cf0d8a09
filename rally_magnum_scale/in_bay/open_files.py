"""Limit of open files of a Locust master, which needs one per worker."""

from __future__ import annotations

import resource

# Files of Python, Locust, ZeroMQ and the log.
OWN_FILES = 100


def allow(workers: int) -> None:
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
