"""Rally resource managers that remove the bays and templates of a task.

Rally calls them after all iterations.  The deadline of a bay's deletion
grows with the size of the bay.  With Rally's default of 600 s, Rally could
delete a project while one of its bays is still being deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rally.common import logging
from rally_openstack.task.cleanup import base
from rally_openstack.task.cleanup import manager

from rally_magnum_scale.bays import bay_poller
from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.bays import listing
from rally_magnum_scale.bays import magnum_errors
from rally_magnum_scale.task import clients

LOG = logging.getLogger(__name__)

SERVICE = "magnum_scale"

# Number of polls, two seconds apart.
POLLS_AFTER_FAILURE = 5

# Ids of resources that a context still needs and removes itself.  Rally's
# own cleanup runs before the cleanup of every other context.
_held: set[str] = set()

_DEFAULT_DEADLINE_S = deadlines.delete_s(0)

# The form of the names by which resources are found.  A bay's name becomes
# part of host names, so it must be lower case and DNS-safe.
NAME_FORMAT = "rms-XXXXXXXX-XXXXXXXX"
NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class NamedContext:
    """Mixin for contexts: names resources in the same way as scenarios."""

    RESOURCE_NAME_FORMAT = NAME_FORMAT
    RESOURCE_NAME_ALLOWED_CHARACTERS = NAME_CHARACTERS

    @classmethod
    def _get_resource_name_format(cls) -> str:
        # Rally's own method lets a configuration option replace the format.
        return cls.RESOURCE_NAME_FORMAT


def hold(uuid: str) -> None:
    """Exclude a bay or template from Rally's cleanup.

    The context that created it removes it.
    """
    _held.add(uuid)


def release(uuid: str) -> None:
    """Let Rally's cleanup remove a held bay or template again."""
    _held.discard(uuid)


def sweep(resource: str, owner: Any) -> None:
    """Remove, by name, the leftovers of a context.

    :param resource: ``clusters`` or ``cluster_templates``
    """
    manager.cleanup(
        names=[f"{SERVICE}.{resource}"],
        admin_required=False,
        users=owner.context.get("users", []),
        superclass=type(owner),
        task_id=owner.get_owner_id(),
    )


class _MagnumManager(base.ResourceManager):
    """Base class of the managers of bays and templates."""

    def _manager(self) -> Any:
        magnum = clients.magnum_of(self.user)
        return getattr(magnum, self._resource)

    def id(self) -> str:
        return str(self.raw_resource.uuid)

    def list(self) -> Sequence[Any]:
        """Return the project's resources that no context holds.

        Magnum still shows a bay for a moment after its deletion.
        """
        return [
            each
            for each in listing.list_all(self._manager())
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
    """Removes the bays of a task."""

    def __init__(self, resource: Any = None, **kwargs: Any) -> None:
        super().__init__(resource=resource, **kwargs)
        self._polls_left = POLLS_AFTER_FAILURE
        self._delete_retry = bay_poller.DeleteRetry(
            lambda: self._manager().delete(self.id())
        )
        if resource is not None:
            self._timeout = deadlines.delete_s(resource.node_count or 0)

    def delete(self) -> None:
        """Ask Magnum to delete the bay."""
        LOG.warning("Removing the bay %s, which was left behind.", self.name())
        self._manager().delete(self.id())

    def is_deleted(self) -> bool:
        """Return whether the bay is gone from Magnum.

        A bay in DELETE_FAILED stays, so the method logs its name and ends
        the wait.  The first polls may still show the status of an earlier
        deletion, because Magnum starts a new deletion only after its
        response.
        """
        seen = magnum_errors.get_or_none(self._manager(), self.id())
        failed = seen is not None and seen.status == "DELETE_FAILED"
        self._polls_left -= failed
        if failed and self._polls_left < 0:
            LOG.error(
                f"The bay {self.name()} could not be removed: "
                f"{magnum_errors.failure_reason(seen)}. Delete it by hand."
            )
            self._timeout = 0.0
        if seen is not None:
            self._delete_retry.on_status(seen.status)
        return seen is None


@base.resource(
    SERVICE,
    "cluster_templates",
    order=2,
    tenant_resource=True,
    timeout=_DEFAULT_DEADLINE_S,
)
class TemplateManager(_MagnumManager):
    """Removes the cluster templates of a task."""

    def is_deleted(self) -> bool:
        """Return whether the template is gone from Magnum."""
        return magnum_errors.get_or_none(self._manager(), self.id()) is None
