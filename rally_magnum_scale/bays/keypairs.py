"""Check that a user has a Nova keypair."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from keystoneauth1 import adapter
from keystoneauth1 import exceptions as keystone_errors

from rally_magnum_scale import exceptions


def require(
    session: Any, region: str | None, interface: str | None, name: str
) -> None:
    """Raise unless the session's user has a keypair of this name.

    Magnum checks the keypair of a template only when it creates a bay.

    :param session: an authenticated keystoneauth1 session
    :param region: name of the region, or None for the only one
    :param interface: ``public``, ``internal`` or ``admin``
    :raises BayError: when Nova has no such keypair
    """
    nova = adapter.Adapter(
        session,
        service_type="compute",
        region_name=region,
        interface=interface or "public",
    )
    try:
        answer = nova.get(f"/os-keypairs/{name}", raise_exc=False)
    except keystone_errors.ClientException:
        # Nova is missing or unavailable: leave the check to Magnum.
        return
    if answer.status_code == HTTPStatus.NOT_FOUND:
        raise exceptions.BayError(
            f"The user has no keypair {name!r}; set keypair to a name from "
            "'openstack keypair list', or remove it."
        )
