"""Run one task of a night: start it, watch it, end it and export it."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import subprocess
import time
from collections.abc import Callable
from collections.abc import Mapping

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting
from rally_magnum_scale.nightly import processes
from rally_magnum_scale.nightly import settings as nightly_settings

# Rally logs this line right before it validates and runs a task.
_USED = "Using task: "
_LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_UUID = re.compile(r"\bTask\b.*?([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})")


@dataclasses.dataclass(frozen=True)
class Ended:
    """A task that has ended.

    :param uuid: Rally's uuid of the task; empty if it has none
    :param status: exit status of ``rally task start``; if negative, the
        signal that ended it
    :param cut_short: why the task was interrupted; empty if it was not
    :param output: its output without log lines; for a refused task, the
        reason
    """

    uuid: str
    took_s: float
    status: int
    cut_short: str = ""
    last_line: str = ""
    output: str = ""


def run(
    task: nightly_settings.TaskSettings,
    environment: Mapping[str, str],
    log_file: pathlib.Path,
    *,
    limit_s: float,
    grace_s: float,
    log: Callable[[str], None],
) -> Ended:
    """Run a task to its end, or interrupt it.

    :param environment: environment variables with which Rally accesses the
        cloud
    :param limit_s: seconds after which the task is interrupted
    """
    command = [commands.RALLY, "task", "start", str(task.task)]
    command += ["--tag", "nightly"]
    if task.arguments:
        command += ["--task-args-file", str(task.arguments)]
    began_s = time.monotonic()
    with log_file.open("wb") as stream:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            # In its own session, so that it gets Ctrl-C only through us,
            # once.
            start_new_session=True,
        )
    cut_short = ""
    try:
        waiting.wait_for(
            child.poll,
            what=f"the task {task.name}",
            deadline_s=limit_s,
            interval_s=0.2,
            progress=lambda: commands.last_line(log_file),
            log=log,
        )
    except exceptions.DeadlineExceeded:
        cut_short = f"it was interrupted at its deadline of {limit_s:.0f} s"
    except exceptions.Interrupted:
        cut_short = "it was interrupted because the night was interrupted"
    finally:
        # Its children stay in its session even if it has ended itself.
        family = processes.find(lambda it: os.getsid(it.pid) == child.pid)
        processes.end_all(family, grace_s, log)
        child.wait()
    found = _UUID.search(log_file.read_text(errors="replace"))
    return Ended(
        uuid=found[1] if found else "",
        took_s=time.monotonic() - began_s,
        status=child.returncode,
        cut_short=cut_short,
        last_line=commands.last_line(log_file),
        output=_output(log_file),
    )


def export(
    uuid: str,
    kind: str,
    path: pathlib.Path,
    environment: Mapping[str, str],
    log_file: pathlib.Path,
) -> None:
    """Let Rally export a task's results into a file.

    :raises CommandFailed: when the export fails
    """
    commands.run_rally(
        ["task", "export", "--uuid", uuid, "--type", kind, "--to", str(path)],
        environment,
        log_file,
        what=f"export the task {uuid} as {kind}",
    )


def _output(log_file: pathlib.Path) -> str:
    """Return Rally's output about a task, without log lines."""
    _, found, text = log_file.read_text(errors="replace").rpartition(_USED)
    lines = text.splitlines()[1:] if found else []
    return "\n".join(one for one in lines if not _LOGGED.match(one)).strip()
