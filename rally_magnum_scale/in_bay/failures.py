"""What kinds of failure there are on the way to an answer."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Mapping

from rally_magnum_scale.in_bay import http_responses
from rally_magnum_scale.in_bay import tls

BY_NUMBER = {
    errno.EADDRNOTAVAIL: "no_port",
    errno.EMFILE: "no_file",
    errno.ENFILE: "no_file",
}
# Kinds of failure that are not the target's.
OUR_FAULT = {
    "no_port": "a worker had no local port left for a new connection",
    "no_file": "a worker had as many files open as it may",
}


def our_fault(failures: Mapping[str, int]) -> dict[str, str]:
    """Return why it was the generator that failed requests.

    :param failures: kind to count
    :returns: those kinds that are not the target's, each to a clause
    """
    return {
        kind: clause
        for kind, clause in OUR_FAULT.items()
        if failures.get(kind)
    }


def kind_of(error: OSError) -> str:
    """Return the kind of failure that an error of a socket is."""
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLError):
        return "reset" if isinstance(error, tls.ENDED) else "tls"
    if isinstance(error, http_responses.Malformed):
        return "malformed"
    if isinstance(error, http_responses.Short):
        return "short"
    if isinstance(error, ConnectionError):
        return "reset"
    return BY_NUMBER.get(error.errno or 0, "unreachable")
