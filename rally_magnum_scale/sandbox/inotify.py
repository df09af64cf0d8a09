"""The kernel's limit of inotify instances: raised by up, put back by down.

A real node takes about ten instances (containerd, its shims, kubelet), and
a kernel allows 128 of them to a user.
"""

from __future__ import annotations

import pathlib

from rally_magnum_scale.sandbox import commands
from rally_magnum_scale.sandbox.servers import bay_folder

LIMIT = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
WANTED = 1024
PER_REAL_NODE = 10


def raise_limit(
    state_dir: pathlib.Path,
    report: commands.Report,
    limit: pathlib.Path = LIMIT,
) -> None:
    """Raise the limit to 1,024, and note what it was.

    :param state_dir: of the sandbox; the note is kept there
    :param report: told when the limit can't be raised, and what fits then
    :param limit: the kernel's file
    """
    now = _read(limit)
    if now is None or now >= WANTED:
        return
    # Noted first: a limit that was raised without a note would stay.
    bay_folder.write_json(_note(state_dir), {"before": now, "set": WANTED})
    try:
        limit.write_text(str(WANTED))
    except OSError as error:
        _note(state_dir).unlink()
        report(
            f"{limit} is {now} and can't be raised ({error.strerror}); about "
            f"{now // PER_REAL_NODE} real nodes fit at once"
        )


def restore(state_dir: pathlib.Path, limit: pathlib.Path = LIMIT) -> None:
    """Put the limit back, unless somebody has changed it since."""
    note = bay_folder.read_json(_note(state_dir))
    if note and _read(limit) == note["set"]:
        limit.write_text(str(note["before"]))
    _note(state_dir).unlink(missing_ok=True)


def _note(state_dir: pathlib.Path) -> pathlib.Path:
    return state_dir / "inotify.json"


def _read(limit: pathlib.Path) -> int | None:
    try:
        return int(limit.read_text())
    except (OSError, ValueError):
        return None
