"""Start again what died of the bays that are there."""

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
# A bay that never was complete is not there to be mended, and what is being
# changed has a process of its own that watches its parts.
WHOLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_FAILED")


def repair_bays(
    settings: sandbox_settings.Settings, report: commands.Report
) -> bool:
    """Start again each dead component of each complete bay.

    :param settings: of the sandbox
    :param report: gets a line for each component that is started
    :returns: whether there was anything to start
    :raises SandboxError: naming the bays that can't be mended
    """
    bays = [
        bay
        for bay in bay_folder.Bays(settings.bays_dir).all()
        if status.bay_state(bay) in WHOLE
    ]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(_repair, [bay.folder for bay in bays]))
    for line in (line for said, _ in results for line in said):
        report(line)
    failures = [failure for _, failure in results if failure]
    if failures:
        raise exceptions.SandboxError(
            "The sandbox's servers are up, but not every bay could be "
            f"mended: {'; '.join(failures)}. Delete such a bay with "
            "`openstack coe cluster delete`."
        )
    return any(said for said, _ in results)


def _repair(folder: pathlib.Path) -> tuple[list[str], str]:
    try:
        return bay_commands.run("repair", folder), ""
    except exceptions.SandboxError as error:
        # One that is deleted meanwhile needs no repair.
        return [], str(error) if folder.exists() else ""
