"""Keys, locks and temporary folders of the builds of artifacts."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

from rally_magnum_scale import commands
from rally_magnum_scale import file_locks

# For one program of a build.
DEADLINE_S = 3600.0


def content_key(parts: Iterable[bytes]) -> str:
    """Return a key for the inputs of a build.

    :param parts: the inputs in a fixed order
    :returns: 16 hexadecimal digits
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def locked(folder: Path, name: str, log: commands.Log) -> Iterator[None]:
    """Keep two builds of the same artifact apart.

    :param folder: of the result
    :param name: of the artifact
    :param log: gets a line if another process holds the lock
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.lock"
    waits = f"waiting for {path}: another process runs this build"
    with file_locks.locked(path, on_wait=lambda: log(waits)):
        yield


@contextlib.contextmanager
def working_folder(parent: Path, name: str) -> Iterator[Path]:
    """Create a temporary build folder next to the result.

    This first removes what killed builds have left, so hold the lock of this
    kind of build.

    :param parent: the folder of the result
    :param name: of this kind of build
    """
    parent.mkdir(parents=True, exist_ok=True)
    prefix = f"tmp-{name}-"
    for left in parent.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as folder:
        yield Path(folder)
