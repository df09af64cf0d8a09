"""Magnum's own quota of bays per project."""

from __future__ import annotations

from typing import Any

from magnumclient import exceptions as magnum_exceptions

from rally_magnum_scale.bays import listing
from rally_magnum_scale.bays import magnum_errors

RESOURCE = "Cluster"


class BayQuotas:
    """The bay quotas of projects.

    :param magnum: from :func:`~rally_magnum_scale.bays.lifecycle.connect`;
        only an administrator can change quotas
    """

    def __init__(self, magnum: Any) -> None:
        self._magnum = magnum

    def get(self, project: str) -> int:
        """Return the quota of a project.

        :raises BayError: when Magnum refuses
        """
        return int(self._get(project).hard_limit)

    def set(self, project: str, bays: int) -> int | None:
        """Set the quota of a project.

        :returns: the previous quota, for :meth:`restore`; None when it was
            Magnum's default
        :raises BayError: when Magnum refuses
        """
        seen = self._get(project)
        # Only a quota that was set explicitly has an id.
        before = seen.hard_limit if getattr(seen, "id", None) else None
        with magnum_errors.translate_errors(
            f"set the quota of the project {project} to {bays} bays, which "
            "only an administrator may do"
        ):
            if before is None:
                self._create(project, bays)
            else:
                self._update(project, bays)
        return before

    def restore(self, project: str, before: int | None) -> None:
        """Restore the previous quota of a project.

        :param before: from :meth:`set`
        :raises BayError: when Magnum refuses
        """
        with magnum_errors.translate_errors(
            f"restore the bay quota of the project {project}"
        ):
            if before is not None:
                self._update(project, before)
                return
            with magnum_errors.ignore_not_found():
                self._magnum.quotas.delete(project, RESOURCE)

    def remaining(self, project: str) -> int:
        """Return how many more bays the project can create.

        :raises BayError: when Magnum refuses
        """
        with magnum_errors.translate_errors("list the bays"):
            shown = listing.list_all(self._magnum.clusters, detail=True)
        # Magnum shows an administrator the bays of all projects.
        projects = [bay.to_dict().get("project_id") for bay in shown]
        return self.get(project) - sum(p in (project, None) for p in projects)

    def _get(self, project: str) -> Any:
        with magnum_errors.translate_errors(
            f"show the bay quota of the project {project}"
        ):
            return self._magnum.quotas.get(project, RESOURCE)

    def _create(self, project: str, bays: int) -> None:
        try:
            self._magnum.quotas.create(**_quota(project, bays))
        except magnum_exceptions.Conflict:
            # An earlier request took effect, and its response was lost.
            self._update(project, bays)

    def _update(self, project: str, bays: int) -> None:
        self._magnum.quotas.update(project, RESOURCE, _quota(project, bays))


def _quota(project: str, bays: int) -> dict[str, Any]:
    return {"project_id": project, "resource": RESOURCE, "hard_limit": bays}
