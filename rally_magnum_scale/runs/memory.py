"""How much memory a process has had."""

from __future__ import annotations

import re
from pathlib import Path

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


def peak_bytes(process: int | str = "self") -> int | None:
    """Return the most resident memory that a process has had, in bytes.

    It is the kernel's ``VmHWM`` (proc(5)).  The ``ru_maxrss`` of getrusage(2)
    won't do: it begins with that of the process which started the program.

    :param process: its id
    :returns: None where the kernel does not tell, or no longer
    """
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = _PEAK.search(status)
    return int(found[1]) * 1024 if found else None
