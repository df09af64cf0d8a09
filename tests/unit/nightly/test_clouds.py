"""From a cloud to the environment in which Rally accesses it."""

import json
import time

import hypothesis
import pytest
from hypothesis import strategies as st

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions
from rally_magnum_scale.nightly import clouds
from rally_magnum_scale.nightly import deadline
from rally_magnum_scale.nightly import processes
from rally_magnum_scale.nightly import settings
from tests.unit.nightly import test_rally_tasks


@pytest.fixture
def reached(tmp_path, monkeypatch):
    """Reach a cloud of an openrc file by a program that stands for Rally."""
    monkeypatch.setattr(commands, "RALLY", str(test_rally_tasks.PROGRAM))
    openrc = tmp_path / "openrc"
    openrc.write_text(
        "export OS_AUTH_URL=https://cloud:5000/v3 OS_USERNAME=admin "
        "OS_PROJECT_NAME=admins OS_PASSWORD='se\"cret'\n"
        "export OSPROFILER_HMAC_KEY=secret2 OSPROFILER_CONN_STR=redis://:cret"
    )
    nights = tmp_path / "nights"

    def reach(clouds_yaml="", region="", **changes):
        if clouds_yaml:
            wanted = settings.Settings(
                nights, (), clouds_yaml=clouds_yaml, region=region
            )
        else:
            wanted = settings.Settings(nights, (), openrc=openrc)
        until = deadline.Deadline(**{"limit_s": 300.0, **changes})
        with clouds.opened(wanted, lambda line: None, until) as environment:
            return environment

    return reach


def in_home(tmp_path):
    home = tmp_path / "nights" / clouds.HOME
    return {path.name for path in home.iterdir() if path.suffix != ".complete"}


def test_rallys_environment_is_made_once(reached, tmp_path):
    first = reached()
    assert first["RALLY_ENV"].startswith("nightly-")
    assert reached()["RALLY_ENV"] == first["RALLY_ENV"]
    assert first[processes.NIGHT_VARIABLE] == str(tmp_path / "nights")
    assert in_home(tmp_path) == {"rally.log", "rally.sqlite"}


def test_rallys_environment_is_of_the_chosen_region(
    reached, tmp_path, monkeypatch
):
    auth = dict.fromkeys(("auth_url", "username", "password"), "x")
    mine = {"auth": auth | {"project_name": "x"}, "regions": ["A", "B"]}
    path = tmp_path / "clouds.yaml"
    path.write_text(json.dumps({"clouds": {"mine": mine}}))
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    monkeypatch.delenv("OS_CLOUD_NAME", raising=False)
    with pytest.raises(exceptions.InvalidInput, match="cloud.region"):
        reached("mine")
    names = {reached("mine", one)["RALLY_ENV"][:16] for one in "ABA"}
    assert len(names) == 2


def test_a_failed_creation_of_an_environment_is_repeated_by_a_new_name(
    reached, tmp_path, monkeypatch
):
    monkeypatch.setenv("STAND_IN_CREATE", "break")
    with pytest.raises(exceptions.CommandFailed, match="rally env create"):
        reached()
    monkeypatch.setenv("STAND_IN_CREATE", "end")
    name = reached()["RALLY_ENV"]
    names = tmp_path / "nights" / clouds.HOME / "rally.sqlite"
    broken, whole = names.read_text().split()
    assert (broken[:16], whole) == (name[:16], name)


def test_no_password_remains_in_a_file_or_message(
    reached, tmp_path, monkeypatch
):
    monkeypatch.setenv("STAND_IN_CREATE", "break")
    with pytest.raises(exceptions.CommandFailed) as caught:
        reached()
    log = tmp_path / "nights" / clouds.HOME / "rally.log"
    for text in (str(caught.value), log.read_text()):
        assert '"password": "***"' in text
        assert "cret" not in text
    assert in_home(tmp_path) == {"rally.log", "rally.sqlite"}


@pytest.mark.usefixtures("no_umask")
def test_files_with_passwords_are_for_this_user_alone(
    reached, tmp_path, monkeypatch
):
    home = tmp_path / "nights" / clouds.HOME
    home.mkdir(parents=True)
    seen = {}

    def run_rally(arguments, *rest, **more):
        seen.update({one.name: one.stat().st_mode for one in home.iterdir()})
        run(arguments, *rest, **more)

    run = commands.run_rally
    monkeypatch.setattr(commands, "run_rally", run_rally)
    reached()
    modes = [seen[name] & 0o777 for name in clouds.SECRETS]
    assert modes == [0o600, 0o600]
    assert home.stat().st_mode & 0o777 == 0o700


@hypothesis.given(st.text(min_size=1))
def test_a_password_is_masked_however_it_is_written(password):
    spec = {"existing@openstack": {"admin": {"password": password}}}
    for written in (password, json.dumps(password), repr(password)):
        # Nothing is left but quotes, of which some are escaped.
        assert set(clouds._masked(written, spec)) <= set("*\\\"'")


def test_passwords_of_a_killed_night_are_removed_first(reached, tmp_path):
    home = tmp_path / "nights" / clouds.HOME
    home.mkdir(parents=True)
    for name in ("spec.json", "spec.log"):
        (home / name).touch()
    with pytest.raises(exceptions.DeadlineExceeded):
        reached(began_s=time.monotonic() - 300)
    assert in_home(tmp_path) == set()


def test_the_set_up_of_rally_ends_at_the_deadline_of_the_night(
    reached, tmp_path, monkeypatch
):
    monkeypatch.setenv("STAND_IN_CREATE", "hang")
    with pytest.raises(
        exceptions.DeadlineExceeded,
        match="^Gave up waiting for Rally's (environment|database), because "
        "the night's deadline passed after 2 s.$",
    ):
        reached(limit_s=2.0)
    assert in_home(tmp_path) <= {"rally.log", "rally.sqlite"}


def test_a_step_that_takes_too_long_by_itself_is_named():
    until = deadline.Deadline(300.0)
    with (
        pytest.raises(
            exceptions.DeadlineExceeded,
            match="^Gave up waiting for a thing after 5 s.$",
        ),
        until.step("a thing", 5.0) as limit_s,
    ):
        raise exceptions.DeadlineExceeded("run it", limit_s)
