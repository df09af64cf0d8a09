"""Open the projects of a task, with the credentials that Rally would use."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale import cloud_commands
from rally_magnum_scale import exceptions
from rally_magnum_scale.preflight import have


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


def _open(given: Mapping[str, Any], *, new: bool) -> have.Project:
    return have.Project(*cloud_commands.log_in(given), new=new)
