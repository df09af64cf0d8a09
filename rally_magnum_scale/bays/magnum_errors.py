"""Errors of Magnum's client and failures of bays: messages and classes.

The texts are those of Magnum 22, Heat 27 and oslo.db.  A class groups
failures that have the same remedy.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from keystoneauth1 import exceptions as keystone_errors
from magnumclient import exceptions as magnum_exceptions

from rally_magnum_scale import exceptions

CLIENT_ERRORS = (
    magnum_exceptions.ClientException,
    keystone_errors.ClientException,
)

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


@contextlib.contextmanager
def translate_errors(
    what: str, kind: type[exceptions.BayError] = exceptions.BayError
) -> Iterator[None]:
    """Turn an error of Magnum's client into one sentence.

    :param what: what was tried, such as ``list the cluster templates``
    :param kind: the error to raise
    """
    try:
        yield
    except CLIENT_ERRORS as error:
        message = message_of(error)
        raise kind(
            f"Magnum refused to {what}: {message}{advice(message)}."
        ) from error


def message_of(error: Exception) -> str:
    """Return the message of a client's error without a full stop."""
    message = re.sub(r"\.(?= \(HTTP \d+\))", "", str(error))
    return message.strip().rstrip(".")


@contextlib.contextmanager
def ignore_not_found() -> Iterator[None]:
    """Ignore the error of a delete whose object is already gone."""
    with contextlib.suppress(magnum_exceptions.NotFound):
        yield


def get_or_none(manager: Any, uuid: str) -> Any | None:
    """Return a cluster or cluster template, or None when it is gone.

    :param manager: ``clusters`` or ``cluster_templates`` of a client
    """
    try:
        return manager.get(uuid)
    except magnum_exceptions.NotFound:
        return None


def failure_class(error: Exception) -> str:
    """Return the class of a failed create or delete for the records."""
    if isinstance(error, exceptions.DeadlineExceeded):
        return "deadline"
    if isinstance(error, exceptions.Interrupted):
        return "interrupted"
    if isinstance(error, exceptions.WrongNodes):
        return "wrong_nodes"
    return classify(str(error))


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


def failure_reason(cluster: Any) -> str:
    """Return Magnum's reason for a failed cluster in one line.

    It has the ``status_reason``, and the ``faults`` by resource where the
    driver reports them.
    """
    parts = [cluster.status_reason.strip()] if cluster.status_reason else []
    faults = getattr(cluster, "faults", None)
    if isinstance(faults, dict):
        parts += [f"{name}: {why}" for name, why in faults.items()]
    return ("; ".join(parts) or "Magnum gave no reason").rstrip(".")
