"""Open the projects of a task, with the credentials that Rally would use."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally import exceptions as rally_exceptions
from rally.cli import envutils
from rally.env import env_mgr
from rally_openstack.common import credential

from rally_magnum_scale import exceptions
from rally_magnum_scale.preflight import have
from rally_magnum_scale.task import clients


class Projects:
    """The projects of a Rally environment.

    :param platform: what Rally stores of the platform ``openstack``
    """

    def __init__(self, platform: Mapping[str, Any]) -> None:
        self._admin = platform.get("admin")
        users = platform.get("users") or ()
        # The users of a project share its quotas.
        self._users = {
            (each.get("project_domain_name"), each["tenant_name"]): each
            for each in reversed(users)
        }

    @property
    def existing(self) -> int:
        """Number of projects with existing users."""
        return len(self._users)

    def open(self, new: bool) -> Sequence[have.Project]:
        """Open the projects of a workload.

        :param new: whether Rally creates them
        :raises InvalidInput: when Rally can't create projects
        :raises Unreadable: when a login fails
        """
        return self._new() if new else self._existing

    @functools.cache  # noqa: B019 - lives as long as the program
    def _new(self) -> Sequence[have.Project]:
        if self._admin is None:
            raise exceptions.InvalidInput(
                "Rally would create projects for this task, but its "
                "environment has no administrator. Add 'admin' to the spec "
                "of the environment, or list existing 'users' in it."
            )
        return [_open(self._admin, new=True)]

    @functools.cached_property
    def _existing(self) -> Sequence[have.Project]:
        return [_open(each, new=False) for each in self._users.values()]


def of_environment(wanted: str | None) -> Projects:
    """Return the projects of a Rally environment.

    :param wanted: its name or uuid; None for the one that Rally uses
    :raises InvalidInput: when there is no such environment
    """
    wanted = wanted or envutils.get_global(envutils.ENV_ENV)
    if not wanted:
        raise exceptions.InvalidInput(
            "Rally uses no environment. Create one with `rally env create "
            "--from-sysenv`, or select one with --env."
        )
    try:
        platforms = env_mgr.EnvManager.get(wanted).data["platforms"]
    except rally_exceptions.RallyException as error:
        raise exceptions.InvalidInput(
            f"Rally has no environment {wanted!r}: {error}"
        ) from error
    openstack = platforms.get("openstack") or {}
    return Projects(openstack.get("platform_data") or {})


def _open(given: Mapping[str, Any], *, new: bool) -> have.Project:
    own = credential.OpenStackCredential(**copy.deepcopy(dict(given)))
    with have.readable("Keystone"):
        access = clients.session_of(own.clients())
    project = have.Project(*access, new=new)
    project.log_in()
    return project
