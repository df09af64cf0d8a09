"""From Rally's credentials to a Magnum client of ours."""

from __future__ import annotations

from typing import Any

from rally_magnum_scale.bays import lifecycle


def magnum_of(clients: Any) -> Any:
    """Open Magnum as the user of Rally's clients.

    :param clients: rally-openstack's ``osclients.Clients``
    """
    session, _plugin = clients.keystone.get_session()
    return lifecycle.connect(
        session,
        clients.credential.region_name,
        clients.credential.endpoint_type,
    )
