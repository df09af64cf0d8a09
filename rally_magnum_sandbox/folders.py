"""The sandbox's two folders: ownership and disk usage.

The sandbox puts a marker file into each folder that it creates. A folder that
has no marker and is not empty is neither used nor removed. So a variable that
is set to the wrong folder by mistake does no harm.
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
# Increase this when a new version can't use the state of an older one.
LAYOUT = 2
STATE = ("state", sandbox_settings.STATE_VARIABLE)
CACHE = ("cache", sandbox_settings.CACHE_VARIABLE)
# Version 0.1.0 wrote no marker file. Any of these entries identifies its
# cache; all of them together identify its state folder, of this layout.
UNMARKED_LAYOUT = 1
UNMARKED_CACHE = re.compile(r"(image|kubernetes|servers)-[0-9a-f]{12,}.*")
UNMARKED_STATE = {"bays", "logs", "run", "secrets.json"}


def claim(settings: sandbox_settings.Settings) -> None:
    """Create both folders and mark them as the sandbox's.

    :raises InvalidInput: if a folder is not the sandbox's
    :raises SandboxError: if the state folder has another layout
    """
    check(settings)
    # PostgreSQL's user must be able to pass through. Secrets have mode 0600
    # or are in a folder with mode 0700.
    settings.state_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    _mark(settings.state_dir, magnum=magnum_version(settings))
    claim_cache(settings)


def claim_cache(settings: sandbox_settings.Settings) -> None:
    """Create the cache and mark it as the sandbox's.

    :raises InvalidInput: if the folder is not the sandbox's
    """
    check_ours(settings.cache_dir, *CACHE)
    settings.cache_dir.mkdir(parents=True, exist_ok=True)
    _mark(settings.cache_dir)


def check(settings: sandbox_settings.Settings) -> None:
    """Check that both folders are the sandbox's or do not exist yet.

    :raises InvalidInput: if a folder is not the sandbox's, or if the state
        folder is of another version of Magnum than the wanted one
    :raises SandboxError: if the state folder has another layout
    """
    check_ours(settings.state_dir, *STATE)
    check_ours(settings.cache_dir, *CACHE)
    left = _layout(settings.state_dir)
    if left != LAYOUT:
        raise exceptions.SandboxError(
            f"The sandbox in {settings.state_dir} was created by another "
            f"version of this package: it has the layout {left}, and this "
            f"version uses the layout {LAYOUT}. Run `rally-magnum-sandbox "
            "down` first."
        )
    known = magnum_version(settings)
    if settings.magnum not in (None, known):
        raise exceptions.InvalidInput(
            f"--magnum: the sandbox in {settings.state_dir} has Magnum "
            f"{known}, and its database is of no use to Magnum "
            f"{settings.magnum}. Run `rally-magnum-sandbox down` first."
        )


def magnum_version(settings: sandbox_settings.Settings) -> str:
    """Return the major version of the sandbox's Magnum.

    The marker file of the state folder records it. Without a sandbox, this is
    the wanted version, or the default.
    """
    wanted = settings.magnum or sandbox_settings.DEFAULT_MAGNUM_VERSION
    mark = bay_folder.read_json(settings.state_dir / MARK)
    return str(mark.get("magnum", wanted))


def check_ours(path: pathlib.Path, kind: str, variable: str) -> None:
    """Check that a folder is the sandbox's, empty or missing.

    :param path: the folder
    :param kind: ``state`` or ``cache``
    :param variable: the environment variable that sets the folder
    :raises InvalidInput: if the folder is not the sandbox's
    """
    if path.exists() and not path.is_dir():
        raise exceptions.InvalidInput(
            f"{path} is not a folder. Set {variable} to a folder, or to a "
            "path that does not exist yet."
        )
    if path.exists() and not _is_ours(path, kind):
        raise exceptions.InvalidInput(
            f"The folder {path} is not the sandbox's: it is not empty and "
            f"has no file {MARK}, so it is neither used nor removed. Set "
            f"{variable} to an empty folder or a new path."
        )


def used_bytes(path: pathlib.Path) -> int:
    """Return the disk usage of a folder, without other file systems."""
    found = {
        (status.st_dev, status.st_ino): status.st_blocks * 512
        for status in _statuses(path)
    }
    return sum(found.values())


def remove(path: pathlib.Path) -> bool:
    """Remove one of the sandbox's folders.

    The marker file is removed last, so that an interrupted removal can be
    repeated.

    :returns: whether the whole folder was removed
    """
    # A process may still be writing the last line of its log.
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


def _mark(path: pathlib.Path, **more: str) -> None:
    if not (path / MARK).exists():
        bay_folder.write_json(path / MARK, {"layout": LAYOUT, **more})


def _layout(path: pathlib.Path) -> int:
    used = path.exists() and any(path.iterdir())
    unmarked = UNMARKED_LAYOUT if used else LAYOUT
    return int(bay_folder.read_json(path / MARK).get("layout", unmarked))


def _statuses(path: pathlib.Path) -> Iterator[os.stat_result]:
    with contextlib.suppress(OSError):
        device = path.stat().st_dev
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                with contextlib.suppress(FileNotFoundError):
                    status = os.lstat(f"{folder}/{name}")
                    if status.st_dev == device:
                        yield status
