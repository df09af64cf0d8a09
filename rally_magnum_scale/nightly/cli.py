"""The command ``rally-magnum-nightly``."""

from __future__ import annotations

import argparse
import pathlib
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from rally_magnum_scale import commands
from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.nightly import night
from rally_magnum_scale.nightly import outcome
from rally_magnum_scale.nightly import settings as nightly_settings

EXIT_FAILED = 3
DESCRIPTION = """\
Run a list of Rally tasks against a cloud, keep what they came to in a dated
folder, and say whether it holds and what is worse than before.
"""
EPILOG = """\
Exit status: 0 when all bounds hold and nothing is known to be worse, 1 when
an SLA failed or a metric is worse than in the runs before, 2 when a run was
invalid or could not be compared with those before, 3 when the arguments, the
settings, the cloud, the set-up or the program itself failed, a run broke (a
task, a context or an iteration failed, or a context could not clean up), a
deadline was met or another night has the folder, 130 after Ctrl-C or SIGTERM.
Of several the largest.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: of the command line
    :returns: the exit status
    :raises SystemExit: with 3 when the arguments are wrong
    """
    options = _parser().parse_args(arguments)
    handlers = interruption.install()
    try:
        return _run(options.settings)
    except exceptions.Interrupted as error:
        sys.stderr.write(f"rally-magnum-nightly: {error}\n")
        return outcome.EXIT_INTERRUPTED
    except (exceptions.ScaleError, OSError) as error:
        sys.stderr.write(f"rally-magnum-nightly: {error}\n")
        return EXIT_FAILED
    except Exception:
        # Python's own exit status, 1, is that of an SLA that failed.
        sys.stderr.write(
            f"{traceback.format_exc()}rally-magnum-nightly: this is a fault "
            "of the program itself; please report it with the lines above.\n"
        )
        return EXIT_FAILED
    finally:
        interruption.restore(handlers)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Complain; with argparse's own 2 a run would be called invalid."""
        self.print_usage(sys.stderr)
        self.exit(EXIT_FAILED, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rally-magnum-nightly", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument(
        "settings",
        type=pathlib.Path,
        help="the YAML file that says what runs, and where",
    )
    return parser


def _run(path: pathlib.Path) -> int:
    settings = nightly_settings.read(path)
    return night.run(settings, commands.Progress(), _tell).exit


def _tell(came_out: outcome.Night) -> None:
    sys.stdout.write(came_out.text())
    sys.stdout.flush()
