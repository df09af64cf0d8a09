"""Peak memory of a process."""

from __future__ import annotations

import re
from pathlib import Path

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def peak_bytes(process: int | str = "self") -> int | None:
    """Return the peak resident memory of a process, in bytes.

    This is the kernel's ``VmHWM`` (proc(5)).  The ``ru_maxrss`` of
    getrusage(2) is unsuitable: it starts with the value of the process that
    started the program.

    :param process: id of the process
    :returns: None where the kernel does not show it, or the process is gone
    """
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = _PEAK.search(status)
    return int(found[1]) * 1024 if found else None
