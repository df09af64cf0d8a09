"""Remove the leftovers of a dead run from Magnum, Keystone and Rally."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

from rally import consts
from rally import exceptions as rally_errors
from rally.common import db
from rally.common import logging
from rally.common import objects
from rally_openstack.common import osclients
from rally_openstack.task.contexts.keystone import users

from rally_magnum_scale.bays import leftovers
from rally_magnum_scale.task import clients
from rally_magnum_scale.task.recovery import lost_machines
from rally_magnum_scale.task.recovery import run_markers

LOG = logging.getLogger(__name__)

_STATUS = consts.TaskStatus
UNFINISHED = (
    _STATUS.INIT,
    _STATUS.VALIDATING,
    _STATUS.VALIDATED,
    _STATUS.RUNNING,
    _STATUS.ABORTING,
    _STATUS.SOFT_ABORTING,
    _STATUS.PAUSED,
)

_AT_ONCE = 4


class Cloud:
    """The part of a cloud that a task's credentials can access.

    :param context: context of the task: ``env`` and, if there is one,
        ``admin``
    """

    def __init__(self, context: Mapping[str, Any]) -> None:
        self._context = context
        self._given = context["env"]["platforms"].get("openstack") or {}

    @property
    def exists(self) -> bool:
        """Whether the task has a cloud; a task on a kubeconfig may not."""
        return bool(self._given.get("admin") or self._given.get("users"))

    @property
    def address(self) -> str:
        """Keystone's address and the region, which identify the cloud."""
        some = self._given.get("admin") or self._given["users"][0]
        return clients.address(some)

    @property
    def admin(self) -> Any | None:
        """Rally's clients of the administrator, if the task has one."""
        own = self._context.get("admin")
        return osclients.Clients(own["credential"]) if own else None

    def leftovers(self) -> list[leftovers.Leftovers]:
        """Open Magnum as administrator, or else once for each own project."""
        return [
            leftovers.Leftovers(clients.magnum_of(each), LOG.info)
            for each in self._opened()
        ]

    def revert_machine_faults(self, mark: pathlib.Path) -> list[str]:
        """Revert the faults that a dead run injected into servers.

        :returns: a sentence for each server that was not recovered
        """
        return lost_machines.recover(
            mark,
            [
                functools.partial(clients.machines_of, each, LOG.info)
                for each in self._opened()
            ],
            LOG.warning,
        )

    def _opened(self) -> list[Any]:
        return [self.admin] if self.admin else self._own_projects()

    def _own_projects(self) -> list[Any]:
        found: dict[str, Any] = {}
        for each in self._given["users"]:
            opened = clients.log_in(each)
            found.setdefault(opened.credential.tenant_name, opened)
        return list(found.values())

    def remove_tenants(self, uuids: Collection[str]) -> list[str]:
        """Remove Rally's users and projects of runs whose bays are gone.

        :param uuids: ids from which Rally generated their names
        :returns: a sentence for each user or project that remains
        """
        if not (admin := self.admin):
            return []
        projects, people = _tenants(admin, uuids)
        if not projects and not people:
            return []
        if taken := self._taken(projects):
            return [
                f"The project {name} of a dead run still has the bay {bay}, "
                "which that run did not create. Delete the bay or the "
                "project by hand."
                for name, bay in taken
            ]
        for each in (*people, *projects):
            LOG.info(f"{each.name}: deleting this {_kind(each)}")
        self._as_rally_does(projects, people)
        left = [one for kind in _tenants(admin, uuids) for one in kind]
        return [
            f"Keystone still has the {_kind(each)} {each.name} of a dead run. "
            f"Delete it with 'openstack {_kind(each)} delete {each.id}'."
            for each in left
        ]

    def _taken(self, projects: Collection[Any]) -> list[tuple[str, str]]:
        names = {each.id: each.name for each in projects}
        (found,) = self.leftovers()
        return [
            (names[bay.project_id], bay.name)
            for bay in found.all_bays()
            if bay.project_id in names
        ]

    def _as_rally_does(
        self, projects: Collection[Any], people: Collection[Any]
    ) -> None:
        """Remove tenants in the same way as the context that made them."""
        settings = {"resource_management_workers": _AT_ONCE}
        made = {
            **self._context,
            "config": {users.UserGenerator.get_fullname(): settings},
            "tenants": {each.id: {"id": each.id} for each in projects},
            "users": [{"id": each.id} for each in people],
        }
        users.UserGenerator(made).cleanup()


def remove(cloud: Cloud, found: run_markers.Found) -> list[str]:
    """Remove all leftovers of a dead run, and revert the faults it injected.

    Its users and projects are removed only if they are empty.

    :returns: a sentence for each thing that could not be removed
    """
    mark = found.mark
    note_crash(mark.task)
    failed = cloud.revert_machine_faults(found.path)
    failed += [
        sentence
        for each in cloud.leftovers()
        for sentence in each.remove_of(mark.owners)
    ]
    return failed or cloud.remove_tenants(mark.owners)


def note_crash(task: str) -> None:
    """Set the status of an unfinished task to ``crashed``."""
    try:
        known = objects.Task.get(task, detailed=True)
        known.update_status(_STATUS.CRASHED, allowed_statuses=UNFINISHED)
    except rally_errors.DBRecordNotFound:
        return
    for each in known["subtasks"]:
        if each["status"] in UNFINISHED:
            crashed = {"status": consts.SubtaskStatus.CRASHED}
            db.subtask_update(each["uuid"], crashed)


def _tenants(
    admin: Any, uuids: Collection[str]
) -> tuple[list[Any], list[Any]]:
    keystone = admin.keystone()
    form = users.UserGenerator._get_resource_name_format()
    begin = form.partition("XXX")[0]
    return (
        _made(keystone.projects.list(name__startswith=begin), uuids),
        _made(keystone.users.list(name__startswith=begin), uuids),
    )


def _made(shown: Collection[Any], uuids: Collection[str]) -> list[Any]:
    return [
        each
        for each in shown
        if any(
            users.UserGenerator.name_matches_object(each.name, task_id=uuid)
            for uuid in uuids
        )
    ]


def _kind(each: Any) -> str:
    return type(each).__name__.lower()
