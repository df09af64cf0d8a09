"""The folder of nights: one night at a time, complete or marked as killed."""

from __future__ import annotations

import contextlib
import pathlib
import re
import shutil
import time
from collections.abc import Iterator

from rally_magnum_scale import exceptions
from rally_magnum_scale import file_locks

PARTIAL = ".partial"
KILLED = ".killed"
SUMMARY = "summary.json"
HISTORY = "history.jsonl"
METRICS = "metrics.prom"
RUNS_PAGE = "runs.html"

_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z(-\d+)?")


@contextlib.contextmanager
def alone(folder: pathlib.Path) -> Iterator[None]:
    """Lock the folder, so that no second night uses it.

    The lock is released when the process ends, even if it is killed.

    :raises NightRuns: when another night uses the folder
    :raises InvalidInput: when the folder can't be written
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("a")
    except OSError as error:
        raise exceptions.InvalidInput(
            f"folder: {folder} can't be written: {error.strerror}."
        ) from error
    with lock:
        if not file_locks.take(lock):
            raise exceptions.NightRuns(
                f"Another night is running in {folder}. Wait for its end, "
                "or give this night a folder of its own."
            )
        yield


def begin(folder: pathlib.Path, began_s: float) -> pathlib.Path:
    wanted = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(began_s))
    taken = {_bare(path) for path in folder.iterdir() if path.is_dir()}
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    path = folder / f"{name}{PARTIAL}"
    path.mkdir()
    return path


def name_at_end(partial: pathlib.Path) -> str:
    return partial.name.removesuffix(PARTIAL)


def end(partial: pathlib.Path) -> pathlib.Path:
    return partial.rename(partial.with_name(name_at_end(partial)))


def set_aside_killed(folder: pathlib.Path) -> list[str]:
    """Mark the folders of nights that were killed.

    The caller must hold the lock of the folder.
    """
    found = sorted(folder.glob(f"*{PARTIAL}"))
    for path in found:
        path.rename(path.with_suffix(KILLED))
    return [path.stem for path in found]


def nights(folder: pathlib.Path) -> list[pathlib.Path]:
    """Return the folders of finished and killed nights, newest first."""
    found = [
        path
        for path in folder.iterdir()
        if path.is_dir()
        and path.suffix in ("", KILLED)
        and _NAME.fullmatch(_bare(path))
    ]
    return sorted(found, key=_bare, reverse=True)


def keep(folder: pathlib.Path, count: int) -> list[str]:
    """Remove all but the newest nights."""
    gone = nights(folder)[count:]
    for path in gone:
        shutil.rmtree(path)
    return [_bare(path) for path in gone]


def _bare(path: pathlib.Path) -> str:
    return path.name.removesuffix(PARTIAL).removesuffix(KILLED)
