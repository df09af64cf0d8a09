"""Processes, identified so that a reused pid causes no mix-up."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The states in proc(5) of a process that has ended: zombie, dead.
GONE = ("Z", "X", "x")


@dataclass(frozen=True)
class Process:
    """A process, identified by its pid and start.

    :param pid: of the process
    :param start_ticks: its start in the kernel's clock ticks; the time of day
        that tools calculate from it changes when the clock is set
    """

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, record: Mapping[str, Any] | None) -> Process | None:
        """Create it from a record; return None if there is no record."""
        if not record:
            return None
        return cls(int(record["pid"]), int(record["start_ticks"]))

    @classmethod
    def running(cls, pid: int) -> Process:
        """Identify a running process; if it has ended, it is never alive."""
        return cls(pid, _stat(pid)[1])

    def record(self) -> dict[str, int]:
        return {"pid": self.pid, "start_ticks": self.start_ticks}

    def alive(self) -> bool:
        state, start_ticks = _stat(self.pid)
        return state not in GONE and start_ticks == self.start_ticks

    def kill_group(self, deadline_s: float = 5.0) -> None:
        """Kill it and its process group, and wait until it has ended."""
        end = time.monotonic() + deadline_s
        while self.alive() and time.monotonic() < end:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            time.sleep(0.02)


def _stat(pid: int) -> tuple[str, int]:
    """Read a process's state and start: fields 3 and 22 in proc(5)."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "X", -1
    # The second field, the name, may contain spaces and parentheses.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])
