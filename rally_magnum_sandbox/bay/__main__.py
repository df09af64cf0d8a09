"""``python -m rally_magnum_sandbox.bay COMMAND FOLDER``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import creation
from rally_magnum_sandbox.bay import deletion
from rally_magnum_sandbox.bay import machines
from rally_magnum_sandbox.bay import repair
from rally_magnum_sandbox.bay import resizing
from rally_magnum_sandbox.bay import spec as bay_spec

COMMANDS = ("create", "resize", "repair", "machines", "delete")


def main(arguments: list[str] | None = None) -> int:
    """Create, resize, repair or remove a bay, or make its machines fail.

    :param arguments: the command line without the program's name
    :returns: 0 on success, 1 if the command failed
    """
    parser = argparse.ArgumentParser(
        prog="python -m rally_magnum_sandbox.bay", description=__doc__
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    try:
        return _run(options.command, options.folder.absolute())
    except exceptions.ScaleError as error:
        print(error, file=sys.stderr)
        return 1


def _run(command: str, folder: Path) -> int:
    if command == "delete":
        deletion.delete(folder)
        return 0
    # Join the bay's control group, so that a delete kills this process too.
    cgroups.CgroupTree(bay_spec.read_spec(folder).cgroup).enter(os.getpid())
    if command == "repair":
        repair.repair(folder, _print)
        return 0
    if command == "machines":
        machines.settle(folder, _print)
        return 0
    return _print_result(
        creation.create(folder)
        if command == "create"
        else resizing.resize(folder)
    )


def _print(line: str) -> None:
    print(line, flush=True)


def _print_result(status: dict[str, Any]) -> int:
    print(status.get("reason") or f"{status['status']}: {status['seconds']}")
    return 0 if str(status["status"]).endswith("_COMPLETE") else 1


if __name__ == "__main__":
    sys.exit(main())
