"""Select an existing bay by its name or id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rally_magnum_scale import exceptions


def choose_bay(shown: Sequence[Any], wanted: str) -> Any:
    """Return the bay with this name or id if it can be used.

    :param shown: what Magnum lists: objects with ``uuid``, ``name`` and
        ``status``
    :param wanted: name or id
    :raises BayNotFound: when no bay or several match
    :raises BayError: when the bay is not complete
    """
    fitting = [bay for bay in shown if wanted in (bay.uuid, bay.name)]
    if not fitting:
        raise exceptions.BayNotFound(
            f"No bay has the name or id {wanted!r}; set bay to one of: "
            f"{_list(shown)}."
        )
    if len(fitting) > 1:
        raise exceptions.BayNotFound(
            f"{len(fitting)} bays have the name {wanted!r}; set bay to the "
            f"id of one of: {_list(fitting)}."
        )
    _refuse_incomplete(fitting[0])
    return fitting[0]


def _refuse_incomplete(bay: Any) -> None:
    """Raise for a bay that is being changed or deleted, or has failed."""
    status = str(bay.status)
    if not status.endswith("_COMPLETE") or status == "DELETE_COMPLETE":
        raise exceptions.BayError(
            f"The bay {bay.name} ({bay.uuid}) is in {status}; wait until it "
            "is complete, or set bay to another bay."
        )


def _list(bays: Sequence[Any]) -> str:
    named = [f"{bay.name} ({bay.uuid}, {bay.status})" for bay in bays]
    return ", ".join(named) or "none is visible to this user"
