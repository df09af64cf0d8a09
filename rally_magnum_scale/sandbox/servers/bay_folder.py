"""A bay as its folder: what Magnum's driver knows survives a restart.

Beside the files that :mod:`rally_magnum_scale.sandbox.bay` documents
(spec.json, ca.crt, ca.key, status.json, bay.log) a folder holds
``magnum.json``: when it was asked for and which processes work on it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale.sandbox import cgroups

INDEXES = 251
# States of proc(5) of a process that has ended: zombie, dead.
GONE = ("Z", "X", "x")
BAY_MODULE = "rally_magnum_scale.sandbox.bay"


@dataclass(frozen=True)
class Bays:
    """All bays of a sandbox.

    :param folder: one folder in it for each bay, named by the first
        eight digits of its uuid: there are sockets below it, whose paths
        can't be longer than 107 characters
    """

    folder: pathlib.Path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep out every other process that makes or removes a bay."""
        with (self.folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def bay(self, uuid: str) -> Bay:
        return Bay(self.folder / uuid[:8])

    def all(self) -> list[Bay]:
        """List the bays whose folder exists."""
        if not self.folder.is_dir():
            return []
        specs = sorted(self.folder.glob("*/spec.json"))
        return [Bay(spec.parent) for spec in specs]

    def artifacts(self) -> dict[str, Any]:
        """Read where the Kubernetes binary and the image archive are."""
        found = read_json(self.folder / "artifacts.json")
        if not found:
            raise exceptions.SandboxError(
                "The sandbox has no Kubernetes binary yet; run "
                "`rally-magnum-sandbox up` and wait for its last line."
            )
        return found

    def tombstone(self, uuid: str) -> pathlib.Path:
        """Name the file that says that a bay was asked to be removed."""
        return self.folder / f".{uuid}.deleted"

    def delete_log(self, uuid: str) -> pathlib.Path:
        """Name the output of a removal; the bay's own folder is removed."""
        return self.folder / f".{uuid}.delete.log"

    def free_index(self) -> int:
        """Choose an index, the one that was free for the longest time.

        A client of a bay that is gone must not meet its successor.

        :raises SandboxError: when there are as many bays as indexes
        """
        taken = {bay.spec().get("index") for bay in self.all()}
        last = read_json(self.folder / ".last-index.json").get("index", -1)
        for step in range(1, INDEXES + 1):
            index = int((last + step) % INDEXES)
            if index not in taken:
                write_json(self.folder / ".last-index.json", {"index": index})
                return index
        raise exceptions.SandboxError(
            f"The sandbox already has {INDEXES} bays; delete one first."
        )


@dataclass(frozen=True)
class Bay:
    """One bay of the sandbox."""

    folder: pathlib.Path

    @property
    def uuid(self) -> str:
        return str(self.spec().get("uuid", self.folder.name))

    def spec(self) -> dict[str, Any]:
        return read_json(self.folder / "spec.json")

    def status(self) -> dict[str, Any]:
        """Read what the bay's maker reported, or nothing."""
        return read_json(self.folder / "status.json")

    def notes(self) -> dict[str, Any]:
        return read_json(self.folder / "magnum.json")

    def note(self, **values: Any) -> None:
        """Add to what is remembered of the bay."""
        write_json(self.folder / "magnum.json", self.notes() | values)

    def log_tail(self) -> str:
        return last_line(self.folder / "bay.log")


@dataclass(frozen=True)
class Process:
    """A process that can't be mistaken for one that later got its pid.

    :param pid: of the process
    :param start_ticks: when it started, in the kernel's own count: the
        time of day that tools make of it moves with the clock
    """

    pid: int
    start_ticks: int

    @classmethod
    def of(cls, record: dict[str, Any] | None) -> Process | None:
        """Read it from a record, if there is one."""
        if not record:
            return None
        return cls(int(record["pid"]), int(record["start_ticks"]))

    @classmethod
    def running(cls, pid: int) -> Process:
        """Look at a process now; one that is gone never was alive."""
        return cls(pid, _stat(pid)[1])

    def record(self) -> dict[str, int]:
        return {"pid": self.pid, "start_ticks": self.start_ticks}

    def alive(self) -> bool:
        state, start_ticks = _stat(self.pid)
        return state not in GONE and start_ticks == self.start_ticks

    def kill_group(self, deadline_s: float = 5.0) -> None:
        """Kill it and its process group, and wait until it is gone."""
        end = time.monotonic() + deadline_s
        while self.alive() and time.monotonic() < end:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            time.sleep(0.02)


def _stat(pid: int) -> tuple[str, int]:
    """Read a process's state and start; proc(5), fields 3 and 22."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "X", -1
    # The second field, the name, may hold spaces and brackets.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def start_bay_command(command: str, bay: Bay, output: pathlib.Path) -> Process:
    """Start ``create`` or ``delete`` of a bay in a session of its own.

    :param command: of :mod:`rally_magnum_scale.sandbox.bay`
    :param bay: the bay
    :param output: gets what the command prints
    """
    # Apart from Magnum's own group: a bay that is being made goes on when
    # Magnum is killed and started again.
    arguments = [sys.executable, "-m", BAY_MODULE, command, str(bay.folder)]
    with output.open("ab") as stream:
        child = subprocess.Popen(
            cgroups.entering(f"{cgroups.CLOUD}/bays", arguments),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    process = Process.running(child.pid)
    # Someone must collect it, or it stays as a zombie.
    threading.Thread(target=child.wait, daemon=True).start()
    return process


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """Read an object, or an empty one if there is no such file."""
    try:
        return dict(json.loads(path.read_text()))
    except FileNotFoundError:
        return {}


def write_json(path: pathlib.Path, content: dict[str, Any]) -> None:
    """Write an object so that no reader sees half of it."""
    draft = path.with_name(
        f"{path.name}.{os.getpid()}.{threading.get_ident()}"
    )
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(content))
    draft.replace(path)


def last_line(path: pathlib.Path) -> str:
    """Read the last line that is not empty, or an empty string."""
    try:
        text = path.read_bytes()[-4096:].decode(errors="replace")
    except FileNotFoundError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
