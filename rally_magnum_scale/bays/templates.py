"""Select the cluster template of a bay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rally_magnum_scale import exceptions

COE = "kubernetes"


def choose(
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
        asked = f"no {key} was given"
    else:
        fitting = [t for t in templates if wanted in (t.uuid, t.name)]
        asked = f"{key} is {wanted!r}"
    if len(fitting) != 1:
        raise exceptions.TemplateNotFound(
            f"{len(fitting)} cluster templates fit ({asked}); set "
            f"{key} to the name or id of one of: {_list(templates)}."
        )
    if fitting[0].coe != COE:
        raise exceptions.TemplateNotFound(
            f"The cluster template {wanted!r} is for {fitting[0].coe}; set "
            f"{key} to one for {COE}: {_list(templates)}."
        )
    return fitting[0]


def _list(templates: Sequence[Any]) -> str:
    named = [f"{t.name or 'unnamed'} ({t.uuid}, {t.coe})" for t in templates]
    return ", ".join(named) or "none is visible to this user"
