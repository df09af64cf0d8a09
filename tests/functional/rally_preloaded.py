"""Everything that Rally imports; see :mod:`tests.functional.rally_cli`."""

from rally import plugins
from rally.cli.main import main

__all__ = ["main"]

plugins.load()
