"""Remove a bay, whatever state it is in."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
from pathlib import Path

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_scale import interruption
from rally_magnum_scale import waiting

KILL_DEADLINE_S = 30.0
GROUPS_DEADLINE_S = 20.0
FOLDER_DEADLINE_S = 20.0


def delete(folder: Path) -> None:
    """Remove a whole bay, its folder last.

    If the folder is missing, this does nothing. It can be called again after
    an interrupt. It also removes incomplete bays, bays whose create is still
    running, and bays with dead components.

    :param folder: of the bay
    :raises ScaleError: with the part that could not be removed
    """
    if not folder.exists():
        return
    with interruption.deferred():
        if (folder / "spec.json").exists():
            spec = bay_spec.read_spec(folder)
            group = cgroups.CgroupTree(spec.cgroup)
            group.kill(KILL_DEADLINE_S)
            _remove_link(spec.host_link)
            _unmount_below(folder)
            group.remove(GROUPS_DEADLINE_S)
        else:
            # Without a spec, nothing was started.
            _unmount_below(folder)
        _remove_folder(folder)


def mounts_below(mountinfo: str, folder: Path) -> list[str]:
    """List the mount points below a folder, the deepest first.

    :param mountinfo: the text of ``/proc/self/mountinfo``
    :param folder: an absolute path
    """
    targets = [line.split()[4] for line in mountinfo.splitlines()]
    # The kernel writes a space as \\040.
    targets = [
        re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), t) for t in targets
    ]
    return [t for t in reversed(targets) if t.startswith(f"{folder}/")]


def _remove_link(name: str) -> None:
    # The kernel removes the link some time after the bay's namespace, but the
    # next bay may need its name and addresses now.
    command = ["ip", "link", "delete", name]

    def gone() -> bool | None:
        links = {link for _, link in socket.if_nameindex()}
        if name not in links:
            return True
        subprocess.run(command, capture_output=True, check=False)
        return None

    waiting.wait_for(
        gone,
        what=f"the network link {name} to be removed",
        deadline_s=KILL_DEADLINE_S,
        interval_s=0.05,
    )


def _unmount_below(folder: Path) -> None:
    # The bay's own mounts are in its namespaces. Unmount what others have
    # mounted below the folder, so that the removal deletes nothing outside.
    info = Path("/proc/self/mountinfo")
    for target in mounts_below(info.read_text(), folder):
        subprocess.run(
            ["umount", "--lazy", target], capture_output=True, check=False
        )
    if left := mounts_below(info.read_text(), folder):
        raise exceptions.SandboxError(
            f"The bay in {folder} was not removed, because {left[0]} could "
            "not be unmounted. Unmount it and delete the bay again."
        )


def _remove_folder(folder: Path) -> None:
    def gone() -> bool | None:
        # Remove the spec last: an interrupted delete needs it to continue.
        for path in folder.iterdir():
            if path.name != "spec.json":
                _remove(path)
        rest = [path for path in folder.iterdir() if path.name != "spec.json"]
        if rest:
            return None
        shutil.rmtree(folder, ignore_errors=True)
        return None if folder.exists() else True

    waiting.wait_for(
        gone,
        what=f"the folder {folder} to be removed",
        deadline_s=FOLDER_DEADLINE_S,
        interval_s=0.1,
    )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
