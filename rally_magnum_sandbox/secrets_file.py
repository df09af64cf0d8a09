"""The sandbox's passwords: random, created once, readable by root only."""

from __future__ import annotations

import pathlib
import secrets
from dataclasses import asdict
from dataclasses import dataclass

from rally_magnum_sandbox.servers import bay_folder


@dataclass(frozen=True)
class Secrets:
    """Passwords of one sandbox."""

    admin: str
    magnum: str
    trustee: str
    postgres: str


def ensure(state_dir: pathlib.Path) -> Secrets:
    """Read the passwords; create them first if there are none."""
    path = state_dir / "secrets.json"
    found = bay_folder.read_json(path)
    if not found:
        found = asdict(Secrets(*(secrets.token_hex(16) for _ in range(4))))
        bay_folder.write_json(path, found)
    return Secrets(**found)
