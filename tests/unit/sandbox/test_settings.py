"""Where the sandbox keeps what."""

import pathlib

import pytest

from rally_magnum_scale import exceptions
from rally_magnum_scale.sandbox import settings


def test_defaults():
    found = settings.from_environment({})
    assert found.state_dir == pathlib.Path("/var/lib/rally-magnum-sandbox")
    assert found.cache_dir == pathlib.Path("/var/cache/rally-magnum-sandbox")
    assert found.keystone_url == "http://127.0.0.1:15000/v3"


def test_the_four_ports_differ():
    found = settings.from_environment({settings.PORT_VARIABLE: "20000"})
    assert [
        found.keystone_port,
        found.magnum_port,
        found.stub_port,
        found.postgres_port,
    ] == [20000, 20001, 20002, 20003]


@pytest.mark.parametrize("text", ["", "x", "80", "70000", "-1"])
def test_a_port_that_is_none_is_refused_with_its_name(text):
    with pytest.raises(exceptions.InvalidInput, match="SANDBOX_PORT"):
        settings.from_environment({settings.PORT_VARIABLE: text})
