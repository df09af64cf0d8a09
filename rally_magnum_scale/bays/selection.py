"""Select an existing bay or cluster template by its name or id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rally_magnum_scale import exceptions

COE = "kubernetes"


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
            f"{_list_bays(shown)}."
        )
    if len(fitting) > 1:
        raise exceptions.BayNotFound(
            f"{len(fitting)} bays have the name {wanted!r}; set bay to the "
            f"id of one of: {_list_bays(fitting)}."
        )
    _refuse_incomplete(fitting[0])
    return fitting[0]


def choose_template(
    templates: Sequence[Any], wanted: str | None, key: str = "bay_template"
) -> Any:
    """Return the requested template, or the only template.

    :param templates: what Magnum lists: objects with ``uuid``, ``name``
        and ``coe``
    :param wanted: name or id; None for the only template
    :param key: key of the task that names the template, for the error
    :raises TemplateNotFound: when no template or several match
    """
    if wanted is None:
        fitting = [t for t in templates if t.coe == COE]
        reason = f"no {key} was given"
    else:
        fitting = [t for t in templates if wanted in (t.uuid, t.name)]
        reason = f"{key} is {wanted!r}"
    if len(fitting) != 1:
        raise exceptions.TemplateNotFound(
            f"{len(fitting)} cluster templates fit ({reason}); set "
            f"{key} to the name or id of one of: {_list_templates(templates)}."
        )
    if fitting[0].coe != COE:
        raise exceptions.TemplateNotFound(
            f"The cluster template {wanted!r} is for {fitting[0].coe}; set "
            f"{key} to one for {COE}: {_list_templates(templates)}."
        )
    return fitting[0]


def _refuse_incomplete(bay: Any) -> None:
    """Raise for a bay that is being changed or deleted, or has failed."""
    status = str(bay.status)
    if not status.endswith("_COMPLETE") or status == "DELETE_COMPLETE":
        raise exceptions.BayError(
            f"The bay {bay.name} ({bay.uuid}) is in {status}; wait until it "
            "is complete, or set bay to another bay."
        )


def _list_bays(bays: Sequence[Any]) -> str:
    named = [f"{bay.name} ({bay.uuid}, {bay.status})" for bay in bays]
    return ", ".join(named) or "none is visible to this user"


def _list_templates(templates: Sequence[Any]) -> str:
    named = [f"{t.name or 'unnamed'} ({t.uuid}, {t.coe})" for t in templates]
    return ", ".join(named) or "none is visible to this user"
