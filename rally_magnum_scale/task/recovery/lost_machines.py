"""Notes of servers in which a run injected a fault.

Nodes of a bay that outlives the run must be recovered even if the run is
killed.  A note is a file beside the run marker.  It exists from before the
fault until the server is recovered.  Each server has a file of its own, so
that the processes of a run never write to the same file.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable
from collections.abc import Sequence

from rally_magnum_scale import exceptions
from rally_magnum_scale import files
from rally_magnum_scale.bays import machines

# Key in a scenario's context: the path of the run marker.
KEY = "magnum_scale_run_mark"


class Notes:
    """The servers of a run that need a recovery.

    :param mark: path of the run marker
    """

    def __init__(self, mark: pathlib.Path) -> None:
        self._mark = mark

    def enter(self, loss: machines.Loss) -> None:
        """Write the note of a server before a fault is injected into it.

        :raises MachineError: when the note can't be written; without a
            note, the fault must not be injected
        """
        text = json.dumps(dataclasses.asdict(loss))
        try:
            files.atomic_write(self._path(loss.machine), text)
        except OSError as error:
            raise exceptions.MachineError(
                f"No fault was injected into the server {loss.machine}, "
                "because the note for its recovery can't be written: "
                f"{error}."
            ) from error

    def strike(self, machine: str) -> None:
        """Remove the note of a server that is recovered."""
        self._path(machine).unlink(missing_ok=True)

    def paths(self) -> list[pathlib.Path]:
        """Return the notes of all servers that are not recovered."""
        return sorted(self._mark.parent.glob(f"{self._mark.stem}.*.lost"))

    def _path(self, machine: str) -> pathlib.Path:
        return self._mark.with_name(f"{self._mark.stem}.{machine}.lost")


def recover(
    mark: pathlib.Path,
    opened: Sequence[Callable[[Notes], machines.Machines]],
    log: Callable[[str], None],
) -> list[str]:
    """Recover the servers in which a dead run injected faults.

    :param opened: for each project that the credentials can access, a
        function that opens the project's servers
    :param log: receives a sentence for each server that no longer exists
    :returns: a sentence for each server that could not be recovered
    :raises Interrupted: when this run is interrupted meanwhile
    """
    notes = Notes(mark)
    paths = notes.paths()
    known = [make(notes) for make in opened] if paths else []
    return [
        sentence
        for path in paths
        if (sentence := _recover_one(path, known, notes, log))
    ]


def _recover_one(
    path: pathlib.Path,
    known: Sequence[machines.Machines],
    notes: Notes,
    log: Callable[[str], None],
) -> str:
    try:
        content = json.loads(path.read_text())
        loss = machines.Loss(**{**content, "ports": tuple(content["ports"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        return (
            f"The note {path} of a server in which a dead run injected a "
            f"fault can't be read: {error}. Recover that server by hand, and "
            "delete the note."
        )
    for each in known:
        try:
            each.recover(loss)
        except exceptions.MachineGone:
            continue
        except exceptions.Interrupted:
            raise
        except exceptions.ScaleError as error:
            return str(error)
        return ""
    log(
        f"The server {loss.machine}, in which a dead run injected the fault "
        f"{loss.how!r}, is gone, or belongs to a project that these "
        "credentials can't access. If it still exists, recover it by hand."
    )
    notes.strike(loss.machine)
    return ""
