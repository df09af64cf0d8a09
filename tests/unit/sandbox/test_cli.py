"""The command line of the sandbox."""

import os
import subprocess
import sys

import pytest

from rally_magnum_sandbox import cli
from rally_magnum_sandbox import settings


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv(settings.STATE_VARIABLE, str(tmp_path / "state"))
    monkeypatch.setenv(settings.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.setenv("no_proxy", "example.org")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_run_without_a_sandbox_says_what_to_do(elsewhere, capsys):
    assert cli.main(["run", "--", "true"]) == 1
    assert "rally-magnum-sandbox up" in capsys.readouterr().err


def test_status_without_a_sandbox(elsewhere, capsys):
    assert cli.main(["status"]) == 0
    assert "there is no sandbox" in capsys.readouterr().out


def test_the_demo_needs_its_files(elsewhere, capsys):
    assert cli.main(["demo"]) == 1
    assert "samples/tasks/2m-rps.json" in capsys.readouterr().err


def test_a_bad_port_names_the_variable(elsewhere, monkeypatch, capsys):
    monkeypatch.setenv(settings.PORT_VARIABLE, "http")
    assert cli.main(["status"]) == 1
    assert settings.PORT_VARIABLE in capsys.readouterr().err


@pytest.mark.parametrize("command", ["up", "prepare", "demo"])
def test_an_unknown_version_of_magnum_is_refused(elsewhere, capsys, command):
    with pytest.raises(SystemExit) as caught:
        cli.main([command, "--magnum", "21"])
    assert caught.value.code == 2
    assert "'22', '23'" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["up", "prepare"])
def test_magnum_22_has_no_driver_for_cluster_api(
    elsewhere, monkeypatch, capsys, command
):
    # The check of the input comes first, and needs no root.
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    options = ["--magnum", "22", "--driver", "capi-helm"]
    assert cli.main([command, *options]) == 1
    assert "--driver capi-helm: Magnum 22" in capsys.readouterr().err
    assert not (elsewhere / "state").exists()


def test_an_unknown_driver_is_refused(elsewhere, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["up", "--driver", "heat"])
    assert caught.value.code == 2
    assert "capi-helm" in capsys.readouterr().err


def test_up_without_root_is_refused(elsewhere):
    # Import first: the other user may not read the interpreter's files.
    script = (
        "import os, sys; from rally_magnum_sandbox import cli, up; "
        "os.geteuid() == 0 and os.setuid(65534); sys.exit(cli.main(['up']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == cli.EXIT_MISSING
    assert "root" in done.stderr
    assert not (elsewhere / "state").exists()


def test_a_closed_pipe_is_not_an_error(elsewhere):
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-m", "rally_magnum_sandbox.cli", "status"],
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_of_the_sandbox_imports_nothing_heavy():
    script = (
        "import sys; import rally_magnum_sandbox, "
        "rally_magnum_sandbox.servers.bay_folder; "
        "print([m for m in ('rally', 'kubernetes', 'keystoneauth1', 'jinja2')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"
