"""Classify the failure messages of Magnum and Heat.

The texts are those of Magnum 22, Heat 27 and oslo.db.  A class groups
failures that have the same remedy.
"""

from __future__ import annotations

import re
from typing import Any

_CLASSES = (
    (r"Maximum resources per stack|max_resources_per_stack", "heat_limit"),
    (r"QueuePool limit", "database_pool"),
    (r"Too many open files|EMFILE", "open_files"),
    (r"MessagingTimeout|waiting for a reply", "messaging"),
    (
        r"[Qq]uota|exceeds allowed|limit exceeded|reached the maximum"
        r"|No valid host",
        "capacity",
    ),
    (r"Unauthorized|Forbidden|trustee", "permission"),
    (r"[Tt]imed? ?out", "timeout"),
)

_ADVICE = {
    "heat_limit": "raise max_resources_per_stack in Heat's configuration",
    "database_pool": (
        "raise max_pool_size or max_overflow of the service that reports it"
    ),
    "open_files": "raise the open file limit of Magnum's conductor",
    "messaging": "check the message queue between Magnum's services",
    "capacity": (
        "raise the quotas, with the contexts quotas and bay_quotas, or "
        "create fewer or smaller bays"
    ),
}


def classify(reason: str) -> str:
    """Return the class of a failure, or ``other`` when it is unknown.

    :param reason: Magnum's ``status_reason`` and ``faults``
    """
    for pattern, name in _CLASSES:
        if re.search(pattern, reason):
            return name
    return "other"


def advice(reason: str) -> str:
    """Return the remedy for a failure, to append to its message.

    :param reason: as for :func:`classify`
    :returns: a part of a sentence, or an empty string
    """
    known = _ADVICE.get(classify(reason))
    return f"; {known}" if known else ""


def explain(status_reason: str | None, faults: object) -> str:
    """Join Magnum's explanations of a failure into one line.

    :param status_reason: of the cluster; may be missing
    :param faults: of the cluster: reason by resource, when the driver
        reports it
    """
    parts = [status_reason.strip()] if status_reason else []
    if isinstance(faults, dict):
        parts += [f"{name}: {why}" for name, why in faults.items()]
    return "; ".join(parts) or "Magnum gave no reason"


def reason(cluster: Any) -> str:
    """Return Magnum's reason for a failed cluster in one line."""
    return explain(
        cluster.status_reason, getattr(cluster, "faults", None)
    ).rstrip(".")
