"""The kernel's limit of inotify instances: raised by up, put back by down.

A real node takes about ten instances (containerd, its shims, kubelet), and
a kernel allows 128 of them to a user.  The limit is the machine's, so what
it was before, and which sandboxes need it, is noted in their common cache.
"""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
from collections.abc import Iterator
from typing import Any

from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import commands

LIMIT = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")
WANTED = 1024
PER_REAL_NODE = 10


def raise_limit(
    settings: sandbox_settings.Settings,
    report: commands.Report,
    limit: pathlib.Path = LIMIT,
) -> None:
    """Raise the limit to 1,024, and note what it was and who needs it.

    :param settings: of the sandbox
    :param report: told when the limit can't be raised, and what fits then
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
        # Noted first: a limit that was raised without a note would stay.
        _write_note(settings, note | {"before": now})
        try:
            limit.write_text(str(WANTED))
        except OSError as error:
            _write_note(settings, {})
            report(
                f"{limit} is {now} and can't be raised ({error.strerror}); "
                f"about {now // PER_REAL_NODE} real nodes fit at once"
            )


def restore(
    settings: sandbox_settings.Settings, limit: pathlib.Path = LIMIT
) -> None:
    """Put the limit back when the last sandbox that needs it goes.

    A limit that somebody has changed since is left alone.
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
    """Read the note, and keep other sandboxes from changing it meanwhile."""
    path = _note(settings)
    if not path.parent.exists():
        yield {}
        return
    # Not *.lock: these tell who builds, and `purge` holds all of them while
    # it takes the sandbox down.
    with path.with_suffix(".flock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
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
