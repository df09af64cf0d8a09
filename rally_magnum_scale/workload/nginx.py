"""The nginx of a target: its ports, and its count of requests."""

from __future__ import annotations

import re

from rally_magnum_scale.workload.load_spec import LoadSpec

PORT = 8080
# Port of the request counts, if the other port serves only TLS.
STATUS_PORT = 8081
STATUS_PATH = "/stub_status"


def status_port(spec: LoadSpec) -> int:
    """Return the port on which a target serves its counts, in plain HTTP."""
    return PORT if spec.tls is None else STATUS_PORT


def requests_counted(stub_status: str) -> int:
    """Read how many requests an nginx has counted, including this one.

    :param stub_status: response of ``STATUS_PATH``
    :raises ValueError: when the response has another form
    """
    found = re.search(
        r"^server accepts handled requests\s+\d+ \d+ (\d+)",
        stub_status,
        re.MULTILINE,
    )
    if not found:
        raise ValueError(
            f"The target's {STATUS_PATH} did not return counts, but "
            f"{stub_status[:80]!r}."
        )
    return int(found.group(1))
