"""Describe the node groups of a bay that Magnum has not completed."""

from __future__ import annotations

from typing import Any

from rally_magnum_scale.measurement import wording


def incomplete(magnum: Any, uuid: str) -> str:
    """Describe the node groups of a bay that are not complete.

    :param magnum: a Magnum client
    :param uuid: of the cluster
    :returns: an empty string if all are complete
    :raises magnumclient.exceptions.ClientException: when Magnum does not
        show them
    """
    waiting = [
        group
        for group in magnum.nodegroups.list(uuid)
        if not str(group.status).endswith("_COMPLETE")
    ]
    waiting.sort(key=lambda group: str(group.name))
    # Magnum's list has no reasons, and each reason costs a request.
    described = [
        _describe(magnum.nodegroups.get(uuid, group.uuid))
        for group in waiting[: wording.MOST_NAMED]
    ]
    if more := len(waiting) - len(described):
        described.append(f"{more} more")
    return f"node groups: {', '.join(described)}" if described else ""


def _describe(group: Any) -> str:
    state = f"{group.name} {group.status or 'no status yet'}"
    reason = " ".join((group.status_reason or "").split()).rstrip(".")
    return f"{state} ({reason})" if reason else state
