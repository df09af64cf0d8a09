"""Kinds of failure of a request."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Mapping

from rally_magnum_scale.in_bay import http_responses
from rally_magnum_scale.in_bay import tls

# The first class of an error counts.
BY_CLASS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (ConnectionRefusedError, "refused"),
    (TimeoutError, "timeout"),
    (tls.ENDED, "reset"),
    (ssl.SSLError, "tls"),
    (http_responses.Malformed, "malformed"),
    (http_responses.Short, "short"),
    (ConnectionError, "reset"),
)
BY_NUMBER = {
    errno.EADDRNOTAVAIL: "no_port",
    errno.EMFILE: "no_file",
    errno.ENFILE: "no_file",
}
# Kinds of failure that the load generator causes, not the target.
GENERATOR_FAULTS = {
    "no_port": "a worker had no local port left for a new connection",
    "no_file": "a worker reached its limit of open files",
}


def generator_faults(failures: Mapping[str, int]) -> dict[str, str]:
    """Return the failures that the load generator caused.

    :param failures: count of each kind
    :returns: a clause for each kind that the generator causes
    """
    return {
        kind: clause
        for kind, clause in GENERATOR_FAULTS.items()
        if failures.get(kind)
    }


def kind_of(error: OSError) -> str:
    """Return the kind of failure of a socket error."""
    for classes, kind in BY_CLASS:
        if isinstance(error, classes):
            return kind
    return BY_NUMBER.get(error.errno or 0, "unreachable")
