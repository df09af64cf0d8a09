"""Programs that are run to their end."""

import sys

import pytest

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting


def test_the_error_has_the_last_line_of_the_program(tmp_path):
    script = "print('one'); print('no space left'); raise SystemExit(4)"
    with pytest.raises(exceptions.CommandFailed) as caught:
        commands.run(
            [sys.executable, "-c", script],
            what="make a thing",
            log_file=tmp_path / "log",
            deadline_s=30,
        )
    assert "Could not make a thing" in str(caught.value)
    assert "code 4; its last line is: no space left" in str(caught.value)


def test_a_missing_program_is_named(tmp_path):
    with pytest.raises(
        exceptions.CommandFailed, match="Could not bake: no-such-oven does"
    ):
        commands.run(
            ["no-such-oven"],
            what="bake",
            log_file=tmp_path / "log",
            deadline_s=30,
        )


def test_a_program_runs_in_its_folder_and_reports_progress(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(waiting, "REPORT_EVERY_S", 0.0)
    lines = []
    commands.run(
        ["sh", "-c", "touch here; until test -e seen; do sleep 0.01; done"],
        what="bake",
        log_file=tmp_path / "log",
        deadline_s=30,
        cwd=tmp_path,
        progress=lambda: "2 of 3",
        log=lambda line: (lines.append(line), (tmp_path / "seen").touch()),
    )
    assert (tmp_path / "here").exists()
    assert lines[0].startswith("waiting for the command to bake: 2 of 3, ")


def test_a_program_that_hangs_is_ended_with_its_children(tmp_path):
    script = (
        "import subprocess, sys, time; "
        "subprocess.Popen([sys.executable, '-c', "
        "'import time; time.sleep(60)']); time.sleep(60)"
    )
    with pytest.raises(exceptions.DeadlineExceeded):
        commands.run(
            [sys.executable, "-c", script],
            what="hang",
            log_file=tmp_path / "log",
            deadline_s=0.5,
        )


def test_progress_lines_tell_the_time(capsys):
    seconds = iter([10.0, 12.34])
    commands.Progress(clock=lambda: next(seconds))("halfway")
    assert capsys.readouterr().out == "    2.3 s  halfway\n"


def test_the_last_line_that_is_not_empty(tmp_path):
    log = tmp_path / "log"
    log.write_text("first\nsecond  \n\n")
    assert commands.last_line(log) == "second"
