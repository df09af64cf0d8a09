"""Servers that a run has let fail, noted beside the mark of the run.

Nodes of a bay that stays must be mended, also when nobody of the run is left
to do it.  Each has a file of its own from before it fails until it is
mended, so that processes of one run never write the same one.
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

# What a scenario finds in its context: the path of the mark of its run.
KEY = "magnum_scale_run_mark"


class Notes:
    """The servers that are to be mended for a run.

    :param mark: path of the run's mark
    """

    def __init__(self, mark: pathlib.Path) -> None:
        self._mark = mark

    def enter(self, loss: machines.Loss) -> None:
        """Note a server that is about to fail, on disk and whole.

        :raises MachineError: when it can't be written; nothing may fail
            that nobody would mend
        """
        text = json.dumps(dataclasses.asdict(loss))
        try:
            files.atomic_write(self._path(loss.machine), text)
        except OSError as error:
            raise exceptions.MachineError(
                f"The server {loss.machine} is left as it is, since what "
                f"would mend it can't be noted: {error}."
            ) from error

    def strike(self, machine: str) -> None:
        """Remove the note of a server that is mended."""
        self._path(machine).unlink(missing_ok=True)

    def paths(self) -> list[pathlib.Path]:
        """Return the files of all servers that are not mended."""
        return sorted(self._mark.parent.glob(f"{self._mark.stem}.*.lost"))

    def _path(self, machine: str) -> pathlib.Path:
        return self._mark.with_name(f"{self._mark.stem}.{machine}.lost")


def recover(
    mark: pathlib.Path,
    opened: Sequence[Callable[[Notes], machines.Machines]],
    report: Callable[[str], None],
) -> list[str]:
    """Mend what a dead run has let fail.

    :param mark: path of its mark
    :param opened: for each project that the credentials reach, what makes
        its servers
    :param report: gets a sentence for each server that is found no more
    :returns: a sentence for each server that could not be mended
    :raises Interrupted: when this run is asked to stop meanwhile
    """
    notes = Notes(mark)
    paths = notes.paths()
    known = [make(notes) for make in opened] if paths else []
    return [
        sentence
        for path in paths
        if (sentence := _recover_one(path, known, notes, report))
    ]


def _recover_one(
    path: pathlib.Path,
    known: Sequence[machines.Machines],
    notes: Notes,
    report: Callable[[str], None],
) -> str:
    try:
        content = json.loads(path.read_text())
        loss = machines.Loss(**{**content, "ports": tuple(content["ports"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        return (
            f"The note {path} of a server that a dead run has let fail can't "
            f"be read: {error}; see to that server, and delete the note."
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
    report(
        f"The server {loss.machine}, which a dead run has let fail by "
        f"{loss.how!r}, is gone, or belongs to a project that these "
        "credentials do not reach: if so, mend it by hand."
    )
    notes.strike(loss.machine)
    return ""
