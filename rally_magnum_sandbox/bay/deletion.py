"""Take a bay away, whatever state it is in."""

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
    """Remove everything of a bay, its folder last.

    It does nothing when the folder is gone, and may be called again after
    it was broken off.  It removes half-made bays, those whose maker still
    works, and those of which any part was killed.

    :param folder: of the bay
    :raises ScaleError: when something stays, with what it is
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
            # Nothing is started before there is a description.
            _unmount_below(folder)
        _remove_folder(folder)


def mounts_below(mountinfo: str, folder: Path) -> list[str]:
    """List what is mounted below a folder, the deepest first.

    :param mountinfo: the text of ``/proc/self/mountinfo``
    :param folder: an absolute path
    """
    targets = [line.split()[4] for line in mountinfo.splitlines()]
    # The kernel writes a blank as \\040.
    targets = [
        re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), t) for t in targets
    ]
    return [t for t in reversed(targets) if t.startswith(f"{folder}/")]


def _remove_link(name: str) -> None:
    # It ends with the bay's namespace too, but only some time after; the
    # next bay may want its name and its addresses now.
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
    # A bay mounts in namespaces of its own; this is for what somebody else
    # mounted, so that nothing outside the folder is deleted through it.
    info = Path("/proc/self/mountinfo")
    for target in mounts_below(info.read_text(), folder):
        subprocess.run(
            ["umount", "--lazy", target], capture_output=True, check=False
        )
    if left := mounts_below(info.read_text(), folder):
        raise exceptions.SandboxError(
            f"The bay in {folder} was not removed, since {left[0]} could not "
            "be unmounted; unmount it and delete the bay again."
        )


def _remove_folder(folder: Path) -> None:
    def gone() -> bool | None:
        # The description goes last: without it a removal that was broken
        # off could not be done again.
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
