"""Magnum's own quota: how many bays a project may have."""

from __future__ import annotations

from typing import Any

from rally_magnum_scale.bays import listing
from rally_magnum_scale.bays import magnum_errors

RESOURCE = "Cluster"


class BayQuotas:
    """The bay quotas of projects.

    :param magnum: from :func:`~rally_magnum_scale.bays.lifecycle.connect`;
        only an administrator's may change them
    """

    def __init__(self, magnum: Any) -> None:
        self._magnum = magnum

    def get(self, project: str) -> int:
        """Return how many bays a project may have.

        :raises BayError: when Magnum refuses
        """
        return int(self._get(project).hard_limit)

    def set(self, project: str, bays: int) -> int | None:
        """Allow a project so many bays.

        :returns: what was set for it before, for :meth:`restore`; None when
            Magnum's default held
        :raises BayError: when Magnum refuses
        """
        seen = self._get(project)
        # Only a quota that somebody set has an id.
        before = seen.hard_limit if getattr(seen, "id", None) else None
        with magnum_errors.translate_errors(
            f"set the quota of the project {project} to {bays} bays; only an "
            "administrator may do so"
        ):
            if before is None:
                self._magnum.quotas.create(**_quota(project, bays))
            else:
                self._update(project, bays)
        return before

    def restore(self, project: str, before: int | None) -> None:
        """Give a project the quota back that it had.

        :param before: from :meth:`set`
        :raises BayError: when Magnum refuses
        """
        with magnum_errors.translate_errors(
            f"restore the quota of bays of the project {project}"
        ):
            if before is not None:
                self._update(project, before)
                return
            with magnum_errors.gone_is_fine():
                self._magnum.quotas.delete(project, RESOURCE)

    def room(self, project: str) -> int:
        """Return how many more bays a project may have.

        :raises BayError: when Magnum refuses
        """
        with magnum_errors.translate_errors("list the bays"):
            shown = listing.everything(self._magnum.clusters, detail=True)
        # An administrator is shown those of all projects.
        projects = [bay.to_dict().get("project_id") for bay in shown]
        return self.get(project) - sum(p in (project, None) for p in projects)

    def _get(self, project: str) -> Any:
        with magnum_errors.translate_errors(
            f"show the quota of bays of the project {project}"
        ):
            return self._magnum.quotas.get(project, RESOURCE)

    def _update(self, project: str, bays: int) -> None:
        self._magnum.quotas.update(project, RESOURCE, _quota(project, bays))


def _quota(project: str, bays: int) -> dict[str, Any]:
    return {"project_id": project, "resource": RESOURCE, "hard_limit": bays}
