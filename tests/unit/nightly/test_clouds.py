"""From a cloud's name to what Rally's environment is made from."""

import os
import time

import pytest

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.nightly import clouds
from rally_magnum_scale.nightly import deadline
from rally_magnum_scale.nightly import processes
from rally_magnum_scale.nightly import settings
from tests.unit.nightly import test_rally_tasks

ADMIN = {
    "username": "admin",
    "password": "se'cret $HOME",
    "project_name": "admins",
    "user_domain_name": "Default",
    "project_domain_name": "Default",
}
VARIABLES = {
    "OS_AUTH_URL": "https://cloud:5000/v3",
    "OS_USERNAME": "admin",
    "OS_PASSWORD": "se'cret $HOME",
    "OS_PROJECT_NAME": "admins",
}


def cloud_of(spec):
    return spec["existing@openstack"]


def test_an_openrc_file_is_read_as_a_shell_does(tmp_path):
    path = tmp_path / "openrc"
    path.write_text(
        "export OS_AUTH_URL=https://cloud:5000/v3 OTHER=1\n"
        "export OS_USERNAME=admin OS_PROJECT_NAME=admins\n"
        "echo noise\n"
        "export OS_PASSWORD='se'\\''cret $HOME'\n"
    )
    assert clouds.read_openrc(path) == VARIABLES


@pytest.mark.parametrize(
    "text",
    ["read -r OS_PASSWORD", "exit 1", "OS_X=$NOT_SET", 'fi"'],
)
def test_an_openrc_file_that_prompts_or_fails_is_refused(tmp_path, text):
    path = tmp_path / "openrc"
    path.write_text(text)
    with pytest.raises(exceptions.InvalidInput, match="can't be sourced by"):
        clouds.read_openrc(path)


def test_an_openrc_file_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "openrc"
    path.write_bytes("export OTHER=ä OS_PASSWORD=ä".encode("latin-1"))
    with pytest.raises(
        exceptions.InvalidInput, match="OS_PASSWORD in .* is not UTF-8 text"
    ):
        clouds.read_openrc(path)


def test_variables_make_rallys_administrator():
    more = {"OS_REGION_NAME": "R", "OS_CACERT": "/ca", "OS_INTERFACE": "admin"}
    found = cloud_of(clouds.of_variables(VARIABLES | more))
    assert found == {
        "auth_url": "https://cloud:5000/v3",
        "admin": ADMIN,
        "endpoint_type": "admin",
        "region_name": "R",
        "https_cacert": "/ca",
    }


def test_a_missing_variable_is_named():
    few = VARIABLES | {"OS_PASSWORD": "", "OS_USERNAME": ""}
    with pytest.raises(
        exceptions.InvalidInput, match="OS_USERNAME, OS_PASSWORD is not set"
    ):
        clouds.of_variables(few)


@pytest.fixture
def clouds_yaml(tmp_path, monkeypatch):
    path = tmp_path / "clouds.yaml"
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    for name in ("OS_CLOUD", "OS_AUTH_URL"):
        monkeypatch.delenv(name, raising=False)

    def write(**auth):
        lines = "".join(f"      {k}: {v}\n" for k, v in auth.items())
        path.write_text(
            f"clouds:\n  mine:\n    auth:\n{lines}    region_name: R\n"
        )

    return write


def test_a_cloud_of_clouds_yaml_makes_rallys_administrator(clouds_yaml):
    clouds_yaml(
        auth_url="https://cloud:5000/v3",
        username="admin",
        password="'se''cret $HOME'",
        project_name="admins",
        project_domain_name="Other",
    )
    found = cloud_of(clouds.of_clouds_yaml("mine"))
    assert found["admin"] == ADMIN | {"project_domain_name": "Other"}
    assert found["region_name"] == "R"


def test_a_missing_or_incomplete_cloud_is_refused(clouds_yaml):
    clouds_yaml(auth_url="https://cloud:5000/v3", username="admin")
    with pytest.raises(exceptions.InvalidInput, match="clouds_yaml: Cloud ot"):
        clouds.of_clouds_yaml("others")
    with pytest.raises(
        exceptions.InvalidInput, match="mine has no password, project_name."
    ):
        clouds.of_clouds_yaml("mine")


@pytest.fixture
def reached(tmp_path, monkeypatch):
    """Reach a cloud of an openrc file by a program that stands for Rally."""
    monkeypatch.setattr(commands, "RALLY", str(test_rally_tasks.PROGRAM))
    openrc = tmp_path / "openrc"
    openrc.write_text(
        "export OS_AUTH_URL=https://cloud:5000/v3 OS_USERNAME=admin "
        "OS_PROJECT_NAME=admins OS_PASSWORD='se\"cret'"
    )
    wanted = settings.Settings(tmp_path / "nights", (), openrc=openrc)

    def reach(**changes):
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


# Stands for the program of the sandbox: it notes its command, and for
# which night.
SANDBOX = """\
#!/bin/sh
test "$1" != run || exec test -e "$STAND_IN_READY"
echo "$1 $RALLY_MAGNUM_SCALE_NIGHT" >>"$STAND_IN_CALLED"
test "$1" = down || {up}
"""


@pytest.fixture
def sandbox(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setattr(commands, "PROGRAMS", programs)
    monkeypatch.setenv("STAND_IN_READY", str(tmp_path / "ready"))
    monkeypatch.setenv("STAND_IN_CALLED", str(tmp_path / "called"))

    def come_up(up, **changes):
        with opened_sandbox(tmp_path, SANDBOX.format(up=up), **changes):
            pytest.fail("it is not up")

    return come_up


def opened_sandbox(tmp_path, script, **changes):
    program = commands.PROGRAMS / "rally-magnum-sandbox"
    program.write_text(script)
    program.chmod(0o755)
    wanted = settings.Settings(tmp_path / "nights", (), sandbox=True)
    until = deadline.Deadline(**{"limit_s": 300.0, **changes})
    return clouds.opened(wanted, lambda line: None, until)


def called(tmp_path):
    path = tmp_path / "called"
    return path.read_text().splitlines() if path.exists() else []


def test_a_sandbox_that_half_came_up_goes_down(sandbox, tmp_path):
    with pytest.raises(
        exceptions.CommandFailed, match="Could not take the sandbox"
    ):
        sandbox("exit 1")
    # Both are found by the next night, if this one is killed.
    nights = tmp_path / "nights"
    assert called(tmp_path) == [f"up {nights}", f"down {nights}"]
    assert not (nights / clouds.HOME / "sandbox-is-ours").exists()


def test_a_sandbox_of_a_killed_night_comes_up_again(sandbox, tmp_path):
    ready = tmp_path / "ready"
    home = tmp_path / "nights" / clouds.HOME
    for path in (ready, home / "sandbox-is-ours"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with pytest.raises(
        exceptions.CommandFailed, match="Could not take the sandbox"
    ):
        sandbox("exit 1")
    assert called(tmp_path)[0].startswith("up ")


def test_a_sandbox_that_comes_up_too_late_goes_down(sandbox, tmp_path):
    with pytest.raises(
        exceptions.DeadlineExceeded,
        match="for the sandbox to come up, because the night's deadline "
        "passed after 2 s",
    ):
        sandbox("exec sleep 60", limit_s=2.0)
    assert called(tmp_path)[-1].startswith("down ")


def test_a_sandbox_goes_down_when_the_night_is_interrupted(sandbox, tmp_path):
    handlers = interruption.install()
    try:
        interruption._note(2, None)
        with pytest.raises(exceptions.Interrupted):
            sandbox("exec sleep 60")
    finally:
        interruption.restore(interruption.install())
        interruption.restore(handlers)
    assert called(tmp_path)[-1].startswith("down ")


@pytest.mark.usefixtures("sandbox")
def test_the_environment_of_a_sandbox_that_is_up_is_read_once(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(commands, "RALLY", str(test_rally_tasks.PROGRAM))
    variables = "".join(f'{k}="{v}" ' for k, v in VARIABLES.items())
    script = f'#!/bin/sh\necho "$1" >>"$STAND_IN_CALLED"\n{variables}'
    script += f"PATH={os.environ['PATH']} HOME={tmp_path} env -0\n"
    script = script.replace(" $HOME", "")
    with opened_sandbox(tmp_path, script) as environment:
        assert environment["OS_AUTH_URL"] == VARIABLES["OS_AUTH_URL"]
    assert called(tmp_path) == ["run"]


@pytest.mark.usefixtures("sandbox")
def test_a_sandbox_that_does_not_answer_is_not_taken_for_ours(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(clouds, "_ENV_DEADLINE_S", 0.2)
    script = '#!/bin/sh\necho "$1" >>"$STAND_IN_CALLED"\nexec sleep 60\n'
    with (
        pytest.raises(
            exceptions.CommandFailed,
            match=r"env -0` did not end within 0 s\.",
        ),
        opened_sandbox(tmp_path, script),
    ):
        pytest.fail("it does not answer")
    assert set(called(tmp_path)) <= {"run"}


def test_no_sandbox_comes_up_for_a_night_that_is_over(sandbox, tmp_path):
    with pytest.raises(exceptions.DeadlineExceeded):
        sandbox("exit 0", began_s=time.monotonic() - 300)
    assert called(tmp_path) == []
