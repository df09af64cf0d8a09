"""Magnum's answers that are no success, as one sentence or as nothing."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from keystoneauth1 import exceptions as keystone_errors
from magnumclient import exceptions as magnum_exceptions

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import failures

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
        said = words(error)
        raise kind(
            f"Magnum refused to {what}: {said}{failures.advice(said)}."
        ) from error


def words(error: Exception) -> str:
    """Return what an error of the client says, without a full stop."""
    said = re.sub(r"\.(?= \(HTTP \d+\))", "", str(error))
    return said.strip().rstrip(".")


@contextlib.contextmanager
def gone_is_fine() -> Iterator[None]:
    """Take for done the delete of something that is not there any more."""
    with contextlib.suppress(magnum_exceptions.NotFound):
        yield


def look(manager: Any, uuid: str) -> Any | None:
    """Return a cluster or template of Magnum, or None when it is gone.

    :param manager: ``clusters`` or ``cluster_templates`` of a client
    """
    try:
        return manager.get(uuid)
    except magnum_exceptions.NotFound:
        return None
