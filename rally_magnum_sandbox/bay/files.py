"""Small files of a bay that several processes read and write."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rally_magnum_scale import waiting


def read_json(path: Path) -> dict[str, Any]:
    """Read an object, or an empty one if there is no such file."""
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return {}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object so that no reader sees half of it."""
    draft = path.with_name(
        f"{path.name}.{os.getpid()}.{threading.get_ident()}"
    )
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(content))
    draft.replace(path)


@contextlib.contextmanager
def only_one(folder: Path, deadline_s: float) -> Iterator[None]:
    """Keep out every other command that works on a bay.

    :param folder: of the bay
    :param deadline_s: seconds to wait for another one to end
    :raises DeadlineExceeded: when it does not end
    """
    with (folder / ".work.lock").open("a") as lock:

        def locked() -> bool | None:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            return None

        waiting.wait_for(
            locked,
            what=f"another command to be done with the bay in {folder}",
            deadline_s=deadline_s,
            interval_s=0.05,
        )
        yield
