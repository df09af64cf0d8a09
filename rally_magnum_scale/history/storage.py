"""The history of runs: one JSON object per line, one line per workload.

``docs/reference/history.md`` describes the fields.  The file is replaced
atomically under a lock beside it.  So a killed writer leaves the history
unchanged, and two writers do not overwrite each other's lines.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import Self

from rally_magnum_scale import exceptions
from rally_magnum_scale import file_locks
from rally_magnum_scale import files
from rally_magnum_scale import waiting
from rally_magnum_scale.in_bay.stats import json_record
from rally_magnum_scale.measurement import conditions as run_conditions
from rally_magnum_scale.measurement import metrics as run_metrics
from rally_magnum_scale.measurement import trend

SCHEMA = 1

HOLDS = "holds"
FAILS = "fails"
INVALID = "invalid"
BROKEN = "broken"
# From the best to the worst.
STATES = (HOLDS, FAILS, INVALID, BROKEN)
# States of runs whose values may be compared with others.  Runs that failed a
# bound are included, because the baseline would be too good without them.
COUNTED = (HOLDS, FAILS)

# How long to wait for another writer's lock; a write takes less than 1 s.
LOCK_DEADLINE_S = 60.0
_LOCK_INTERVAL_S = 0.1
# The year 10000, which can't be formatted as a date.
_TOO_LATE_S = 253_402_300_800


@dataclasses.dataclass(frozen=True)
class Judged(json_record.JsonRecord):
    """A bound and its verdict.

    :param name: criterion, bound and place, as in the metric's name
    :param holds: whether the bound holds, on data that counts
    :param value: measured value in ``unit``; None if not measured
    :param bound: None for a bound that no criterion knows
    :param reason: why there is no value, or why it does not count
    """

    name: str
    holds: bool
    value: float | None
    bound: float | None
    unit: str
    at_least: bool
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class StoredRun:
    """One workload of one task.

    :param task: uuid of the task
    :param position: position of the workload in the task, from 1
    :param at_s: start time, in epoch seconds
    :param state: one of :data:`STATES`
    :param sentence: the conclusion in words
    :param title: title of the task
    :param conditions: conditions, which decide with which runs it is
        comparable
    :param judged: all bounds
    :param others: criteria of Rally's own that failed, with their detail
    :param metrics: all measured metrics
    :param link: path of its page, relative to the history; empty if unknown
    """

    task: str
    position: int
    at_s: float
    state: str
    sentence: str
    title: str
    conditions: run_conditions.Conditions
    judged: tuple[Judged, ...] = ()
    others: tuple[str, ...] = ()
    metrics: tuple[run_metrics.Metric, ...] = ()
    link: str = ""

    @property
    def id(self) -> str:
        """The id of the run in the history."""
        return f"{self.task}/{self.position}"

    @property
    def counts(self) -> bool:
        """Whether its values may be compared with other runs."""
        return self.state in COUNTED

    @property
    def name(self) -> str:
        """The title, or the name of the scenario if there is no title."""
        return self.title or self.conditions.scenario

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object of its line."""
        return {"history": SCHEMA, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Self:
        """Read the JSON object of a line; unknown fields are ignored.

        :raises ValueError: when the object is invalid
        """
        try:
            known = {f.name: line[f.name] for f in dataclasses.fields(cls)}
            known["conditions"] = run_conditions.Conditions.from_json(
                known["conditions"]
            )
            known["judged"] = tuple(map(Judged.from_json, known["judged"]))
            known["others"] = tuple(known["others"])
            known["metrics"] = tuple(
                map(run_metrics.Metric.from_json, known["metrics"])
            )
            _check_values(known)
            return cls(**known)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"a field is missing or wrong: {error}") from None


def _check_values(known: dict[str, Any]) -> None:
    """Refuse values that can't be sorted or drawn, or that hide differences.

    :raises ValueError: when a value is invalid; names the field
    """
    at_s, state = known["at_s"], known["state"]
    if not json_record.is_number(at_s) or not 0 <= at_s < _TOO_LATE_S:
        raise ValueError(f"at_s is {at_s!r}, not a time in epoch seconds")
    if state not in STATES:
        raise ValueError(f"state is {state!r}, not one of {', '.join(STATES)}")
    for metric in known["metrics"]:
        if (metric.resolution or 0) < 0:
            raise ValueError(
                f"resolution of {metric.name} is {metric.resolution!r}, not "
                "a number of 0 or more"
            )


def append(path: pathlib.Path, added: Iterable[StoredRun]) -> list[StoredRun]:
    """Add runs to a history; a run with the same id is replaced.

    A missing history is created, unless there is nothing to add, because an
    empty history would look like a lost one.  The write is atomic, even with
    two writers at the same time.

    :returns: all runs of the history
    :raises InvalidInput: when the existing history can't be read, or the
        file can't be written
    :raises DeadlineExceeded: when another writer holds the lock for longer
        than :data:`LOCK_DEADLINE_S`
    :raises Interrupted: when the run is interrupted meanwhile
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            runs = {one.id: one for one in read(path, missing_ok=True)}
            for one in added:
                known = runs.get(one.id, one)
                # A caller that adds a run again may not know its page.
                runs[one.id] = dataclasses.replace(
                    one, link=one.link or known.link
                )
            ordered = sorted(runs.values(), key=lambda one: one.at_s)
            if not ordered:
                return []
            files.atomic_write(path, "".join(map(_line, ordered)))
            return ordered
    except OSError as error:
        raise exceptions.InvalidInput(
            f"The history {path} can't be written: {error.strerror}."
        ) from error


def _line(run: StoredRun) -> str:
    return json.dumps(run.to_json(), separators=(",", ":")) + "\n"


@contextlib.contextmanager
def _locked(path: pathlib.Path) -> Iterator[None]:
    """Lock the history by a file beside it, as the file is replaced."""
    held = path.with_name(f".{path.name}.lock")
    with held.open("a") as lock:
        waiting.wait_for(
            lambda: file_locks.take(lock),
            what=f"the process that holds {held}, the lock of the history "
            f"{path} (end it if it hangs, then add the runs again),",
            deadline_s=LOCK_DEADLINE_S,
            interval_s=_LOCK_INTERVAL_S,
        )
        yield


def read(path: pathlib.Path, *, missing_ok: bool = False) -> list[StoredRun]:
    """Read a history, the oldest run first.

    :param missing_ok: return no runs if the history does not exist
    :raises InvalidInput: when it can't be read; names the line
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        if missing_ok:
            return []
        raise exceptions.InvalidInput(
            f"There is no history {path}; `rally task export --type "
            "magnum-scale-history` writes one."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise exceptions.InvalidInput(
            f"The history {path} can't be read: {error}."
        ) from error
    return [
        _read_line(path, number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    ]


def read_before(path: pathlib.Path) -> list[StoredRun] | None:
    """Read the history with which a run is compared.

    :returns: None when it does not exist, as before the first run
    :raises InvalidInput: when it can't be read or is empty, or when its
        folder does not exist
    """
    if not path.parent.is_dir():
        raise exceptions.InvalidInput(
            f"there is no folder {path.parent}. Give the path of the file "
            "to which the export type magnum-scale-history appends."
        )
    if not path.exists():
        return None
    found = read(path)
    if not found:
        raise exceptions.InvalidInput(
            f"the history {path} has no runs. Give another history, or "
            "remove this file to start a new one."
        )
    return found


def _read_line(path: pathlib.Path, number: int, line: str) -> StoredRun:
    try:
        found = json.loads(line)
        schema = found.get("history") if isinstance(found, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise ValueError(
                f"it was written by a newer release (schema {schema}; this "
                f"one reads {SCHEMA})"
            )
        if schema != SCHEMA:
            raise ValueError("it is not a run")
        return StoredRun.from_json(found)
    except ValueError as error:
        raise exceptions.InvalidInput(
            f"Line {number} of the history {path} can't be read: "
            f"{str(error).rstrip('.')}."
        ) from error


def comparable(
    runs: Iterable[StoredRun],
    like: run_conditions.Conditions,
    across: Collection[str] = (),
) -> list[StoredRun]:
    """Return the runs with the same conditions, in the same order.

    :param across: conditions that may differ, from
        :data:`~rally_magnum_scale.measurement.conditions.KEYS`
    """
    return [
        one for one in runs if not like.differences(one.conditions, across)
    ]


def groups(
    runs: Iterable[StoredRun], across: Collection[str] = ()
) -> list[list[StoredRun]]:
    """Group runs by their conditions, the group of the newest run first.

    A broken run may lack some conditions.  It joins the newest group from
    which it does not differ.
    """
    found: list[list[StoredRun]] = []
    newest_first = sorted(runs, key=lambda one: -one.at_s)
    for one in sorted(newest_first, key=lambda one: one.state == BROKEN):
        like = (
            group
            for group in found
            if not group[0].conditions.differences(one.conditions, across)
        )
        group = next(like, None)
        if group is None:
            found.append(group := [])
        group.append(one)
    for group in found:
        group.sort(key=lambda one: one.at_s)
    return sorted(found, key=lambda group: -group[-1].at_s)


def trends(runs: Iterable[StoredRun]) -> dict[str, trend.Trend]:
    """Return the trend of each metric over comparable runs.

    Broken and invalid runs, and values that do not count, are left out.

    :returns: trends by the name of the metric, in order of appearance
    """
    seen = [one for one in runs if one.counts]
    found: dict[str, trend.Trend] = {}
    for run in sorted(seen, key=lambda one: one.at_s):
        for metric in run.metrics:
            if not metric.reason:
                found[metric.name] = metric.extend(
                    found.get(metric.name), run.id, run.at_s
                )
    return found
