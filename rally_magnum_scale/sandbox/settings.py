"""Where the sandbox keeps what, and which ports it uses."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass

from rally_magnum_scale import exceptions

STATE_VARIABLE = "RALLY_MAGNUM_SANDBOX_DIR"
CACHE_VARIABLE = "RALLY_MAGNUM_SANDBOX_CACHE"
PORT_VARIABLE = "RALLY_MAGNUM_SANDBOX_PORT"
DEFAULT_STATE_DIR = "/var/lib/rally-magnum-sandbox"
DEFAULT_CACHE_DIR = "/var/cache/rally-magnum-sandbox"
DEFAULT_FIRST_PORT = 15000
HOST = "127.0.0.1"
NO_PROXY = "127.0.0.1,localhost,198.18.0.0/16"


@dataclass(frozen=True)
class Settings:
    """The sandbox's folders and ports.

    :param state_dir: all that one sandbox has; ``down`` removes it
    :param cache_dir: what is slow to make; ``down`` keeps it
    :param first_port: Keystone's; Magnum, the stub and PostgreSQL follow
    """

    state_dir: pathlib.Path
    cache_dir: pathlib.Path
    first_port: int = DEFAULT_FIRST_PORT

    @property
    def keystone_port(self) -> int:
        return self.first_port

    @property
    def magnum_port(self) -> int:
        return self.first_port + 1

    @property
    def stub_port(self) -> int:
        return self.first_port + 2

    @property
    def postgres_port(self) -> int:
        return self.first_port + 3

    @property
    def keystone_url(self) -> str:
        return f"http://{HOST}:{self.keystone_port}/v3"

    @property
    def magnum_url(self) -> str:
        return f"http://{HOST}:{self.magnum_port}/v1"

    @property
    def stub_url(self) -> str:
        return f"http://{HOST}:{self.stub_port}"

    @property
    def bays_dir(self) -> pathlib.Path:
        return self.state_dir / "bays"

    @property
    def logs_dir(self) -> pathlib.Path:
        return self.state_dir / "logs"

    @property
    def home_dir(self) -> pathlib.Path:
        return self.state_dir / "home"

    @property
    def plugins_dir(self) -> pathlib.Path:
        return self.state_dir / "plugins"

    @property
    def ready_file(self) -> pathlib.Path:
        return self.state_dir / "ready.json"

    @property
    def rally_database(self) -> str:
        return f"sqlite:///{self.state_dir}/rally/rally.db"


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment, with their defaults.

    :raises InvalidInput: when the port is not one
    """
    text = environ.get(PORT_VARIABLE, str(DEFAULT_FIRST_PORT))
    if not text.isdecimal() or not 1024 <= int(text) <= 65000:
        raise exceptions.InvalidInput(
            f"{PORT_VARIABLE} is {text!r}; it must be a port from 1024 to "
            "65000, the first of four."
        )
    return Settings(
        _folder(environ.get(STATE_VARIABLE, DEFAULT_STATE_DIR)),
        _folder(environ.get(CACHE_VARIABLE, DEFAULT_CACHE_DIR)),
        int(text),
    )


def _folder(text: str) -> pathlib.Path:
    return pathlib.Path(text).absolute()
