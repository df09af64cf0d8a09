"""What a night that was killed left running."""

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

# Only what a night starts has it (Rally, and the sandbox's command), so that
# what a killed one left is found and nothing else is.
NIGHT_VARIABLE = "RALLY_MAGNUM_SCALE_NIGHT"
# Between asking by SIGTERM and SIGKILL.
_LAST_GRACE_S = 20.0


def end(
    folder: pathlib.Path, grace_s: float, report: Callable[[str], None]
) -> int:
    """End what a killed night in this folder left running.

    Only for who holds the folder: then no other night lives.

    :param grace_s: how long they may remove what they made; 40 s later they
        are killed
    :returns: how many there were
    """
    found = _find(folder)
    if found:
        report(
            f"a night in {folder} was killed; what it left running is asked "
            f"to end, {len(found)} in all"
        )
        end_all(found, grace_s, report)
    return len(found)


def end_all(
    processes: Iterable[psutil.Process],
    grace_s: float,
    report: Callable[[str], None],
) -> None:
    """Ask processes to end as Ctrl-C does, then with more force.

    A request to stop does not cut this short: it is the way out.

    :param grace_s: how long they may remove what they made
    """
    left = list(processes)
    for number, patience_s in (
        (signal.SIGINT, grace_s),
        (signal.SIGTERM, _LAST_GRACE_S),
        (signal.SIGKILL, _LAST_GRACE_S),
    ):
        left = _ask(left, number, patience_s, report)


def _ask(
    processes: Sequence[psutil.Process],
    number: signal.Signals,
    patience_s: float,
    report: Callable[[str], None],
) -> list[psutil.Process]:
    """Send a signal, and return who is still there after some time."""

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
            report=report,
        )
    return alive()


def is_alive(process: psutil.Process) -> bool:
    """Tell whether it still runs; a zombie does not."""
    try:
        return bool(
            process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False


def _find(folder: pathlib.Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(NIGHT_VARIABLE) == str(folder):
                found.append(process)
    return found
