"""What a night came to: for a chat, for a program, and as an exit status."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import Self

from rally_magnum_scale import files
from rally_magnum_scale.report import history

SCHEMA = 1

EXIT_INTERRUPTED = 130
# From the best to the worst; a regression that is confirmed counts as an
# SLA that failed, and what could not be compared as a run that is invalid.
EXITS = {
    history.HOLDS: 0,
    history.FAILS: 1,
    history.INVALID: 2,
    history.BROKEN: 3,
}


@dataclasses.dataclass(frozen=True)
class Task:
    """What one task of a night came to.

    :param name: as the settings have it
    :param state: one of :data:`~rally_magnum_scale.report.history.STATES`
    :param sentence: what came out, in words
    :param took_s: how long it ran
    :param uuid: of Rally; empty when it never started
    :param worse: what is worse than in the runs before, and is no noise
    :param suspected: what is, till the next run confirms it
    :param beside_last: what is worse than in the last run, where there are
        too few to tell noise
    :param page: name of its page in the night's folder, if there is one
    :param not_compared: what should have been compared with the runs before
        and could not be
    :param learning: how many runs there are to compare with, while there are
        too few
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
        """The exit status that it alone would give."""
        return max(
            EXITS[self.state],
            EXITS[history.FAILS] if self.worse else 0,
            EXITS[history.INVALID] if self.not_compared else 0,
        )


@dataclasses.dataclass(frozen=True)
class Night:
    """What a night came to.

    :param name: of its folder
    :param began_s: epoch seconds
    :param took_s: how long it ran
    :param cloud: on which
    :param error: why the cloud could not be reached, if so
    :param notes: what was cleaned up of nights before
    :param interrupted: whether it was asked to stop
    """

    name: str
    began_s: float
    took_s: float
    cloud: str
    tasks: tuple[Task, ...] = ()
    error: str = ""
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def state(self) -> str:
        """The worst state of its tasks."""
        if self.error or not self.tasks:
            return history.BROKEN
        return max((one.state for one in self.tasks), key=EXITS.__getitem__)

    @property
    def exit(self) -> int:
        """The exit status: the worst of all."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        return max(EXITS[self.state], *(one.exit for one in self.tasks), 0)

    @property
    def headline(self) -> str:
        """The night in a line."""
        worse = sum(bool(one.worse) for one in self.tasks)
        said = f"{self.state}, {_count(len(self.tasks), 'task')}"
        if worse:
            said += f", {worse} of them worse than before"
        gaps = sum(bool(one.not_compared) for one in self.tasks)
        if gaps:
            said += f", {gaps} of them not compared with all before"
        if self.interrupted:
            said += ", interrupted"
        return f"{said}, in {words_of(self.took_s)} on {self.cloud}"

    def text(self) -> str:
        """Sum it up in a few lines, fit for a chat message."""
        lines = [f"Night {self.name}: {self.headline} (exit {self.exit})"]
        lines += [f"! {one}" for one in (self.error, *self.notes) if one]
        for task in self.tasks:
            lines.append(f"- {task.name}: {task.state}. {task.sentence}")
            lines += _told("worse", task.worse)
            lines += _told("suspected, till the next night", task.suspected)
            lines += _told("beside the last night alone", task.beside_last)
            lines += _told("not compared", task.not_compared)
            lines += [f"    {one}" for one in task.learning]
        return "\n".join(lines) + "\n"

    def write(self, path: pathlib.Path) -> None:
        """Write it, whole, for programs and the page over the nights."""
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
        """Read what :meth:`write` wrote.

        :raises ValueError: when it is something else
        """
        try:
            found: Mapping[str, Any] = json.loads(path.read_text())
            known = {f.name: found[f.name] for f in dataclasses.fields(cls)}
            known["tasks"] = tuple(map(_read_task, known["tasks"]))
            known["notes"] = tuple(known["notes"])
            return cls(**known)
        except (KeyError, TypeError, OSError) as error:
            raise ValueError(f"{path} is no summary: {error}") from error


# Of a kind and a task; more would drown what a chat message is for.  The page
# has all.
MOST_TOLD = 5


def words_of(seconds: float) -> str:
    """Say a duration in hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    said = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(said) or "0 s"


def _told(label: str, found: Sequence[str]) -> list[str]:
    lines = [f"    {label}: {one}" for one in found[:MOST_TOLD]]
    more = len(found) - MOST_TOLD
    return [*lines, f"    … and {more} more"] if more > 0 else lines


def _read_task(found: Mapping[str, Any]) -> Task:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in found.items()
    }
    return Task(**values)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
