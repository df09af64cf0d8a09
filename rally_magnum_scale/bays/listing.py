"""Lists of Magnum: page by page, and asked for again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rally_magnum_scale import interruption
from rally_magnum_scale.bays import magnum_errors

# Magnum lists up to this many objects in one answer by default.
PAGE = 1000

# How often a list is asked for, a second apart.
LOOKS = 15
PAUSE_S = 1.0

_BAD_REQUEST = 400
_SERVER_ERROR = 500


def everything(
    manager: Any,
    sleep: Callable[[float], None] = interruption.sleep,
    **query: Any,
) -> list[Any]:
    """List all objects of a kind that Magnum shows.

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
        if len(page) < PAGE:
            return found


def _page(
    manager: Any, sleep: Callable[[float], None], query: dict[str, Any]
) -> list[Any]:
    """Ask for one page, several times if need be.

    A single cluster that is just being created or deleted can make Magnum
    answer 400 to a list of all.
    """
    for left in reversed(range(LOOKS)):
        try:
            return list(manager.list(limit=PAGE, **query))
        except magnum_errors.CLIENT_ERRORS as error:
            if not left or not _may_pass(error):
                raise
            sleep(PAUSE_S)
    return []


def _may_pass(error: Exception) -> bool:
    status = getattr(error, "http_status", None) or 0
    return status == _BAD_REQUEST or status >= _SERVER_ERROR
