"""Open OpenStack clients from Rally's credentials."""

from __future__ import annotations

import copy
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from rally_openstack.common import credential

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.bays import machines


def address(given: Mapping[str, Any]) -> str:
    """Identify a cloud by Keystone's address and the name of the region.

    :param given: a credential from one of Rally's contexts
    """
    region = given.get("region_name") or "default region"
    url = exceptions.masked(given["auth_url"].rstrip("/"))
    return f"{url} ({region})"


def log_in(given: Mapping[str, Any]) -> Any:
    """Open Rally's clients with a credential of an environment.

    :param given: the credential, which stays as it is
    :returns: rally-openstack's ``osclients.Clients``
    """
    # Rally's credential takes parts out of nested values.
    own = copy.deepcopy(dict(given))
    return credential.OpenStackCredential(**own).clients()


def session_of(clients: Any) -> tuple[Any, str | None, str | None]:
    """Return the session, region and interface of Rally's clients."""
    session, _plugin = clients.keystone.get_session()
    own = clients.credential
    return session, own.region_name, own.endpoint_type


def magnum_of(clients: Any) -> Any:
    """Open Magnum as the user of Rally's clients."""
    return lifecycle.connect(*session_of(clients))


def machines_of(
    clients: Any,
    log: Callable[[str], None],
    ledger: machines.Ledger | None = None,
) -> machines.Machines:
    """Open Nova and Neutron as the user of Rally's clients.

    :param clients: rally-openstack's ``osclients.Clients``
    :param ledger: records the servers that need a repair
    """
    opened = machines.connect(*session_of(clients))
    return machines.Machines(opened, log, ledger)
