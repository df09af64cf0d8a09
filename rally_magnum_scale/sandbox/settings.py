"""Where the sandbox keeps what, and which ports it uses."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace

from rally_magnum_scale import exceptions

STATE_VARIABLE = "RALLY_MAGNUM_SANDBOX_DIR"
CACHE_VARIABLE = "RALLY_MAGNUM_SANDBOX_CACHE"
PORT_VARIABLE = "RALLY_MAGNUM_SANDBOX_PORT"
BINARIES_VARIABLE = "RALLY_MAGNUM_SANDBOX_KUBERNETES_BINARIES"
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
    :param kubernetes_binaries: a folder with official binaries, or one
        binary with all of them, to be used instead of one that is built
    """

    state_dir: pathlib.Path
    cache_dir: pathlib.Path
    first_port: int = DEFAULT_FIRST_PORT
    kubernetes_binaries: pathlib.Path | None = None

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
    def artifacts_file(self) -> pathlib.Path:
        """Says what bays are made of; Magnum's driver reads it."""
        return self.bays_dir / "artifacts.json"

    @property
    def rally_database(self) -> str:
        return f"sqlite:///{self.state_dir}/rally/rally.db"


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from the environment, with their defaults.

    :raises InvalidInput: when the port is not one, or when one folder is
        in the other
    """
    text = environ.get(PORT_VARIABLE, str(DEFAULT_FIRST_PORT))
    if not text.isdecimal() or not 1024 <= int(text) <= 65000:
        raise exceptions.InvalidInput(
            f"{PORT_VARIABLE} is {text!r}; it must be a port from 1024 to "
            "65000, the first of four."
        )
    settings = Settings(
        _folder(environ, STATE_VARIABLE, DEFAULT_STATE_DIR),
        _folder(environ, CACHE_VARIABLE, DEFAULT_CACHE_DIR),
        int(text),
    )
    _check_apart(settings.state_dir, settings.cache_dir)
    return with_binaries(settings, environ.get(BINARIES_VARIABLE))


def with_binaries(settings: Settings, text: str | None) -> Settings:
    """Add where binaries given by hand are, if they are given."""
    if not text:
        return settings
    found = pathlib.Path(text).expanduser().absolute()
    return replace(settings, kubernetes_binaries=found)


def _folder(
    environ: Mapping[str, str], variable: str, default: str
) -> pathlib.Path:
    # A path with ".." would not be seen to be in the other one.
    return pathlib.Path(
        os.path.abspath(environ.get(variable) or default)  # noqa: PTH100
    )


def _check_apart(state_dir: pathlib.Path, cache_dir: pathlib.Path) -> None:
    if state_dir.is_relative_to(cache_dir) or cache_dir.is_relative_to(
        state_dir
    ):
        raise exceptions.InvalidInput(
            f"{STATE_VARIABLE} is {state_dir} and {CACHE_VARIABLE} is "
            f"{cache_dir}, but one must not lie in the other, since `down` "
            "removes the first and keeps the second; set one of them to "
            "another folder."
        )
