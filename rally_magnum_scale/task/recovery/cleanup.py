"""Removal of what a task left in Magnum, whatever ended it.

Rally calls these managers when all iterations are over.  Each gets a
deadline that grows with the size of the bay: Rally's own 600 s would let a
project be deleted under a bay that is still going.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rally.common import logging
from rally_openstack.task.cleanup import base
from rally_openstack.task.cleanup import manager

from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.bays import delete_retry
from rally_magnum_scale.bays import failures
from rally_magnum_scale.bays import listing
from rally_magnum_scale.bays import magnum_errors
from rally_magnum_scale.task import clients

LOG = logging.getLogger(__name__)

SERVICE = "magnum_scale"

# Two seconds apart.
LOOKS_AT_A_FAILURE = 5

# Ids of what a context still needs and removes itself: Rally's own cleanup
# comes before that of every other context.
_held: set[str] = set()

_DEFAULT_DEADLINE_S = deadlines.delete_s(0)


def hold(uuid: str) -> None:
    """Leave a bay or template to the context that made it."""
    _held.add(uuid)


def release(uuid: str) -> None:
    """Let Rally's cleanup remove what was held, if it is still there."""
    _held.discard(uuid)


def sweep(resource: str, owner: Any) -> None:
    """Remove, by name, what a context made and could not remove.

    :param resource: ``clusters`` or ``cluster_templates``
    :param owner: the context
    """
    manager.cleanup(
        names=[f"{SERVICE}.{resource}"],
        admin_required=False,
        users=owner.context.get("users", []),
        superclass=type(owner),
        task_id=owner.get_owner_id(),
    )


class _MagnumManager(base.ResourceManager):
    """What bays and templates have in common."""

    def _manager(self) -> Any:
        magnum = clients.magnum_of(self.user)
        return getattr(magnum, self._resource)

    def id(self) -> str:
        """Return the uuid."""
        return str(self.raw_resource.uuid)

    def list(self) -> Sequence[Any]:
        """Return what Magnum shows of the project and no context holds.

        Magnum shows a bay for a moment after its deletion is complete.
        """
        return [
            each
            for each in listing.everything(self._manager())
            if each.uuid not in _held
            and getattr(each, "status", "") != "DELETE_COMPLETE"
        ]


@base.resource(
    SERVICE,
    "clusters",
    order=1,
    tenant_resource=True,
    timeout=_DEFAULT_DEADLINE_S,
    interval=2,
)
class BayManager(_MagnumManager):
    """Remove the bays of a task."""

    def __init__(self, resource: Any = None, **kwargs: Any) -> None:
        super().__init__(resource=resource, **kwargs)
        self._looks_left = LOOKS_AT_A_FAILURE
        self._forgotten = delete_retry.DeleteRetry(
            lambda: self._manager().delete(self.id())
        )
        if resource is not None:
            self._timeout = deadlines.delete_s(resource.node_count or 0)

    def delete(self) -> None:
        """Ask Magnum to delete the bay."""
        LOG.warning("Removing the bay %s, which was left behind.", self.name())
        self._manager().delete(self.id())

    def is_deleted(self) -> bool:
        """Tell whether Magnum has lost the bay.

        A bay in DELETE_FAILED does not go by waiting: it is named, and
        the wait ends.  The first looks may still see how an earlier delete
        ended, since Magnum begins a new one only after it has answered.
        """
        seen = magnum_errors.look(self._manager(), self.id())
        failed = seen is not None and seen.status == "DELETE_FAILED"
        self._looks_left -= failed
        if failed and self._looks_left < 0:
            LOG.error(
                f"The bay {self.name()} could not be removed: "
                f"{failures.reason(seen)}; delete it by hand."
            )
            self._timeout = 0.0
        if seen is not None:
            self._forgotten.look(seen.status)
        return seen is None


@base.resource(
    SERVICE,
    "cluster_templates",
    order=2,
    tenant_resource=True,
    timeout=_DEFAULT_DEADLINE_S,
)
class TemplateManager(_MagnumManager):
    """Remove the cluster templates of a task."""

    def is_deleted(self) -> bool:
        """Tell whether Magnum has lost the template."""
        return magnum_errors.look(self._manager(), self.id()) is None
