"""``python -m rally_magnum_scale.sandbox.bay create|delete FOLDER``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rally_magnum_scale import exceptions
from rally_magnum_scale.sandbox.bay import cgroups
from rally_magnum_scale.sandbox.bay import creation
from rally_magnum_scale.sandbox.bay import deletion
from rally_magnum_scale.sandbox.bay import spec as bay_spec


def main(arguments: list[str] | None = None) -> int:
    """Make or remove a bay.

    :param arguments: the command line without the program's name
    :returns: 0, or 1 when the bay failed or something of it stays
    """
    parser = argparse.ArgumentParser(
        prog="python -m rally_magnum_scale.sandbox.bay", description=__doc__
    )
    parser.add_argument("command", choices=("create", "delete"))
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    folder = options.folder.absolute()
    try:
        if options.command == "delete":
            deletion.delete(folder)
            return 0
        # In the bay's own group, so that a removal ends this process too.
        cgroups.CgroupTree(bay_spec.read_spec(folder).cgroup).enter(
            os.getpid()
        )
        status = creation.create(folder)
    except exceptions.ScaleError as error:
        print(error, file=sys.stderr)
        return 1
    print(status.get("reason") or f"{status['status']}: {status['seconds']}")
    return 0 if status["status"] == creation.COMPLETE else 1


if __name__ == "__main__":
    sys.exit(main())
