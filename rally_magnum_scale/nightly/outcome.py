"""The outcome of a night: chat message, JSON summary and exit status."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Self

from rally_magnum_scale import files
from rally_magnum_scale.history import storage

SCHEMA = 1

EXIT_INTERRUPTED = 130
# From the best to the worst.  A confirmed regression counts as a failed SLA,
# and a failed comparison counts as an invalid run.
EXITS = {
    storage.HOLDS: 0,
    storage.FAILS: 1,
    storage.INVALID: 2,
    storage.BROKEN: 3,
}


@dataclasses.dataclass(frozen=True)
class TaskOutcome:
    """The outcome of one task of a night.

    :param state: one of :data:`~rally_magnum_scale.history.storage.STATES`
    :param uuid: Rally's uuid of the task; empty if it never started
    :param worse: metrics that are worse than in previous runs by more than
        noise
    :param suspected: metrics that may be worse, until the next run confirms
        or refutes it
    :param beside_last: metrics that are worse than in the last run, if there
        are too few runs to tell a change from noise
    :param page: name of its page in the night's folder, if there is one
    :param not_compared: comparisons with previous runs that were not
        possible
    :param learning: how many runs there are to compare with, as long as
        these are too few
    """

    name: str
    state: str
    sentence: str
    took_s: float = 0.0
    uuid: str = ""
    worse: tuple[str, ...] = ()
    suspected: tuple[str, ...] = ()
    beside_last: tuple[str, ...] = ()
    page: str = ""
    not_compared: tuple[str, ...] = ()
    learning: tuple[str, ...] = ()

    @property
    def exit(self) -> int:
        return max(
            EXITS[self.state],
            EXITS[storage.FAILS] if self.worse else 0,
            EXITS[storage.INVALID] if self.not_compared else 0,
        )


@dataclasses.dataclass(frozen=True)
class Night:
    """The outcome of a night.

    :param began_s: start time, seconds since 1970
    :param error: why the cloud could not be used; empty if it could
    :param notes: what was cleaned up after previous nights
    """

    name: str
    began_s: float
    took_s: float
    cloud: str
    tasks: tuple[TaskOutcome, ...] = ()
    error: str = ""
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def state(self) -> str:
        """The worst state of its tasks."""
        if self.error or not self.tasks:
            return storage.BROKEN
        return max((one.state for one in self.tasks), key=EXITS.__getitem__)

    @property
    def exit(self) -> int:
        """The exit status: the largest of all tasks."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        return max(EXITS[self.state], *(one.exit for one in self.tasks), 0)

    @property
    def headline(self) -> str:
        worse = sum(bool(one.worse) for one in self.tasks)
        count = len(self.tasks)
        words = f"{self.state}, {count} task{'' if count == 1 else 's'}"
        if worse:
            words += f", {worse} of them worse than before"
        gaps = sum(bool(one.not_compared) for one in self.tasks)
        if gaps:
            words += f", {gaps} of them not fully compared"
        if self.interrupted:
            words += ", interrupted"
        return f"{words}, in {words_of(self.took_s)} on {self.cloud}"

    def text(self) -> str:
        """Return a summary of a few lines, suitable for a chat message."""
        lines = [f"Night {self.name}: {self.headline} (exit {self.exit})"]
        lines += [f"! {one}" for one in (self.error, *self.notes) if one]
        for task in self.tasks:
            lines.append(f"- {task.name}: {task.state}. {task.sentence}")
            lines += _labelled("worse", task.worse)
            lines += _labelled(
                "suspected, until the next night", task.suspected
            )
            lines += _labelled(
                "compared with the last night", task.beside_last
            )
            lines += _labelled("not compared", task.not_compared)
            lines += [f"    {one}" for one in task.learning]
        return "\n".join(lines) + "\n"

    def write(self, path: pathlib.Path) -> None:
        """Write the summary atomically, for programs and the nights' page."""
        content = {
            "summary": SCHEMA,
            **dataclasses.asdict(self),
            "state": self.state,
            "exit": self.exit,
            "headline": self.headline,
        }
        files.atomic_write(path, json.dumps(content, indent=2) + "\n")

    @classmethod
    def read(cls, path: pathlib.Path) -> Self:
        """Read a summary that :meth:`write` wrote.

        :raises ValueError: when the file is not a summary
        """
        try:
            found: Mapping[str, Any] = json.loads(path.read_text())
            known = {f.name: found[f.name] for f in dataclasses.fields(cls)}
            known["tasks"] = tuple(map(_read_task, known["tasks"]))
            known["notes"] = tuple(known["notes"])
            return cls(**known)
        except (KeyError, TypeError, OSError) as error:
            raise ValueError(f"{path} is not a summary: {error}") from error


# Maximum number of lines per label and task, so that a chat message stays
# readable.  The page shows all.
MAX_LINES = 5


def words_of(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    words = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(words) or "0 s"


def _labelled(label: str, found: Sequence[str]) -> list[str]:
    lines = [f"    {label}: {one}" for one in found[:MAX_LINES]]
    more = len(found) - MAX_LINES
    return [*lines, f"    … and {more} more"] if more > 0 else lines


def _read_task(found: Mapping[str, Any]) -> TaskOutcome:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in found.items()
    }
    return TaskOutcome(**values)
