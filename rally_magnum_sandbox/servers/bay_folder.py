"""A bay as its folder: what Magnum's driver knows survives a restart.

Beside the files that :mod:`rally_magnum_sandbox.bay` documents
(spec.json, ca.crt, ca.key, status.json, bay.log) a folder holds
``magnum.json``: when it was asked for and which processes work on it.
"""

from __future__ import annotations

import contextlib
import fcntl
import pathlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rally_magnum_sandbox import cgroups
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay import process
from rally_magnum_scale import commands

BAY_MODULE = "rally_magnum_sandbox.bay"
Process = process.Process
read_json = files.read_json
write_json = files.write_json


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

    def free_index(self, indexes: range) -> int:
        """Choose an index, the one that was free for the longest time.

        A client of a bay that is gone must not meet its successor.

        :param indexes: those of the sandbox
        :raises SandboxError: when there are as many bays as indexes
        """
        taken = {bay.spec().get("index") for bay in self.all()}
        note = self.folder / ".last-index.json"
        last = int(read_json(note).get("index", indexes.stop - 1))
        for step in range(len(indexes)):
            index = indexes[(last + 1 - indexes.start + step) % len(indexes)]
            if index not in taken:
                write_json(note, {"index": index})
                return index
        raise exceptions.SandboxError(
            f"The sandbox already has {len(indexes)} bays; delete one first."
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

    def update(self) -> dict[str, Any]:
        """Read what the last resize came to, or nothing yet."""
        found = read_json(self.folder / "update.json")
        wish = read_json(self.folder / "wish.json")
        return found if found.get("wish") == wish.get("number") else {}

    def wish(
        self, node_count: int, real_nodes: int, remove: list[str]
    ) -> None:
        """Write down what the bay is to become.

        A resize that works is ended; of its wish, which nodes were to go
        is kept.

        :param node_count: how many nodes there are to be
        :param real_nodes: how many of them should be real
        :param remove: nodes that must go
        """
        earlier = read_json(self.folder / "wish.json")
        resizer = Process.of(self.notes().get("resizer"))
        unfinished: list[str] = []
        if resizer is not None and resizer.alive():
            resizer.kill_group()
            if not self.update():
                unfinished = earlier["remove"] + earlier["if_there"]
        write_json(
            self.folder / "wish.json",
            {
                "number": earlier.get("number", 0) + 1,
                "node_count": node_count,
                "real_nodes": real_nodes,
                "remove": remove,
                "if_there": unfinished,
            },
        )

    def refuse_wish(self, status: str, reason: str) -> None:
        """End the last wish without doing anything."""
        wish = read_json(self.folder / "wish.json")
        write_json(
            self.folder / "update.json",
            {
                "wish": wish["number"],
                "status": status,
                "reason": reason,
                "node_count": self.spec()["node_count"],
            },
        )

    def notes(self) -> dict[str, Any]:
        return read_json(self.folder / "magnum.json")

    def note(self, **values: Any) -> None:
        """Add to what is remembered of the bay."""
        write_json(self.folder / "magnum.json", self.notes() | values)

    def log_tail(self) -> str:
        return commands.last_line(self.folder / "bay.log")


def start_bay_command(command: str, bay: Bay, output: pathlib.Path) -> Process:
    """Start a command on a bay, such as ``create``, in its own session.

    :param command: of :mod:`rally_magnum_sandbox.bay`
    :param bay: the bay
    :param output: gets what the command prints
    """
    # Apart from Magnum's own group: a bay that is being made goes on when
    # Magnum is killed and started again.
    arguments = [sys.executable, "-m", BAY_MODULE, command, str(bay.folder)]
    cloud = sandbox_settings.from_environment().cloud_cgroup
    with output.open("ab") as stream:
        child = subprocess.Popen(
            cgroups.entering(f"{cloud}/bays", arguments),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/",
        )
    started = Process.running(child.pid)
    # Someone must collect it, or it stays as a zombie.
    threading.Thread(target=child.wait, daemon=True).start()
    return started
