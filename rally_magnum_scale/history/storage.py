"""The history of runs: one JSON object a line, one line a workload.

``docs/reference/history.md`` tells the fields.  The file is replaced as a
whole under a lock beside it, so that a writer that is killed leaves the
history as it was, and two writers lose nothing of each other's.
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
from rally_magnum_scale.in_bay.stats import record_body
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
# Whose figures may be compared with others.  A run that failed a bound is
# as true as one that held it; without it the baseline would be flattered.
COUNTED = (HOLDS, FAILS)

# For which a writer may hold the history; none takes a second.
LOCK_DEADLINE_S = 60.0
_LOCK_INTERVAL_S = 0.1
# The year 10000, which no clock can show.
_TOO_LATE_S = 253_402_300_800


@dataclasses.dataclass(frozen=True)
class Judged(record_body.Body):
    """A bound and what it was judged on.

    :param name: criterion, bound and place, as the metric has them
    :param holds: whether it holds, on data that counts
    :param value: what was measured, in ``unit``; None where nothing was
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
class Run:
    """One workload of one task.

    :param task: uuid of the task
    :param position: of the workload in it, from 1
    :param at_s: when it began, in epoch seconds
    :param state: one of :data:`STATES`
    :param sentence: what came out, in words
    :param title: of the task
    :param conditions: what makes it comparable with others
    :param judged: each bound
    :param others: criteria of Rally's own that failed, with their detail
    :param metrics: all that was measured
    :param link: where its page is, relative to the history; empty when not
        known
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
        """Identify the run in the history."""
        return f"{self.task}/{self.position}"

    @property
    def counts(self) -> bool:
        """Whether its figures may be compared with others."""
        return self.state in COUNTED

    @property
    def name(self) -> str:
        """The title, or the name of the scenario without one."""
        return self.title or self.conditions.scenario

    def to_json(self) -> dict[str, Any]:
        """Return its line."""
        return {"history": SCHEMA, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Self:
        """Read its line; fields that this version does not know are left.

        :raises ValueError: when it can't be read
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
    """Refuse what can't be sorted or drawn.

    :raises ValueError: with the name of the field
    """
    at_s, state = known["at_s"], known["state"]
    if not record_body.is_number(at_s) or not 0 <= at_s < _TOO_LATE_S:
        raise ValueError(f"at_s is {at_s!r}, and no time in epoch seconds")
    if state not in STATES:
        raise ValueError(
            f"state is {state!r}, and none of {', '.join(STATES)}"
        )
    for metric in known["metrics"]:
        _check_resolution(metric)


def _check_resolution(metric: run_metrics.Metric) -> None:
    """Refuse one that would hide any difference.

    :raises ValueError: with the name of the metric
    """
    if metric.resolution is not None and metric.resolution < 0:
        raise ValueError(
            f"resolution of {metric.name} is {metric.resolution!r}, and no "
            "number that is 0 or more"
        )


def append(path: pathlib.Path, added: Iterable[Run]) -> list[Run]:
    """Add runs to a history; one that stands there is replaced.

    The history is made when it is not there, unless there is nothing to
    add: an empty one is taken for one that was lost.  It is written whole or
    not at all, also when two write at a time.

    :returns: all runs of the history
    :raises InvalidInput: when what stands there can't be read, or nothing
        can be written there
    :raises DeadlineExceeded: when another writer holds it for longer than
        :data:`LOCK_DEADLINE_S`
    :raises Interrupted: when the run is asked to stop meanwhile
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            runs = {one.id: one for one in read(path, missing_ok=True)}
            for one in added:
                known = runs.get(one.id, one)
                # Who adds a run again may not know where its page is.
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


def _line(run: Run) -> str:
    return json.dumps(run.to_json(), separators=(",", ":")) + "\n"


@contextlib.contextmanager
def _locked(path: pathlib.Path) -> Iterator[None]:
    """Let one writer at a time in; the file itself is replaced."""
    held = path.with_name(f".{path.name}.lock")
    with held.open("a") as lock:
        waiting.wait_for(
            lambda: file_locks.take(lock),
            what=f"the process that holds {held}, and so the history {path} "
            "(end it if it hangs, then add the runs again),",
            deadline_s=LOCK_DEADLINE_S,
            interval_s=_LOCK_INTERVAL_S,
        )
        yield


def read(path: pathlib.Path, *, missing_ok: bool = False) -> list[Run]:
    """Read a history, the oldest run first.

    :param missing_ok: a history that is not there is empty
    :raises InvalidInput: when it can't be read, with the line that can't
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


def read_before(path: pathlib.Path) -> list[Run] | None:
    """Read the history that a run is to be compared with.

    :returns: None when it is not there, as before the first run
    :raises InvalidInput: when it can't be read or is empty, or when not even
        its folder is there
    """
    if not path.parent.is_dir():
        raise exceptions.InvalidInput(
            f"there is no folder {path.parent}; give the path of the file "
            "that the export type magnum-scale-history adds to."
        )
    if not path.exists():
        return None
    found = read(path)
    if not found:
        raise exceptions.InvalidInput(
            f"the history {path} holds no run; name another one, or remove "
            "it to begin anew."
        )
    return found


def _read_line(path: pathlib.Path, number: int, line: str) -> Run:
    try:
        found = json.loads(line)
        _check_schema(found)
        return Run.from_json(found)
    except ValueError as error:
        raise exceptions.InvalidInput(
            f"Line {number} of the history {path} can't be read: "
            f"{str(error).rstrip('.')}."
        ) from error


def _check_schema(found: Any) -> None:
    schema = found.get("history") if isinstance(found, dict) else None
    if schema == SCHEMA:
        return
    newer = isinstance(schema, int) and schema > SCHEMA
    raise ValueError(
        f"it was written by a newer release (schema {schema}; this one reads "
        f"{SCHEMA})"
        if newer
        else "it is no run"
    )


def comparable(
    runs: Iterable[Run],
    like: run_conditions.Conditions,
    across: Collection[str] = (),
) -> list[Run]:
    """Return the runs under the same conditions, in the same order.

    :param across: conditions that may differ, of
        :data:`~rally_magnum_scale.measurement.conditions.KEYS`
    """
    return [
        one for one in runs if not like.differences(one.conditions, across)
    ]


def groups(
    runs: Iterable[Run], across: Collection[str] = ()
) -> list[list[Run]]:
    """Group runs by their conditions, the group of the newest run first.

    A run that broke before it knew all joins the newest group that it does
    not differ from.
    """
    found: list[list[Run]] = []
    newest_first = sorted(runs, key=lambda one: -one.at_s)
    for one in sorted(newest_first, key=lambda one: one.state == BROKEN):
        for group in found:
            if not group[0].conditions.differences(one.conditions, across):
                group.append(one)
                break
        else:
            found.append([one])
    for group in found:
        group.sort(key=lambda one: one.at_s)
    return sorted(found, key=lambda group: -group[-1].at_s)


def trends(runs: Iterable[Run]) -> dict[str, trend.Trend]:
    """Follow each metric over comparable runs.

    Runs that broke or are invalid, and values that do not count, are left
    out.

    :returns: by the name of the metric, in the order in which they come
    """
    seen = [one for one in runs if one.counts]
    found: dict[str, trend.Trend] = {}
    for run in sorted(seen, key=lambda one: one.at_s):
        for metric in run.metrics:
            if metric.reason:
                continue
            point = trend.Point(
                run.id, run.at_s, metric.value, metric.resolution
            )
            before = found.get(metric.name)
            found[metric.name] = trend.Trend(
                metric.name,
                metric.unit,
                metric.at_least,
                (*(before.points if before else ()), point),
            )
    return found
