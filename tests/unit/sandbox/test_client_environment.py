"""The environment variables that `run` sets."""

import json

import pytest
from rally.env import env_mgr

from rally_magnum_sandbox import client_environment
from rally_magnum_sandbox import secrets_file
from rally_magnum_sandbox import settings
from tests.unit.task import conftest


@pytest.fixture
def sandbox(tmp_path):
    found = settings.Settings(tmp_path / "state", tmp_path / "cache")
    found.state_dir.mkdir()
    return found


SECRETS = secrets_file.Secrets("admin's own", "m", "t", "p")


def variables(sandbox, **environ):
    return client_environment.variables(sandbox, SECRETS, environ)


def test_the_callers_own_cloud_is_left_out(sandbox):
    found = variables(sandbox, OS_TOKEN="secret", OS_USERNAME="me", TERM="x")
    assert "OS_TOKEN" not in found
    assert found["OS_USERNAME"] == "admin"
    assert found["TERM"] == "x"


def test_rally_finds_its_database_and_environment(sandbox):
    found = variables(sandbox)
    assert found["RALLY_ENV"] == "sandbox"
    assert found["OS_DATABASE__CONNECTION"].endswith("/state/rally/rally.db")
    assert found["HOME"] == str(sandbox.home_dir)


@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_proxy_is_extended(sandbox, name):
    found = variables(sandbox, **{name: "example.org"})
    wanted = "example.org,127.0.0.1,localhost,198.18.0.0/16"
    assert found["NO_PROXY"] == found["no_proxy"] == wanted


def test_only_the_owner_can_read_the_files(sandbox):
    client_environment.write_files(sandbox, SECRETS)
    for name in ("openrc", "clouds.yaml"):
        assert (sandbox.state_dir / name).stat().st_mode & 0o777 == 0o600
    openrc = (sandbox.state_dir / "openrc").read_text()
    assert """export OS_PASSWORD='admin'"'"'s own'\n""" in openrc
    clouds = json.loads((sandbox.state_dir / "clouds.yaml").read_text())
    auth = clouds["clouds"]["sandbox"]["auth"]
    assert auth["auth_url"] == sandbox.keystone_url


def test_passwords_are_created_once(sandbox):
    first = secrets_file.ensure(sandbox.state_dir)
    assert secrets_file.ensure(sandbox.state_dir) == first
    assert len({first.admin, first.magnum, first.trustee}) == 3


def test_an_incomplete_rally_environment_is_created_again(sandbox):
    sandbox.logs_dir.mkdir(parents=True, exist_ok=True)
    rally = sandbox.state_dir / "rally"
    rally.mkdir()
    # As of a run that was killed when the environment had been created.
    with conftest.database_in(rally, "rally.db"):
        env_mgr.EnvManager.create("sandbox", {})
    for _ in range(2):
        client_environment.ensure_rally(sandbox, SECRETS)
        assert (rally / "complete").exists()
