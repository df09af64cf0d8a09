"""JSON files and locks that several processes of a bay share."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rally_magnum_scale import file_locks


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; return an empty one if the file is missing."""
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object atomically."""
    draft = path.with_name(
        f"{path.name}.{os.getpid()}.{threading.get_ident()}"
    )
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(content))
    draft.replace(path)


@contextlib.contextmanager
def only_one(folder: Path, deadline_s: float) -> Iterator[None]:
    """Lock a bay against other commands.

    :param folder: of the bay
    :param deadline_s: seconds to wait for another command to finish
    :raises DeadlineExceeded: if the other command does not finish
    """
    with file_locks.locked_within(
        folder / ".work.lock",
        deadline_s,
        what=f"another command on the bay in {folder} to finish",
        interval_s=0.05,
    ):
        yield
