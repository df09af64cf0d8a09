"""The processes of the sandbox, found by what they were started with."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil

from rally_magnum_sandbox.bay import cgroups


def find(group: str, *words: str) -> list[psutil.Process]:
    """Return the processes of a control group with these words.

    A process that ends meanwhile is left out.

    :param group: its name, relative to the root; groups below it count too
    :param words: each must be one of the process's arguments, or the name
        of its program or script without the folder
    """
    found = []
    for pid in cgroups.processes(group):
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            line = process.cmdline()
            if set(words) <= {*line, *(Path(word).name for word in line[:2])}:
                found.append(process)
    return found
