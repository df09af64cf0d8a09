"""Programs that this package runs and waits for."""

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
# For a command of Rally that runs no task.
RALLY_DEADLINE_S = 300.0
Report = Callable[[str], None]


class Progress:
    """Print lines of progress, each with the seconds since the start."""

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
    log: pathlib.Path,
    deadline_s: float,
    env: Mapping[str, str] | None = None,
    report: Report | None = None,
) -> None:
    """Run a program to its end, its output in a log.

    :param command: the program and its arguments
    :param what: what it does, in words, for the error and the progress
    :param log: gets what the program prints
    :param deadline_s: seconds after which it is ended
    :param env: its whole environment
    :param report: gets a line now and then while it runs
    :raises CommandFailed: when it fails; with its last line
    :raises DeadlineExceeded: when it takes too long
    :raises Interrupted: when the run is asked to stop
    """
    with log.open("ab") as stream:
        child = subprocess.Popen(
            list(command),
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        code = waiting.wait_for(
            child.poll,
            what=what,
            deadline_s=deadline_s,
            interval_s=0.05,
            report=report,
        )
    finally:
        end_tree(child.pid)
        child.wait()
    if code:
        raise exceptions.CommandFailed(
            f"To {what}, `{' '.join(command[:4])} …` was run; it ended with "
            f"{code} and said: {last_line(log)} (all of it is in "
            f"{log})"
        )


def run_rally(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: pathlib.Path,
    what: str = "",
    deadline_s: float = RALLY_DEADLINE_S,
) -> None:
    """Run a command of Rally that takes a moment.

    :param environment: the whole of it
    :param log: gets what Rally prints
    :param what: what it does, in words; by default which command it is
    :raises CommandFailed: when it fails
    :raises DeadlineExceeded: when it takes longer than ``deadline_s``
    """
    run(
        [RALLY, *arguments],
        what=what or f"run rally {' '.join(arguments[:2])}",
        log=log,
        deadline_s=deadline_s,
        env=environment,
    )


def last_line(path: pathlib.Path) -> str:
    """Read the last line that is not empty, or an empty string."""
    try:
        text = path.read_bytes()[-4096:].decode(errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def end_tree(pid: int) -> None:
    """Kill a process that we started and all that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        top = psutil.Process(pid)
        for process in [*top.children(recursive=True), top]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
