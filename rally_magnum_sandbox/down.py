"""Remove the sandbox, whatever state it is in."""

from __future__ import annotations

import concurrent.futures
import pathlib
import shutil
import subprocess
import time

from rally_magnum_sandbox import bay_commands
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import folders
from rally_magnum_sandbox import inotify
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay.cgroups import CgroupTree
from rally_magnum_scale import commands

END_DEADLINE_S = 20.0
AT_ONCE = 8


def down(settings: sandbox_settings.Settings, log: commands.Log) -> None:
    """Stop every server and bay, and remove the state folder.

    :param settings: of the sandbox
    :param log: gets progress lines
    :raises InvalidInput: if the state folder is not the sandbox's; nothing
        was removed
    :raises SandboxError: if something could not be removed, with a list
    """
    folders.check_ours(settings.state_dir, *folders.STATE)
    started_s = time.monotonic()
    left = _end_all_in(settings.cloud_cgroup)
    left += _delete_bays(settings, log)
    # Kill bays whose folder is gone, and remove the groups themselves.
    for group in (settings.bays_cgroup, settings.cloud_cgroup):
        left += _end_all_in(group, remove=True)
    left += _unmount_below(settings.state_dir)
    inotify.restore(settings)
    if not left and not folders.remove(settings.state_dir):
        left = [f"the folder {settings.state_dir}"]
    if left:
        raise exceptions.SandboxError(
            "The sandbox was stopped, but these parts could not be removed: "
            f"{'; '.join(left)}. Run `rally-magnum-sandbox down` again."
        )
    log(f"sandbox removed in {time.monotonic() - started_s:.1f} s")


def _end_all_in(group: str, *, remove: bool = False) -> list[str]:
    tree = CgroupTree(group)
    try:
        tree.kill(END_DEADLINE_S)
        if remove:
            tree.remove(END_DEADLINE_S)
    except exceptions.DeadlineExceeded as error:
        return [f"{error.what}: {error.progress}"]
    return []


def _delete_bays(
    settings: sandbox_settings.Settings, log: commands.Log
) -> list[str]:
    found = [path for path in _entries(settings.bays_dir) if path.is_dir()]
    if not found:
        return []
    log(f"deleting {len(found)} bay(s)")
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        failures = pool.map(_delete_bay, found)
    return [failure for failure in failures if failure]


def _entries(path: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path.iterdir()) if path.is_dir() else []


def _delete_bay(folder: pathlib.Path) -> str:
    if not (folder / "spec.json").exists():
        # Magnum was killed before it wrote the bay's spec.
        shutil.rmtree(folder, ignore_errors=True)
        return f"the folder {folder}" if folder.exists() else ""
    try:
        bay_commands.run("delete", folder)
    except exceptions.SandboxError as error:
        return str(error)
    return ""


def _unmount_below(folder: pathlib.Path) -> list[str]:
    for target in reversed(_mounts_below(folder)):
        subprocess.run(
            ["umount", "--lazy", target], capture_output=True, check=False
        )
    return [f"the mount {target}" for target in _mounts_below(folder)]


def _mounts_below(folder: pathlib.Path) -> list[str]:
    lines = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    targets = [
        line.split()[1].encode().decode("unicode_escape") for line in lines
    ]
    return sorted(t for t in targets if t.startswith(f"{folder}/"))
