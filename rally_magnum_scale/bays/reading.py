"""Read what OpenStack services show, and explain why they show nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from keystoneauth1 import exceptions as keystone_errors
from openstack import exceptions as openstack_errors

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import magnum_errors

_ERRORS = (
    *magnum_errors.CLIENT_ERRORS,
    openstack_errors.SDKException,
)


class Unreadable(exceptions.ScaleError):
    """The cloud does not show something; the message says why."""


@contextlib.contextmanager
def readable(service: str) -> Iterator[None]:
    """Turn the errors of a service, and odd answers, into one sentence."""
    try:
        yield
    except (
        keystone_errors.EndpointNotFound,
        openstack_errors.ServiceDisabledException,
    ):
        raise Unreadable(
            f"Keystone's catalog has no endpoint of {service}"
        ) from None
    except exceptions.BayError as error:
        raise Unreadable(str(error).rstrip(".")) from error
    except _ERRORS as error:
        reason = magnum_errors.message_of(error)
        raise Unreadable(f"{service} answered: {reason}") from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise Unreadable(
            f"{service} returned an unexpected response"
        ) from error
