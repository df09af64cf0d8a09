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
Run a list of Rally tasks against a cloud, keep the results in a dated folder,
and report whether all bounds hold and which metrics are worse than before.
"""
EPILOG = """\
Exit status: 0 if all bounds hold and no metric is worse than before; 1 if an
SLA failed or a metric is worse than in previous runs; 2 if a run was invalid
or could not be compared with previous runs; 3 if the arguments, the settings,
the cloud, the set-up or the program itself failed, if a run is broken (a task,
a context or an iteration failed, or a context could not clean up), if a
deadline passed, or if another night uses the folder; 130 after Ctrl-C or
SIGTERM. If several apply, the largest counts.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :raises SystemExit: with 3 when the arguments are wrong
    """
    options = _parser().parse_args(arguments)
    handlers = interruption.install()
    try:
        settings = nightly_settings.read(options.settings)
        return night.run(settings, commands.Progress(), _print_summary).exit
    except exceptions.Interrupted as error:
        sys.stderr.write(f"rally-magnum-nightly: {error}\n")
        return outcome.EXIT_INTERRUPTED
    except (exceptions.ScaleError, OSError) as error:
        sys.stderr.write(f"rally-magnum-nightly: {error}\n")
        return EXIT_FAILED
    except Exception:
        # Python's own exit status for errors, 1, means a failed SLA here.
        sys.stderr.write(
            f"{traceback.format_exc()}rally-magnum-nightly: this is a bug in "
            "the program. Please report it with the lines above.\n"
        )
        return EXIT_FAILED
    finally:
        interruption.restore(handlers)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with 3, because argparse's own 2 means an invalid run here."""
        self.print_usage(sys.stderr)
        self.exit(EXIT_FAILED, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rally-magnum-nightly", description=DESCRIPTION, epilog=EPILOG
    )
    parser.add_argument(
        "settings",
        type=pathlib.Path,
        help="the YAML file with the settings: the tasks and the cloud",
    )
    return parser


def _print_summary(night_: outcome.Night) -> None:
    sys.stdout.write(night_.text())
    sys.stdout.flush()
