"""Run a command of :mod:`rally_magnum_sandbox.bay` and wait for it."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.servers import bay_folder

# A repair waits at most two minutes each for the API server and the nodes.
DEADLINES_S = {"delete": 120.0, "repair": 300.0}


def run(command: str, folder: pathlib.Path) -> list[str]:
    """Run ``delete`` or ``repair`` on a bay.

    Ctrl-C does not interrupt the command, because it runs in its own session.

    :param command: ``delete`` or ``repair``
    :param folder: of the bay
    :returns: the lines that the command printed
    :raises SandboxError: if the command fails, with its last line, or if it
        exceeds its deadline
    """
    module = [sys.executable, "-m", bay_folder.BAY_MODULE]
    try:
        done = subprocess.run(
            [*module, command, str(folder)],
            capture_output=True,
            text=True,
            timeout=DEADLINES_S[command],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise exceptions.SandboxError(
            f"the bay {folder.name}: {command} did not finish within "
            f"{DEADLINES_S[command]:.0f} s"
        ) from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise exceptions.SandboxError(
            f"the bay {folder.name}: "
            f"{lines[-1] if lines else f'{command} failed without output'}"
        )
    return done.stdout.splitlines()
