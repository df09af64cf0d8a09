"""Raise and reset the kernel's limit of inotify instances.

A real node uses about ten instances (containerd, its shims, kubelet). By
default the kernel allows 128 per user. The limit applies to the whole machine.
So the shared cache records the previous limit and which sandboxes need the
raised limit.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import commands
from rally_magnum_scale import file_locks

LIMIT = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
WANTED = 1024
PER_REAL_NODE = 10


def raise_limit(
    settings: sandbox_settings.Settings,
    log: commands.Log,
    limit: pathlib.Path = LIMIT,
) -> None:
    """Raise the limit to 1,024, and record the old limit and the sandbox.

    :param settings: of the sandbox
    :param log: gets a line if the limit can't be raised, with the number
        of real nodes that fit
    :param limit: the kernel's file
    """
    with _noted(settings) as note:
        now = _read(limit)
        if now is None or (now >= WANTED and now != note.get("set")):
            return
        users = {*note.get("users", []), str(settings.state_dir)}
        note |= {"set": WANTED, "users": sorted(users)}
        if now >= WANTED:
            _write_note(settings, note)
            return
        # Write the note first: without it, `down` would not reset the limit.
        _write_note(settings, note | {"before": now})
        try:
            limit.write_text(str(WANTED))
        except OSError as error:
            _write_note(settings, {})
            log(
                f"{limit} is {now} and can't be raised ({error.strerror}); "
                f"about {now // PER_REAL_NODE} real nodes can run at a time"
            )


def restore(
    settings: sandbox_settings.Settings, limit: pathlib.Path = LIMIT
) -> None:
    """Reset the limit when the last sandbox that needs it is removed.

    If the limit was changed by hand since, it is left alone.
    """
    with _noted(settings) as note:
        others = [
            user
            for user in note.get("users", [])
            if user != str(settings.state_dir) and pathlib.Path(user).exists()
        ]
        if others:
            _write_note(settings, note | {"users": others})
            return
        if note and _read(limit) == note["set"]:
            limit.write_text(str(note["before"]))
        _write_note(settings, {})


def _note(settings: sandbox_settings.Settings) -> pathlib.Path:
    return settings.cache_dir / "inotify.json"


@contextlib.contextmanager
def _noted(settings: sandbox_settings.Settings) -> Iterator[dict[str, Any]]:
    """Read the note, and lock it against other sandboxes."""
    path = _note(settings)
    if not path.parent.exists():
        yield {}
        return
    # Not named *.lock: those are the locks of builds, and `purge` holds all
    # of them while it removes the sandbox.
    with file_locks.locked(path.with_suffix(".flock")):
        yield bay_folder.read_json(path)


def _write_note(
    settings: sandbox_settings.Settings, note: dict[str, Any]
) -> None:
    if note:
        bay_folder.write_json(_note(settings), note)
    else:
        _note(settings).unlink(missing_ok=True)


def _read(limit: pathlib.Path) -> int | None:
    try:
        return int(limit.read_text())
    except (OSError, ValueError):
        return None
