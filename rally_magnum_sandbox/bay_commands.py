"""Run a command of the bay maker to its end, as ``down`` and ``up`` do."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.servers import bay_folder

# A repair waits for API server and nodes, two minutes each at most.
DEADLINES_S = {"delete": 120.0, "repair": 300.0}


def run(command: str, folder: pathlib.Path) -> list[str]:
    """Run ``delete`` or ``repair`` on a bay.

    Ctrl-C does not break it off in the middle: it has a session of its own.

    :param command: of :mod:`rally_magnum_sandbox.bay`
    :param folder: of the bay
    :returns: the lines that it printed
    :raises SandboxError: with the last line, when it fails or takes longer
        than it may
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
            f"the bay {folder.name}: no end of its {command} after "
            f"{DEADLINES_S[command]:.0f} s"
        ) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise exceptions.SandboxError(
            f"the bay {folder.name}: {said[-1] if said else 'nothing said'}"
        )
    return done.stdout.splitlines()
