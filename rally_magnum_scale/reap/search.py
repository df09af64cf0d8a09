"""Search a cloud for what runs left, with the logins of an environment."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale import cloud_commands
from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import leftovers
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import machines
from rally_magnum_scale.bays import reading
from rally_magnum_scale.reap import findings
from rally_magnum_scale.reap import tenants as tenant_list


@dataclasses.dataclass
class SearchResult:
    """What a search found.

    :param problems: a sentence for each thing that no service showed
    """

    objects: list[findings.Finding] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)

    def take(
        self, what: str, read: Callable[[], list[findings.Finding]]
    ) -> list[findings.Finding]:
        """Add what a service shows, or the problem that it shows nothing."""
        try:
            shown = read()
        except reading.Unreadable as error:
            self.problems.append(f"Could not list the {what}: {error}.")
            return []
        known = {(each.kind, each.id) for each in self.objects}
        self.objects += [e for e in shown if (e.kind, e.id) not in known]
        return shown


class Login:
    """What one login can list and remove.

    The methods raise Unreadable when a service refuses.

    :param given: a credential of a Rally environment
    :raises Unreadable: when the login fails
    """

    def __init__(
        self, given: Mapping[str, Any], log: Callable[[str], None]
    ) -> None:
        self._access = cloud_commands.log_in(given)
        self._log = log

    @functools.cached_property
    def cloud(self) -> Any:
        return machines.connect(*self._access)

    @functools.cached_property
    def _leftovers(self) -> leftovers.Leftovers:
        magnum = lifecycle.connect(*self._access)
        return leftovers.Leftovers(magnum, self._log)

    def all_bays(self) -> list[Any]:
        """Return all bays that Magnum shows, whoever created them.

        :raises BayError: when Magnum refuses
        """
        return self._leftovers.all_bays()

    def bays(self) -> list[findings.Finding]:
        """Return the bays that runs created."""
        found = self._leftovers
        with reading.readable("Magnum"):
            return [
                *_of_magnum(findings.BAY, found.bays(), found.remove_bay),
                *_of_magnum(
                    findings.BAY,
                    found.kept_bays(),
                    found.remove_bay,
                    kept=True,
                ),
            ]

    def templates(self) -> list[findings.Finding]:
        """Return the cluster templates that runs created."""
        found = self._leftovers
        with reading.readable("Magnum"):
            return _of_magnum(
                findings.TEMPLATE, found.templates(), found.remove_template
            )

    def keypairs(self) -> list[findings.Finding]:
        """Return the keypairs that runs created for the user of the login."""
        return tenant_list.keypairs(self.cloud)


def search(
    platform: Mapping[str, Any], log: Callable[[str], None]
) -> SearchResult:
    """Search as the administrator, or else as each user of the environment.

    :param platform: what the environment stores of the platform ``openstack``
    :param log: callback for progress lines of later removals
    :raises InvalidInput: when the environment has no login
    :raises Unreadable: when the login of the administrator fails, or all
    """
    found = SearchResult()
    admin = Login(platform["admin"], log) if platform.get("admin") else None
    users = [*_users(platform, log, found)]
    if admin is None and not users:
        raise reading.Unreadable(" ".join(found.problems))
    for login in [admin] if admin else users:
        found.take("bays", login.bays)
        found.take("bay templates", login.templates)
    if admin:
        _search_tenants(admin, found)
    for login in users:
        found.take("keypairs", login.keypairs)
    return found


def _users(
    platform: Mapping[str, Any],
    log: Callable[[str], None],
    found: SearchResult,
) -> Iterator[Login]:
    given = platform.get("users") or ()
    if not given and not platform.get("admin"):
        raise exceptions.InvalidInput(
            "Rally's environment has no OpenStack cloud. Select another one "
            "with --env."
        )
    for each in given:
        try:
            yield Login(each, log)
        except reading.Unreadable as error:
            found.problems.append(
                f"Could not log in as {each['username']}: {error}."
            )


def _search_tenants(admin: Login, found: SearchResult) -> None:
    tenants = tenant_list.Tenants(admin.cloud, admin.all_bays)
    projects = found.take("projects", tenants.projects)
    users = found.take("users", tenants.users)
    found.take("trustees of bays", lambda: tenants.trustees(projects))
    found.take("keypairs of Rally's users", lambda: tenants.keypairs(users))


def _of_magnum(
    kind: str,
    shown: Iterable[leftovers.Leftover],
    remove: Callable[[leftovers.Leftover], None],
    *,
    kept: bool = False,
) -> list[findings.Finding]:
    return [
        findings.Finding(
            kind,
            each.name,
            each.uuid,
            each.owner,
            f"named {'kept' if kept else 'rms'}-RUN-…",
            functools.partial(remove, each),
            project=each.project,
            created_at=leftovers.time_of(each.created_at),
            kept=kept,
        )
        for each in shown
    ]
