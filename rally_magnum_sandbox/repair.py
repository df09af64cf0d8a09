"""Restart dead components of the existing bays."""

from __future__ import annotations

import concurrent.futures
import pathlib

from rally_magnum_sandbox import bay_commands
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox import status
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import commands

AT_ONCE = 4
# A bay whose create failed is not repaired. While a bay is being changed, the
# process that changes it checks its components.
WHOLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED")


def repair_bays(
    settings: sandbox_settings.Settings, log: commands.Log
) -> bool:
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
        return bay_commands.run("repair", folder), ""
    except exceptions.SandboxError as error:
        # A bay that was deleted meanwhile needs no repair.
        return [], str(error) if folder.exists() else ""
