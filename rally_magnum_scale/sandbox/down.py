"""Take the sandbox away, whatever state it is in."""

from __future__ import annotations

import concurrent.futures
import contextlib
import pathlib
import shutil
import subprocess
import sys
import time

from rally_magnum_scale import exceptions
from rally_magnum_scale.sandbox import cgroups
from rally_magnum_scale.sandbox import commands
from rally_magnum_scale.sandbox import settings as sandbox_settings
from rally_magnum_scale.sandbox.bay.cgroups import CgroupTree
from rally_magnum_scale.sandbox.servers import bay_folder

BAY_DEADLINE_S = 120.0
END_DEADLINE_S = 20.0
AT_ONCE = 8


def down(settings: sandbox_settings.Settings, report: commands.Report) -> None:
    """End every server and bay, and remove the state folder.

    :param settings: of the sandbox
    :param report: gets lines of progress
    :raises SandboxError: when something stays; with a list of it
    """
    started_s = time.monotonic()
    left = _end_all_in(cgroups.CLOUD)
    left += _delete_bays(settings, report)
    # Bays whose folder is gone, and the groups themselves.
    for group in (cgroups.BAYS, cgroups.CLOUD):
        left += _end_all_in(group, remove=True)
    left += _unmount_below(settings.state_dir)
    if not left:
        left += _remove(settings.state_dir)
    if left:
        raise exceptions.SandboxError(
            "The sandbox was taken down, but something stayed: "
            f"{'; '.join(left)}. Run `rally-magnum-sandbox down` again."
        )
    report(f"the sandbox is gone ({time.monotonic() - started_s:.1f} s)")


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
    settings: sandbox_settings.Settings, report: commands.Report
) -> list[str]:
    folders = [path for path in _folders(settings.bays_dir) if path.is_dir()]
    if not folders:
        return []
    report(f"deleting {len(folders)} bay(s)")
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        failures = pool.map(_delete_bay, folders)
    return [failure for failure in failures if failure]


def _folders(path: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path.iterdir()) if path.is_dir() else []


def _delete_bay(folder: pathlib.Path) -> str:
    if not (folder / "spec.json").exists():
        # Magnum was killed before it had written what the bay is.
        shutil.rmtree(folder, ignore_errors=True)
        return f"the folder {folder}" if folder.exists() else ""
    command = [sys.executable, "-m", bay_folder.BAY_MODULE, "delete"]
    try:
        done = subprocess.run(
            [*command, str(folder)],
            capture_output=True,
            text=True,
            timeout=BAY_DEADLINE_S,
            stdin=subprocess.DEVNULL,
            # Ctrl-C must not break it off in the middle.
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"the bay {folder.name}: no end after {BAY_DEADLINE_S:.0f} s"
    if done.returncode == 0:
        return ""
    said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
    return f"the bay {folder.name}: {said[-1]}"


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


def _remove(folder: pathlib.Path) -> list[str]:
    # Something may still be writing its last line.
    for _ in range(5):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return []
        time.sleep(0.2)
    return [f"the folder {folder}"]
