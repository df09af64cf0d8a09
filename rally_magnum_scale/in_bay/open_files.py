"""How many files a Locust master may open: each worker takes one."""

from __future__ import annotations

import resource

# Python, Locust, its ZeroMQ and its log.
OWN_FILES = 100


def allow(workers: int) -> None:
    """Let this process open a connection to each worker.

    A container's runtime sets two limits, and a process may raise the
    first to the second.  Locust does so up to 10,000, and goes on where
    that is not allowed: connections over the limit are then left waiting.

    :param workers: how many will connect
    :raises OSError: when the second is too low as well
    """
    needed = workers + OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = hard if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft != resource.RLIM_INFINITY and soft < needed:
        raise OSError(
            f"The Locust master may open {hard} files, and {workers} workers "
            f"need {needed}: raise the limit of open files of the nodes' "
            "container runtime (LimitNOFILE), or ask for fewer workers."
        )
