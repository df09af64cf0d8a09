"""What the commands share that log in to the cloud of a Rally environment."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally import api as rally_api
from rally import exceptions as rally_exceptions
from rally import plugins
from rally.cli import envutils
from rally.env import env_mgr

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import reading
from rally_magnum_scale.task import clients

EXIT_INVALID = 2
EXIT_NO_CLOUD = 3

# A service that does not answer by then is unknown.
PATIENCE_S = 5.0


def run(program: str, action: Callable[[], int]) -> int:
    """Run a command, and print its error."""
    try:
        return action()
    except exceptions.InvalidInput as error:
        return _fail(program, error, EXIT_INVALID)
    except exceptions.ScaleError as error:
        return _fail(program, error, EXIT_NO_CLOUD)
    except Exception:
        # Python's own exit status for errors, 1, means something else here.
        return _fail(
            program,
            f"{traceback.format_exc()}\nThis is a bug in the program. Please "
            "report it with the lines above.",
            EXIT_NO_CLOUD,
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all commands have."""
    parser.add_argument(
        "--env",
        metavar="NAME",
        help="name of Rally's environment (default: the current one)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON instead of a table"
    )


def start_rally() -> rally_api.API:
    """Load Rally with its plugins.

    :raises InvalidInput: when Rally has no database, or an old one
    """
    try:
        plugins.load()
        return rally_api.API()
    except rally_exceptions.RallyException as error:
        raise exceptions.InvalidInput(f"Rally can't start: {error}") from error


def openstack_of(environment: str | None) -> Mapping[str, Any]:
    """Return what a Rally environment stores of the platform ``openstack``.

    :param environment: its name or uuid; None for the one that Rally uses
    :raises InvalidInput: when there is no such environment
    """
    wanted = environment or envutils.get_global(envutils.ENV_ENV)
    if not wanted:
        raise exceptions.InvalidInput(
            "Rally uses no environment. Create one with `rally env create "
            "--from-sysenv`, or select one with --env."
        )
    try:
        platforms = env_mgr.EnvManager.get(wanted).data["platforms"]
    except rally_exceptions.RallyException as error:
        raise exceptions.InvalidInput(
            f"Rally has no environment {wanted!r}: {error}"
        ) from error
    openstack = platforms.get("openstack") or {}
    return openstack.get("platform_data") or {}


def log_in(given: Mapping[str, Any]) -> tuple[Any, str | None, str | None]:
    """Log in with a credential of a Rally environment.

    :returns: the session, the name of the region and the interface
    :raises Unreadable: when Keystone refuses or does not answer
    """
    with reading.readable("Keystone"):
        access = clients.session_of(clients.log_in(given))
        access[0].get_token()
    return access


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align the cells of a table in columns.

    :param rows: the headings, and then the cells of each row
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    # The last column may be long.
    widths[-1] = 0
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _fail(program: str, error: object, status: int) -> int:
    sys.stderr.write(f"{program}: {error}\n")
    return status
