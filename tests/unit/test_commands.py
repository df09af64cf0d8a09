"""Programs that are run to their end."""

import sys

import pytest

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions


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
