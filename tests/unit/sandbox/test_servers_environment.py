"""What the sandbox installs for each version of Magnum."""

import importlib.resources
import re

import pytest

from rally_magnum_sandbox import servers_environment
from rally_magnum_sandbox import settings

SERVERS = importlib.resources.files("rally_magnum_sandbox.servers")


@pytest.mark.parametrize("magnum", settings.MAGNUM_VERSIONS)
def test_every_package_has_an_exact_version(magnum):
    pinned = SERVERS.joinpath(f"constraints-{magnum}.txt").read_text()
    for package in servers_environment.packages(magnum):
        assert re.search(rf"(?mi)^{package}==\S+$", pinned)
    version = servers_environment.full_version(magnum)
    assert version.split(".")[0] == magnum


def test_only_magnum_23_has_a_driver_for_cluster_api():
    installed = {
        magnum: "magnum-capi-helm" in servers_environment.packages(magnum)
        for magnum in settings.MAGNUM_VERSIONS
    }
    assert installed == {"22": False, "23": True}
