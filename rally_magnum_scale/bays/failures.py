"""What Magnum and Heat say when they fail, mapped to classes of failure.

The texts are those of Magnum 22, Heat 27 and oslo.db; the classes are what
an operator does about them.
"""

from __future__ import annotations

import re

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


def classify(reason: str) -> str:
    """Return the class of a failure, ``other`` when its words are new.

    :param reason: what Magnum gave as ``status_reason`` and ``faults``
    """
    for pattern, name in _CLASSES:
        if re.search(pattern, reason):
            return name
    return "other"


def explain(status_reason: str | None, faults: object) -> str:
    """Join Magnum's words on a failure into one line.

    :param status_reason: of the cluster, may be missing
    :param faults: of the cluster: reason by resource, when the driver
        reports it
    """
    parts = [status_reason.strip()] if status_reason else []
    if isinstance(faults, dict):
        parts += [f"{name}: {why}" for name, why in faults.items()]
    return "; ".join(parts) or "Magnum gave no reason"
