"""Translate or ignore errors of Magnum's client."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from keystoneauth1 import exceptions as keystone_errors
from magnumclient import exceptions as magnum_exceptions

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import bay_failures

CLIENT_ERRORS = (
    magnum_exceptions.ClientException,
    keystone_errors.ClientException,
)


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
        message = words(error)
        raise kind(
            f"Magnum refused to {what}: {message}"
            f"{bay_failures.advice(message)}."
        ) from error


def words(error: Exception) -> str:
    """Return the message of a client's error without a full stop."""
    message = re.sub(r"\.(?= \(HTTP \d+\))", "", str(error))
    return message.strip().rstrip(".")


@contextlib.contextmanager
def gone_is_fine() -> Iterator[None]:
    """Ignore the error of a delete whose object is already gone."""
    with contextlib.suppress(magnum_exceptions.NotFound):
        yield


def look(manager: Any, uuid: str) -> Any | None:
    """Return a cluster or cluster template, or None when it is gone.

    :param manager: ``clusters`` or ``cluster_templates`` of a client
    """
    try:
        return manager.get(uuid)
    except magnum_exceptions.NotFound:
        return None
