"""Remove leftovers one after the other, until Ctrl-C."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterable

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.reap import plan


def remove(
    rows: Iterable[plan.Decision], log: Callable[[str], None]
) -> list[plan.Decision]:
    """Remove what can be removed; a failure does not stop the others.

    An interruption ends the wait for a bay, which Magnum goes on deleting,
    and stops the rest.

    :param log: callback for progress lines
    :returns: the rows with their outcomes
    """
    handlers = interruption.install()
    try:
        return [
            dataclasses.replace(row, outcome=_remove(row, log))
            if row.action is plan.Action.DELETE
            else row
            for row in rows
        ]
    finally:
        interruption.restore(handlers)


def _remove(row: plan.Decision, log: Callable[[str], None]) -> str:
    what = f"{row.finding.kind} {row.finding.name}"
    try:
        interruption.check()
        log(f"removing the {what}")
        row.finding.remove()
    except exceptions.Interrupted:
        return "interrupted"
    except exceptions.ScaleError as error:
        log(f"could not remove the {what}: {error}")
        return str(error)
    return plan.REMOVED
