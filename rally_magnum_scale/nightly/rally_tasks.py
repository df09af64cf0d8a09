"""One task of the night: started, watched, ended in time, and exported."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import subprocess
import time
from collections.abc import Callable
from collections.abc import Mapping

import psutil

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting
from rally_magnum_scale.nightly import predecessor
from rally_magnum_scale.nightly import settings as nightly_settings

# The last line before a task is checked, and then run.
_USED = "Using task: "
_LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_UUID = re.compile(r"\bTask\b.*?([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})")


@dataclasses.dataclass(frozen=True)
class Ended:
    """A task that is over.

    :param uuid: that Rally gave it; empty when it gave none
    :param took_s: how long it ran
    :param status: exit status of ``rally task start``; below 0 the signal
    :param cut_short: why it did not come to its end by itself, if so
    :param last_line: that it said
    :param said: what it said after it was given its uuid, which is why the
        task was refused, if it was
    """

    uuid: str
    took_s: float
    status: int
    cut_short: str = ""
    last_line: str = ""
    said: str = ""


def run(
    task: nightly_settings.Task,
    environment: Mapping[str, str],
    log: pathlib.Path,
    *,
    limit_s: float,
    grace_s: float,
    report: Callable[[str], None],
) -> Ended:
    """Run a task to its end, or interrupt it.

    :param environment: in which Rally reaches the cloud
    :param log: gets what Rally says
    :param limit_s: seconds after which it is interrupted
    :param grace_s: how long it may then remove what it made
    """
    command = [
        commands.RALLY,
        "task",
        "start",
        str(task.task),
        "--tag",
        "nightly",
    ]
    if task.arguments:
        command += ["--task-args-file", str(task.arguments)]
    began_s = time.monotonic()
    with log.open("wb") as stream:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches it through us, once.
            start_new_session=True,
        )
    cut_short = ""
    try:
        waiting.wait_for(
            child.poll,
            what=f"the task {task.name}",
            deadline_s=limit_s,
            interval_s=0.2,
            progress=lambda: commands.last_line(log),
            report=report,
        )
    except exceptions.DeadlineExceeded:
        cut_short = f"it was interrupted at its deadline of {limit_s:.0f} s"
    except exceptions.Interrupted:
        cut_short = "it was interrupted, as the night was"
    finally:
        predecessor.end_all(_family(child.pid), grace_s, report)
        child.wait()
    return Ended(
        uuid=_uuid(log),
        took_s=time.monotonic() - began_s,
        status=child.returncode,
        cut_short=cut_short,
        last_line=commands.last_line(log),
        said=_said(log),
    )


def export(
    uuid: str,
    kind: str,
    path: pathlib.Path,
    environment: Mapping[str, str],
    log: pathlib.Path,
) -> None:
    """Let Rally write a task's results into a file.

    :param kind: an export type of Rally
    :raises CommandFailed: when it fails
    """
    commands.run_rally(
        (
            *("task", "export", "--uuid", uuid),
            *("--type", kind, "--to", str(path)),
        ),
        environment,
        log,
        what=f"export the task {uuid} as {kind}",
    )


def _family(pid: int) -> list[psutil.Process]:
    """Return a process that we started, and all of its session.

    Its children stay in the session when it has ended before them.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if os.getsid(process.pid) == pid:
                found.append(process)
    return found


def _uuid(log: pathlib.Path) -> str:
    found = _UUID.search(log.read_text(errors="replace"))
    return found.group(1) if found else ""


def _said(log: pathlib.Path) -> str:
    """Return what Rally said of a task, but not what it logged."""
    _, found, said = log.read_text(errors="replace").rpartition(_USED)
    lines = said.splitlines()[1:] if found else []
    return "\n".join(one for one in lines if not _LOGGED.match(one)).strip()
