"""The folder of nights: one night at a time, each whole or told apart."""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
import re
import shutil
import time
from collections.abc import Iterator

from rally_magnum_scale import exceptions

PARTIAL = ".partial"
KILLED = ".killed"
SUMMARY = "summary.json"

_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z(-\d+)?")


@contextlib.contextmanager
def alone(folder: pathlib.Path) -> Iterator[None]:
    """Hold the folder against a second night.

    The lock ends with the process, however that ends.

    :raises NightRuns: when another night is going on in it
    :raises InvalidInput: when nothing can be written there
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("a")
    except OSError as error:
        raise exceptions.InvalidInput(
            f"folder: {folder} can't be written: {error.strerror}."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise exceptions.NightRuns(
                f"Another night is going on in {folder}; wait for its end, "
                "or give this one a folder of its own."
            ) from None
        yield


def name_of(began_s: float) -> str:
    """Name a night by when it began, in UTC."""
    return time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(began_s))


def begin(folder: pathlib.Path, began_s: float) -> pathlib.Path:
    """Make the folder of a night that has begun."""
    wanted = name_of(began_s)
    taken = {_bare(path) for path in folder.iterdir() if path.is_dir()}
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    path = folder / f"{name}{PARTIAL}"
    path.mkdir()
    return path


def name_at_end(partial: pathlib.Path) -> str:
    """Return the name that the folder of a night will have."""
    return partial.name.removesuffix(PARTIAL)


def end(partial: pathlib.Path) -> pathlib.Path:
    """Give the folder of a night its name, when all is in it."""
    return partial.rename(partial.with_name(name_at_end(partial)))


def set_aside_killed(folder: pathlib.Path) -> list[str]:
    """Mark what nights left that were killed.

    Only for who holds the folder.

    :returns: the names of those nights
    """
    found = sorted(folder.glob(f"*{PARTIAL}"))
    for path in found:
        path.rename(path.with_suffix(KILLED))
    return [path.stem for path in found]


def nights(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the folders of nights that are over, the newest first."""
    found = [
        path
        for path in folder.iterdir()
        if path.is_dir()
        and path.suffix in ("", KILLED)
        and _NAME.fullmatch(_bare(path))
    ]
    return sorted(found, key=_bare, reverse=True)


def keep(folder: pathlib.Path, count: int) -> list[str]:
    """Remove all but the newest nights.

    :returns: the names of those that were removed
    """
    gone = nights(folder)[count:]
    for path in gone:
        shutil.rmtree(path)
    return [_bare(path) for path in gone]


def _bare(path: pathlib.Path) -> str:
    return path.name.removesuffix(PARTIAL).removesuffix(KILLED)
