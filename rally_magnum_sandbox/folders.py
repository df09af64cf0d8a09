"""The sandbox's two folders: whose they are, and how much they hold.

Each has a file that says that the sandbox made it, so that a variable set
to somebody else's folder can't cost that one: what has no such file and
is not empty is neither used nor removed.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import time
from collections.abc import Iterator

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.servers import bay_folder

MARK = ".rally-magnum-sandbox"
# Counted up when a sandbox of an earlier layout can't be gone on with.
LAYOUT = 1
STATE = ("state", sandbox_settings.STATE_VARIABLE)
CACHE = ("cache", sandbox_settings.CACHE_VARIABLE)
# Version 0.1.0 left no mark, but always these, of which each is enough in a
# cache, and all are needed in a state folder.
UNMARKED_CACHE = re.compile(r"(image|kubernetes|servers)-[0-9a-f]{12,}.*")
UNMARKED_STATE = {"bays", "logs", "run", "secrets.json"}


def claim(settings: sandbox_settings.Settings) -> None:
    """Make both folders and mark them as the sandbox's.

    :raises InvalidInput: when one of them is somebody else's
    :raises SandboxError: when the state was left by another layout
    """
    check(settings)
    # PostgreSQL's user must get through; what is secret is a file of 0600
    # or in a folder of 0700.
    settings.state_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    _mark(settings.state_dir)
    claim_cache(settings)


def claim_cache(settings: sandbox_settings.Settings) -> None:
    """Make the cache and mark it as the sandbox's.

    :raises InvalidInput: when it is somebody else's
    """
    check_ours(settings.cache_dir, *CACHE)
    settings.cache_dir.mkdir(parents=True, exist_ok=True)
    _mark(settings.cache_dir)


def check(settings: sandbox_settings.Settings) -> None:
    """Check that both folders are the sandbox's, or not there yet.

    :raises InvalidInput: when one of them is somebody else's
    :raises SandboxError: when the state was left by another layout
    """
    check_ours(settings.state_dir, *STATE)
    check_ours(settings.cache_dir, *CACHE)
    left = _layout(settings.state_dir)
    if left != LAYOUT:
        raise exceptions.SandboxError(
            f"The sandbox in {settings.state_dir} was made by another "
            f"version of this package (its layout is {left}, this one's is "
            f"{LAYOUT}); run `rally-magnum-sandbox down` first."
        )


def check_ours(path: pathlib.Path, kind: str, variable: str) -> None:
    """Check that a folder is the sandbox's, empty, or not there.

    :param path: of the folder
    :param kind: ``state`` or ``cache``
    :param variable: of the environment, that names it
    :raises InvalidInput: when it is somebody else's
    """
    if path.exists() and not path.is_dir():
        raise exceptions.InvalidInput(
            f"{path} is no folder; set {variable} to one, or to a path "
            "where there is nothing yet."
        )
    if path.exists() and not _is_ours(path, kind):
        raise exceptions.InvalidInput(
            f"The folder {path} is not the sandbox's: it is not empty and "
            f"has no file {MARK}, so it is neither used nor removed; set "
            f"{variable} to a folder of its own."
        )


def used_bytes(path: pathlib.Path) -> int:
    """Add up the disk that a folder takes, other file systems left out."""
    found = {
        (status.st_dev, status.st_ino): status.st_blocks * 512
        for status in _statuses(path)
    }
    return sum(found.values())


def remove(path: pathlib.Path) -> bool:
    """Remove one of the sandbox's folders.

    Its mark goes last: a removal that was broken off can be done again.

    :returns: whether nothing of it is left
    """
    # Something may still be writing its last line.
    for _ in range(5):
        _empty(path)
        if not path.exists():
            return True
        time.sleep(0.2)
    return False


def _empty(path: pathlib.Path) -> None:
    with contextlib.suppress(OSError):
        for entry in path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != MARK:
                entry.unlink(missing_ok=True)
        if {entry.name for entry in path.iterdir()} <= {MARK}:
            shutil.rmtree(path)


def _is_ours(path: pathlib.Path, kind: str) -> bool:
    names = {entry.name for entry in path.iterdir()}
    if kind == "state":
        unmarked = names >= UNMARKED_STATE
    else:
        unmarked = any(map(UNMARKED_CACHE.fullmatch, names))
    return not names or MARK in names or unmarked


def _mark(path: pathlib.Path) -> None:
    if not (path / MARK).exists():
        bay_folder.write_json(path / MARK, {"layout": LAYOUT})


def _layout(path: pathlib.Path) -> int:
    return int(bay_folder.read_json(path / MARK).get("layout", LAYOUT))


def _statuses(path: pathlib.Path) -> Iterator[os.stat_result]:
    with contextlib.suppress(OSError):
        device = path.stat().st_dev
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                with contextlib.suppress(FileNotFoundError):
                    status = os.lstat(f"{folder}/{name}")
                    if status.st_dev == device:
                        yield status
