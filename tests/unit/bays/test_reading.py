"""Why a service shows nothing, in one sentence."""

import pytest
from keystoneauth1 import exceptions as keystone_errors
from magnumclient import exceptions as magnum_errors
from openstack import exceptions as openstack_errors

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import reading


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (keystone_errors.EndpointNotFound(), "has no endpoint of Nova"),
        (
            openstack_errors.ServiceDisabledException(),
            "has no endpoint of Nova",
        ),
        (exceptions.BayError("Magnum refused."), "^Magnum refused$"),
        (magnum_errors.Forbidden("not you"), "Nova answered: not you"),
        (openstack_errors.SDKException("later"), "Nova answered: later"),
        (KeyError("quota"), "Nova returned an unexpected response"),
    ],
)
def test_an_error_becomes_one_sentence(error, words):
    with (
        pytest.raises(reading.Unreadable, match=words),
        reading.readable("Nova"),
    ):
        raise error


def test_an_interruption_is_no_answer_of_a_service():
    with (
        pytest.raises(exceptions.Interrupted),
        reading.readable("Nova"),
    ):
        raise exceptions.Interrupted
