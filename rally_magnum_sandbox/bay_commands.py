"""Run commands of :mod:`rally_magnum_sandbox.bay` and wait for them."""

from __future__ import annotations

import concurrent.futures
import pathlib
import subprocess
import sys

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox import status
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import commands

# A repair waits at most two minutes each for the API server and the nodes.
DEADLINES_S = {"delete": 120.0, "repair": 300.0}
AT_ONCE = 4
# A bay whose create failed is not repaired. While a bay is being changed, the
# process that changes it checks its components.
WHOLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED")


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


def repair_all(settings: sandbox_settings.Settings, log: commands.Log) -> bool:
    """Restart each dead component of each complete bay.

    :param settings: of the sandbox
    :param log: gets a line for each component that is restarted
    :returns: whether anything was restarted
    :raises SandboxError: with the bays that can't be repaired
    """
    bays = [
        bay
        for bay in bay_folder.Bays(settings.bays_dir).all()
        if status.bay_state(bay) in WHOLE
    ]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(_repair, [bay.folder for bay in bays]))
    for line in (line for lines, _ in results for line in lines):
        log(line)
    failures = [failure for _, failure in results if failure]
    if failures:
        raise exceptions.SandboxError(
            "The sandbox's servers are up, but these bays could not be "
            f"repaired: {'; '.join(failures)}. Delete them with "
            "`openstack coe cluster delete`."
        )
    return any(lines for lines, _ in results)


def _repair(folder: pathlib.Path) -> tuple[list[str], str]:
    try:
        return run("repair", folder), ""
    except exceptions.SandboxError as error:
        # A bay that was deleted meanwhile needs no repair.
        return [], str(error) if folder.exists() else ""
