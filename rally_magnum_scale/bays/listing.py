"""List Magnum's objects page by page, with retries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rally_magnum_scale import interruption
from rally_magnum_scale.bays import magnum_errors

# Magnum's default limit of objects in one response.
PAGE_SIZE = 1000

# Attempts for one page, and the pause between them.
ATTEMPTS = 15
PAUSE_S = 1.0

_BAD_REQUEST = 400


def list_all(
    manager: Any,
    sleep: Callable[[float], None] = interruption.sleep,
    **query: Any,
) -> list[Any]:
    """Return all objects of a kind that Magnum shows.

    :param manager: ``clusters`` or ``cluster_templates`` of a client
    :param sleep: sleeps, and raises if the run is interrupted
    :param query: further arguments, such as ``detail``
    :raises magnumclient.exceptions.ClientException: when Magnum refuses
    """
    found: list[Any] = []
    while True:
        marker = {"marker": found[-1].uuid} if found else {}
        page = _page(manager, sleep, {**query, **marker})
        found += page
        if len(page) < PAGE_SIZE:
            return found


def _page(
    manager: Any, sleep: Callable[[float], None], query: dict[str, Any]
) -> list[Any]:
    """Request one page, with retries.

    While a cluster is being created or deleted, Magnum may answer 400 to a
    list request.
    """
    for left in reversed(range(ATTEMPTS)):
        try:
            return list(manager.list(limit=PAGE_SIZE, **query))
        except magnum_errors.CLIENT_ERRORS as error:
            if not left or getattr(error, "http_status", 0) != _BAD_REQUEST:
                raise
            sleep(PAUSE_S)
    return []
