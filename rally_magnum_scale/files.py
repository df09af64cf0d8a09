"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import pathlib
import tempfile


def atomic_write(path: pathlib.Path, text: str) -> None:
    """Replace a file, or make it; a reader never sees a part of it.

    A link is followed, and the mode of the file that was there is kept.

    :raises OSError: when it can't be written; what was there stays
    """
    path = path.resolve()
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = pathlib.Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.chmod(path.stat().st_mode if path.exists() else 0o644)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    # The new name, too, must be there after a power failure.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
