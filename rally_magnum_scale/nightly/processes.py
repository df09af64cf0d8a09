"""End the processes of a night, and those of a killed one."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence

import psutil

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting

# Environment variable of the processes that a night starts (Rally and the
# sandbox's command), and of no others.  It identifies the processes that a
# killed night left running.
NIGHT_VARIABLE = "RALLY_MAGNUM_SCALE_NIGHT"
# Seconds to wait after SIGTERM, and after SIGKILL.
_LAST_GRACE_S = 20.0


def end_killed(
    folder: pathlib.Path, grace_s: float, log: Callable[[str], None]
) -> int:
    """End the processes that a killed night in this folder left running.

    The caller must hold the lock of the folder, so that no other night is
    alive.

    :param grace_s: time for the processes to clean up; 40 s later they are
        killed
    """
    found = of_night(folder)
    if found:
        log(
            f"a night in {folder} was killed; ending the {len(found)} "
            "processes that it left running"
        )
        end_all(found, grace_s, log)
    return len(found)


def end_all(
    processes: Iterable[psutil.Process],
    grace_s: float,
    log: Callable[[str], None],
) -> None:
    """End processes by SIGINT, then by SIGTERM, then by SIGKILL.

    An interruption does not shorten this, because this is part of the
    cleanup after it.

    :param grace_s: time for the processes to clean up
    """
    left = list(processes)
    for number, patience_s in (
        (signal.SIGINT, grace_s),
        (signal.SIGTERM, _LAST_GRACE_S),
        (signal.SIGKILL, _LAST_GRACE_S),
    ):
        left = _signal(left, number, patience_s, log)


def _signal(
    processes: Sequence[psutil.Process],
    number: signal.Signals,
    patience_s: float,
    log: Callable[[str], None],
) -> list[psutil.Process]:
    """Send a signal, wait, and return the processes that are still alive."""

    def alive() -> list[psutil.Process]:
        return [one for one in processes if is_alive(one)]

    for one in alive():
        with contextlib.suppress(psutil.NoSuchProcess):
            one.send_signal(number)
    with (
        interruption.deferred(),
        contextlib.suppress(exceptions.DeadlineExceeded),
    ):
        waiting.wait_for(
            lambda: None if alive() else True,
            what=f"processes to end after {number.name}",
            progress=lambda: f"{len(alive())} left",
            deadline_s=patience_s,
            interval_s=0.2,
            log=log,
        )
    return alive()


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process is running; a zombie is not."""
    try:
        return bool(
            process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False


def of_night(folder: pathlib.Path) -> list[psutil.Process]:
    """Return the processes that a night in a folder started."""
    return find(
        lambda it: (
            it.pid != os.getpid()
            and it.environ().get(NIGHT_VARIABLE) == str(folder)
        )
    )


def find(
    belongs: Callable[[psutil.Process], bool],
) -> list[psutil.Process]:
    """Return the processes that meet a condition.

    :param belongs: the condition; a process that can't be read meets none
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if belongs(process):
                found.append(process)
    return found
