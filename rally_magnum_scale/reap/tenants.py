"""Find and remove the users, projects and keypairs that Rally left."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from openstack import exceptions as openstack_errors

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import leftovers
from rally_magnum_scale.bays import reading
from rally_magnum_scale.reap import findings

# Magnum names the trustee of a bay by the ids of the bay and its project.
_TRUSTEE = re.compile(r"([0-9a-f-]{36})_([0-9a-f]{32})")


@dataclasses.dataclass(frozen=True)
class Tenants:
    """Rally's users and projects, as an administrator sees them.

    Each method raises Unreadable when a service refuses.

    :param all_bays: returns the bays of all projects, whoever created them
    """

    cloud: Any
    all_bays: Callable[[], Iterable[Any]]

    def projects(self) -> list[findings.Finding]:
        """Return the projects that Rally created."""
        return [
            findings.Finding(
                findings.PROJECT,
                shown["name"],
                shown["id"],
                run,
                findings.RALLY_FORM,
                functools.partial(self._remove_project, shown["id"]),
                project=shown["id"],
            )
            for shown, run in self._made_by_rally("projects")
        ]

    def users(self) -> list[findings.Finding]:
        """Return the users that Rally created."""
        form = findings.RALLY_FORM
        return [
            self._user(shown, run, form, shown.get("default_project_id") or "")
            for shown, run in self._made_by_rally("users")
        ]

    def trustees(
        self, projects: Sequence[findings.Finding]
    ) -> list[findings.Finding]:
        """Return the trustees of bays that Rally's projects no longer have."""
        if not projects:
            return []
        with reading.readable("Magnum"):
            bays = {bay.uuid for bay in self.all_bays()}
        form = "named BAY_PROJECT by Magnum"
        return [
            self._user(shown, project.run, form, project.id)
            for project in projects
            for shown in self._list("users", name__endswith=project.id)
            if (match := _TRUSTEE.fullmatch(shown["name"]))
            and match[2] == project.id
            and match[1] not in bays
        ]

    def keypairs(
        self, users: Iterable[findings.Finding]
    ) -> list[findings.Finding]:
        """Return the keypairs of Rally's users.

        Nova keeps them when Keystone deletes the user.
        """
        return [
            keypair
            for user in users
            for keypair in keypairs(self.cloud, user.id, user.project)
            if keypair.run == user.run
        ]

    def _made_by_rally(self, kind: str) -> list[tuple[dict[str, Any], str]]:
        shown = self._list(kind, name__startswith=findings.RALLY_PREFIX)
        return [
            (each, run)
            for each in shown
            if (run := findings.run_of(each["name"]))
        ]

    def _list(self, kind: str, **query: str) -> list[dict[str, Any]]:
        with reading.readable("Keystone"):
            response = self.cloud.identity.get(f"/{kind}", params=query)
            openstack_errors.raise_from_response(response)
            shown: list[dict[str, Any]] = response.json()[kind]
            return shown

    def _user(
        self, shown: dict[str, Any], run: str, form: str, project: str
    ) -> findings.Finding:
        return findings.Finding(
            findings.USER,
            shown["name"],
            shown["id"],
            run,
            form,
            functools.partial(self._remove_user, shown["id"], project),
            project=project,
        )

    def _remove_user(self, uuid: str, project: str) -> None:
        self._require_empty(project)
        with reading.readable("Keystone"):
            self.cloud.identity.delete_user(uuid)

    def _remove_project(self, uuid: str) -> None:
        self._require_empty(uuid)
        if self.cloud.has_service("network"):
            with reading.readable("Neutron"):
                self._remove_default_security_group(uuid)
        with reading.readable("Keystone"):
            self.cloud.identity.delete_project(uuid)

    def _remove_default_security_group(self, project: str) -> None:
        """Remove what Neutron keeps when Keystone deletes a project."""
        neutron = self.cloud.network
        shown = neutron.security_groups(project_id=project, name="default")
        for group in shown:
            if group.project_id == project:
                neutron.delete_security_group(group)

    def _require_empty(self, project: str) -> None:
        """Raise unless a project has neither bays nor servers.

        Magnum needs the user who created a bay to delete it.  What is in a
        project without users can hardly be found.

        :raises ScaleError: names what the project has
        """
        if not project:
            raise exceptions.InvalidInput(
                "Keystone does not show in which project this user has "
                "worked. Check that its bays are gone, and delete the user "
                "by hand."
            )
        for bay in self.all_bays():
            if getattr(bay, "project_id", None) in (None, project):
                raise exceptions.BayError(
                    f"The project {project} may still have the bay "
                    f"{bay.name} ({bay.uuid})."
                )
        if not self.cloud.has_service("compute"):
            return
        with reading.readable("Nova"):
            for server in self.cloud.compute.servers(
                all_projects=True, project_id=project
            ):
                if server.project_id == project:
                    raise exceptions.MachineError(
                        f"The project {project} still has the server "
                        f"{server.name} ({server.id})."
                    )


def keypairs(
    cloud: Any, user: str | None = None, project: str = ""
) -> list[findings.Finding]:
    """Return the keypairs that Rally's contexts created for a user.

    :param cloud: an openstacksdk connection
    :param user: id of the user; None for the user of the connection
    :param project: id of the user's project
    :raises Unreadable: when Nova refuses
    """
    if not cloud.has_service("compute"):
        return []
    nova = cloud.compute
    given = {"user_id": user} if user else {}
    with reading.readable("Nova"):
        return [
            findings.Finding(
                findings.KEYPAIR,
                name,
                name,
                run,
                findings.RALLY_FORM,
                functools.partial(_remove_keypair, nova, name, user),
                project=project,
                # The list does not show the time.
                created_at=leftovers.time_of(
                    nova.get_keypair(name, user_id=user).created_at
                ),
            )
            for name in [each.name for each in nova.keypairs(**given)]
            if (run := findings.run_of(name))
        ]


def _remove_keypair(nova: Any, name: str, user: str | None) -> None:
    with reading.readable("Nova"):
        nova.delete_keypair(name, user_id=user)
