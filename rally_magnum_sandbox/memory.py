"""The memory usage of processes."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True)
class Memory:
    """The memory of several processes.

    :param size_bytes: the sum over the processes
    :param kind: ``pss``, which counts shared memory once, or ``rss``, which
        counts it for each process and is used if the kernel hides the PSS
    """

    size_bytes: int
    kind: str


def of_processes(pids: Iterable[int], proc: str = "/proc") -> Memory:
    """Add up the memory of processes; those that have ended count as 0.

    :param pids: of the processes
    :param proc: where procfs is mounted
    """
    sizes, kind = [], "pss"
    for pid in pids:
        size = _pss_bytes(pathlib.Path(proc, str(pid), "smaps_rollup"))
        if size is None:
            kind, size = "rss", _rss_bytes(pathlib.Path(proc, str(pid)))
        sizes.append(size)
    return Memory(sum(sizes), kind)


def _pss_bytes(rollup: pathlib.Path) -> int | None:
    try:
        found = PSS.search(rollup.read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except OSError:
        return None
    return int(found[1]) * 1024 if found else 0


def _rss_bytes(folder: pathlib.Path) -> int:
    with contextlib.suppress(psutil.Error, OSError):
        pages = int((folder / "statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0
