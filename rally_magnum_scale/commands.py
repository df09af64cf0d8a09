"""Run external programs and wait for them to end."""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

import psutil

from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting

PROGRAMS = pathlib.Path(sys.prefix) / "bin"
RALLY = str(PROGRAMS / "rally")
# For Rally commands that do not run a task.
RALLY_DEADLINE_S = 300.0
Log = Callable[[str], None]


class Progress:
    """Print progress lines, each with the seconds since the start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start_s = clock()
        self._lock = threading.Lock()

    def __call__(self, text: str) -> None:
        with self._lock:
            elapsed_s = self._clock() - self._start_s
            print(f"{elapsed_s:7.1f} s  {text}", flush=True)


def run(
    command: Sequence[str],
    *,
    what: str,
    log_file: pathlib.Path,
    deadline_s: float,
    env: Mapping[str, str] | None = None,
    cwd: pathlib.Path | None = None,
    progress: Callable[[], str] = lambda: "",
    log: Log | None = None,
) -> None:
    """Run a program, append its output to a log file, wait until it ends.

    :param command: the program and its arguments
    :param what: what the program does, as a verb phrase, for errors and
        progress
    :param log_file: file that the program's output is appended to
    :param deadline_s: seconds after which the program is killed
    :param env: the program's whole environment; None to inherit ours
    :raises CommandFailed: when the program is not installed, or fails; with
        its last line
    :raises DeadlineExceeded: when the program exceeds its deadline
    :raises Interrupted: when the run is interrupted
    """
    with log_file.open("ab") as stream:
        try:
            child = subprocess.Popen(
                list(command),
                env=None if env is None else dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        except FileNotFoundError as error:
            raise exceptions.CommandFailed(
                f"Could not {what}: {error.filename} does not exist. Install "
                "it."
            ) from error
    try:
        code = waiting.wait_for(
            child.poll,
            what=f"the command to {what}",
            deadline_s=deadline_s,
            interval_s=0.05,
            progress=progress,
            log=log,
        )
    finally:
        # The number of a process that has ended may belong to another one.
        if child.returncode is None:
            end_tree(child.pid)
            child.wait()
    if code:
        raise exceptions.CommandFailed(
            f"Could not {what}: `{' '.join(command[:4])} …` exited with code "
            f"{code}; its last line is: {last_line(log_file)} (full output: "
            f"{log_file})"
        )


def run_rally(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log_file: pathlib.Path,
    what: str = "",
    deadline_s: float = RALLY_DEADLINE_S,
) -> None:
    """Run a short Rally command.

    :param environment: the command's whole environment
    :param what: what the command does, in words; by default its name
    :raises CommandFailed: when the command fails
    :raises DeadlineExceeded: when it takes longer than ``deadline_s``
    """
    run(
        [RALLY, *arguments],
        what=what or f"run rally {' '.join(arguments[:2])}",
        log_file=log_file,
        deadline_s=deadline_s,
        env=environment,
    )


def last_line(path: pathlib.Path) -> str:
    """Return the last line that is not empty, or an empty string."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def end_tree(pid: int) -> None:
    """Kill a process and all its descendants."""
    with contextlib.suppress(psutil.NoSuchProcess):
        top = psutil.Process(pid)
        for process in [*top.children(recursive=True), top]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
