"""A bay's folder, in which the state of Magnum's driver survives restarts.

Besides the files that :mod:`rally_magnum_sandbox.bay` documents (spec.json,
ca.crt, ca.key, status.json, bay.log), a folder contains ``magnum.json``: when
the bay was requested, and which processes work on it.
"""

from __future__ import annotations

import contextlib
import pathlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay import process
from rally_magnum_scale import commands
from rally_magnum_scale import file_locks

BAY_MODULE = "rally_magnum_sandbox.bay"
Process = process.Process
read_json = files.read_json
write_json = files.write_json


@dataclass(frozen=True)
class Bays:
    """All bays of a sandbox.

    :param folder: contains one folder for each bay, named by the first
        eight digits of its uuid. The name is short because the paths of the
        sockets below it can have at most 107 characters.
    """

    folder: pathlib.Path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock out every other process that creates or removes a bay."""
        with file_locks.locked(self.folder / ".lock"):
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
        """Read the paths of the Kubernetes binary and the image store."""
        found = read_json(self.folder / "artifacts.json")
        if not found:
            raise exceptions.SandboxError(
                "The sandbox has no Kubernetes binary yet. Run "
                "`rally-magnum-sandbox up` and wait until it has finished."
            )
        return found

    def kubernetes_version(self) -> str:
        """Return the version that bays get, or an empty text."""
        known = read_json(self.folder / "artifacts.json")
        return str(known.get("kubernetes_version", ""))

    def tombstone(self, uuid: str) -> pathlib.Path:
        """Return the path of the file that records a bay's delete request."""
        return self.folder / f".{uuid}.deleted"

    def delete_log(self, uuid: str) -> pathlib.Path:
        """Return the path of a delete's log, outside the removed folder."""
        return self.folder / f".{uuid}.delete.log"

    def free_index(self, indexes: range) -> int:
        """Choose the index that has been free for the longest time.

        This avoids that a client of a deleted bay reaches a new bay at the
        same address.

        :param indexes: the sandbox's indexes
        :raises SandboxError: if all indexes are in use
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
            f"The sandbox already has {len(indexes)} bays, the maximum. "
            "Delete a bay first."
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
        """Read the result of the create; empty if it is still running."""
        return read_json(self.folder / "status.json")

    def update(self) -> dict[str, Any]:
        """Read the result of the last resize; empty if it is still running."""
        found = read_json(self.folder / "update.json")
        wish = read_json(self.folder / "wish.json")
        return found if found.get("wish") == wish.get("number") else {}

    def wish(
        self, node_count: int, real_nodes: int, remove: list[str]
    ) -> None:
        """Record the bay's desired size.

        This kills a resize that is still running. The new size keeps the list
        of nodes that the killed resize had to remove.

        :param node_count: desired number of nodes
        :param real_nodes: desired number of real nodes among them
        :param remove: nodes that must be removed
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
        """Finish the last resize with a status, without changing the bay."""
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
        """Add to the bay's notes."""
        write_json(self.folder / "magnum.json", self.notes() | values)

    def log_tail(self) -> str:
        return commands.last_line(self.folder / "bay.log")


def start_bay_command(command: str, bay: Bay, output: pathlib.Path) -> Process:
    """Start a command on a bay, such as ``create``, in its own session.

    :param command: of :mod:`rally_magnum_sandbox.bay`
    :param bay: the bay
    :param output: gets what the command prints
    """
    # In a control group of its own, so that a create continues when Magnum
    # is killed and restarted.
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
    # Reap the child, or it stays as a zombie.
    threading.Thread(target=child.wait, daemon=True).start()
    return started
