"""From Rally's credentials to clients of ours."""

from __future__ import annotations

from typing import Any

from rally_magnum_scale.bays import lifecycle


def session_of(clients: Any) -> tuple[Any, str | None, str | None]:
    """Return session, region and interface of Rally's clients.

    :param clients: rally-openstack's ``osclients.Clients``
    """
    session, _plugin = clients.keystone.get_session()
    credential = clients.credential
    return session, credential.region_name, credential.endpoint_type


def magnum_of(clients: Any) -> Any:
    """Open Magnum as the user of Rally's clients.

    :param clients: rally-openstack's ``osclients.Clients``
    """
    return lifecycle.connect(*session_of(clients))
