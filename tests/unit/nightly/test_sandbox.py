"""Bring the sandbox up for a night, and down after it."""

import os
import time

import pytest

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.nightly import clouds
from rally_magnum_scale.nightly import deadline
from rally_magnum_scale.nightly import sandbox as nightly_sandbox
from rally_magnum_scale.nightly import settings
from tests.unit.nightly import test_rally_tasks
from tests.unit.nightly.test_cloud_descriptions import VARIABLES

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
    monkeypatch.setattr(nightly_sandbox, "_ENV_DEADLINE_S", 0.2)
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
