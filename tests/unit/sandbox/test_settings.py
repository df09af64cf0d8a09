"""The sandbox's settings."""

import pathlib

import pytest

from rally_magnum_sandbox import settings
from rally_magnum_scale import exceptions


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
def test_an_invalid_port_is_refused(text):
    with pytest.raises(exceptions.InvalidInput, match="SANDBOX_PORT"):
        settings.from_environment({settings.PORT_VARIABLE: text})


def test_sandboxes_with_different_numbers_share_only_the_cache():
    first, second = (
        settings.from_environment({settings.NUMBER_VARIABLE: number})
        for number in "01"
    )
    assert first == settings.from_environment({})
    assert str(second.state_dir) == "/var/lib/rally-magnum-sandbox-1"
    assert second.cache_dir == first.cache_dir
    assert second.keystone_port > first.postgres_port
    assert second.cgroup == "rally-magnum-sandbox-1"
    assert not set(first.bay_indexes) & set(second.bay_indexes)


def test_the_variables_give_the_same_settings():
    found = settings.from_environment({settings.NUMBER_VARIABLE: "2"})
    assert settings.from_environment(settings.variables(found)) == found


@pytest.mark.parametrize("text", ["", "x", "4", "-1"])
def test_an_invalid_number_is_refused(text):
    with pytest.raises(exceptions.InvalidInput, match="SANDBOX_NUMBER"):
        settings.from_environment({settings.NUMBER_VARIABLE: text})
