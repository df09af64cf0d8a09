"""What a run leaves behind: one JSON object a line.

Every record has ``record`` (its kind), ``version``, ``task``,
``iteration`` and ``bay``; the kinds are ``start``, ``window``, ``event``,
``trial`` and ``end`` from the load in the bay, ``conditions``, ``bay``,
``node_change``, ``api_latency``, ``throughput``, ``update``, ``fault`` and
``max_rate`` from the scenario, which writes an ``event`` as well where it
disturbs a load.
Units are in the names of the fields.  SLA criteria, tables, pages and
history read these records and nothing else.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import Self

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import json_record
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.step_results import SIDES as SIDES
from rally_magnum_scale.in_bay.stats.step_results import Shares
from rally_magnum_scale.in_bay.stats.step_results import (
    StepResult as StepResult,
)

VERSION = 3
KINDS = (
    "conditions",
    "start",
    "window",
    "event",
    "end",
    "bay",
    "node_change",
    "api_latency",
    "throughput",
    "trial",
    "max_rate",
    "update",
    "fault",
)


@dataclasses.dataclass(frozen=True)
class Source(json_record.JsonRecord):
    """Where a record comes from.

    :param task: uuid of the Rally task
    :param iteration: number of the iteration, from 1
    :param bay: name of the bay
    """

    task: str
    iteration: int
    bay: str

    def envelope(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return a record of ``kind`` with ``body`` inside."""
        head = {"record": kind, "version": VERSION}
        return {**head, **dataclasses.asdict(self), **body}


@dataclasses.dataclass(frozen=True)
class End(json_record.JsonRecord):
    """The last record of the load: a reader that has it has them all.

    :param windows: how many windows were written before it
    :param requests: answered as expected, in all phases together
    :param failures: count by kind, in all phases together; ``unsent`` are
        those due but never sent: not when the time to wait after the plan
        was over, or before a closed loop began
    :param due: how many requests were due in the steady seconds of each
        step, by the schedules of all workers; None for a closed loop
    :param timeout_s: after how long a request has failed
    :param reasons: why the run is invalid; empty when it is valid
    """

    windows: int
    requests: int
    failures: dict[str, int]
    workers_expected: int
    workers_connected: int
    due: list[int | None] = dataclasses.field(default_factory=list)
    timeout_s: float | None = None
    reasons: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Throughput(json_record.JsonRecord):
    """All steps of one load, and what it ran on.

    :param cores_pods: cores that the pods could use together: by their
        limits, by the processors that they see, and by what their nodes
        can allocate
    :param cores_of: the same of each of :data:`SIDES`
    :param cpus_seen: whether the targets and the workers told which
        processors they see; else limits and nodes alone were counted
    :param requests_counted_by_targets: what the targets' own counters say
        of the whole run; None where they could not be asked
    :param pull_s: to pull the images ahead on all real nodes; None where
        they were not pulled ahead
    :param deploy_s: from the first object of the load until its targets
        were Ready
    :param pod_start_s: ``p50``, ``p90``, ``p99`` and ``max`` over the pods of
        the load of the seconds from each one's creation to Ready
    :param pods_unready: how many of them were never Ready; None where they
        were not timed
    :param nodes_with_pods: nodes on which a target or a worker ran
    :param processes_per_worker: load-generating processes in a worker's pod
    :param target_address: ``service`` or ``pod``: what the workers asked
    :param asked: method and path of the requests, without the query
    :param keep_alive: False where each request had a connection of its own
    :param arrivals: ``constant`` or ``poisson``
    :param tls: whether the targets served HTTPS
    :param users: Locust users of all workers, where a Locust file of the
        user's made the load
    """

    targets: int
    workers: int
    cores_pods: float | None
    cores_real_nodes: float | None
    steps: list[StepResult]
    requests_counted_by_targets: int | None = None
    pull_s: float | None = None
    deploy_s: float | None = None
    pod_start_s: dict[str, float] | None = None
    pods_unready: int | None = None
    nodes_with_pods: int | None = None
    processes_per_worker: int = 1
    target_address: str = "service"
    asked: str = "GET /"
    keep_alive: bool = True
    arrivals: str = "constant"
    tls: bool = False
    users: int | None = None
    cores_of: Shares = dataclasses.field(default_factory=dict)
    cpus_seen: bool = False

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """Read a ``throughput`` record with its steps.

        :raises ValueError: when a field is missing
        """
        steps = [StepResult.from_json(one) for one in record.get("steps", [])]
        return super().from_json({**record, "steps": steps})


@dataclasses.dataclass(frozen=True)
class Trial(json_record.JsonRecord):
    """One step of a search for the highest rate.

    :param step: number of the step, from 1
    :param purpose: ``estimate``, ``search`` or ``confirm``
    :param rate_rps: the offer, None for the closed loop of an estimate
    :param ramp_s: seconds of its ramp
    :param duration_s: its steady seconds
    :param held: whether the rate holds; None before the step has ended,
        and of an estimate
    :param limit: why it does not: ``bound``, ``offer`` (not reached) or
        ``invalid`` (the figures do not count)
    :param why: the same in words, with the figures
    :param achieved_rps: expected answers a second; None before its end
    :param reached: what was measured for each bound
    """

    step: int
    purpose: str
    rate_rps: float | None
    ramp_s: int
    duration_s: int
    held: bool | None = None
    limit: str = ""
    why: str = ""
    achieved_rps: float | None = None
    reached: dict[str, float | None] = dataclasses.field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Tell whether the step came to its end."""
        return self.achieved_rps is not None


@dataclasses.dataclass(frozen=True)
class MaxRate(json_record.JsonRecord):
    """The highest rate at which all bounds hold, and how sure that is.

    :param bounds: what had to hold, by the names of the search
    :param precision: how narrow the bracket was to be
    :param max_rate_rps: expected answers a second in the step that held,
        None when none did
    :param held_rps: the offer of that step: the highest that held
    :param failed_rps: the lowest offer that failed, None when none did
    :param failed_by: the ``limit`` of that step
    :param failed_because: the same in words
    :param confirmed: whether a longer step held at the same rate
    :param step: number of the step that held, the confirming one if any
    :param steps: how many were run
    :param rps_per_core: of that step, over the cores of the pods
    :param rps_per_core_real_nodes: over all cores of the real nodes
    :param ended: what ended the search
    :param trials: all its steps
    :param reasons: why there is no figure, or none that may be judged
    """

    bounds: dict[str, float]
    precision: float
    max_rate_rps: float | None
    held_rps: float | None
    failed_rps: float | None
    failed_by: str
    failed_because: str
    confirmed: bool
    step: int | None
    steps: int
    rps_per_core: float | None
    rps_per_core_real_nodes: float | None
    ended: str
    trials: list[Trial]
    reasons: list[str] = dataclasses.field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Tell whether the figure may be judged."""
        return not self.reasons

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """Read a ``max_rate`` record with its trials.

        :raises ValueError: when a field is missing
        """
        trials = [Trial.from_json(one) for one in record.get("trials", [])]
        return super().from_json({**record, "trials": trials})


@dataclasses.dataclass(frozen=True)
class Run:
    """The records of one iteration, read.

    :param bays: in the order in which they were first recorded
    :param loaded_bay: name of the bay that the load ran on
    :param conditions: the record ``conditions``; None where a release before
        0.5.0 wrote the records
    :param error: why the iteration failed, by :func:`say_error`; empty when
        it did not
    """

    iteration: int = 0
    bays: tuple[bay_records.Bay, ...] = ()
    throughput: Throughput | None = None
    end: End | None = None
    windows: tuple[windows.Window, ...] = ()
    events: tuple[dict[str, Any], ...] = ()
    loaded_bay: str = ""
    max_rate: MaxRate | None = None
    node_changes: tuple[bay_records.NodeChange, ...] = ()
    api_latency: bay_records.ApiLatency | None = None
    updates: tuple[disruption_records.Update, ...] = ()
    faults: tuple[disruption_records.Fault, ...] = ()
    conditions: dict[str, Any] | None = None
    error: str = ""

    @property
    def bay(self) -> bay_records.Bay | None:
        """The bay that the load ran on, else the last; None without any."""
        loaded = [one for one in self.bays if one.name == self.loaded_bay]
        return next(reversed(loaded or self.bays), None)


def say_error(error: Sequence[str]) -> str:
    """Return class and sentence of an error.

    :param error: as Rally keeps it: class, sentence, traceback
    """
    return ": ".join(part.strip() for part in error[:2])


def dump(records: Iterable[dict[str, Any]]) -> str:
    """Return records as JSON lines."""
    return "\n".join(
        json.dumps(record, separators=(",", ":")) for record in records
    )


def parse(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Read JSON lines.

    :raises ValueError: for a line that is no record of a known version
    """
    return [parse_line(line) for line in lines if line.strip()]


def parse_line(line: str) -> dict[str, Any]:
    """Read one record.

    :raises ValueError: when it is not one of a known kind and version
    """
    record = json.loads(line)
    if not isinstance(record, dict) or record.get("record") not in KINDS:
        raise ValueError(f"This is no record: {line[:80]!r}.")
    if record.get("version") != VERSION:
        raise ValueError(
            f"A record of version {record.get('version')} can't be read; "
            f"this release reads version {VERSION}."
        )
    Source.from_json(record)
    return record


def collect(records: Iterable[dict[str, Any]]) -> Run:
    """Group the records of one iteration.

    :raises ValueError: when a field of one is missing or wrong
    """
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    iteration = 0
    for record in records:
        found[record["record"]].append(record)
        iteration = record["iteration"]

    def last(kind: str) -> dict[str, Any] | None:
        return found[kind][-1] if found[kind] else None

    end, load, found_rate = last("end"), last("throughput"), last("max_rate")
    api = last("api_latency")
    return Run(
        iteration=iteration,
        bays=_bays(found["bay"]),
        loaded_bay=load["bay"] if load else "",
        throughput=Throughput.from_json(load) if load else None,
        end=End.from_json(end) if end else None,
        windows=tuple(map(_window, found["window"])),
        events=tuple(map(_event, found["event"])),
        max_rate=MaxRate.from_json(found_rate) if found_rate else None,
        api_latency=bay_records.ApiLatency.from_json(api) if api else None,
        node_changes=tuple(
            map(bay_records.NodeChange.from_json, found["node_change"])
        ),
        updates=tuple(
            map(disruption_records.Update.from_json, found["update"])
        ),
        faults=tuple(map(disruption_records.Fault.from_json, found["fault"])),
        conditions=last("conditions"),
    )


@dataclasses.dataclass(frozen=True)
class _Event(json_record.JsonRecord):
    """What is drawn of an event, which stays as it was written."""

    second: float | None = None
    kind: str = ""
    detail: str = ""


def _event(record: dict[str, Any]) -> dict[str, Any]:
    _Event.from_json(record)
    return record


def _window(record: dict[str, Any]) -> windows.Window:
    read = windows.Window.from_json(record)
    json_record.check_types(read, "window")
    return read


def _bays(found: Iterable[dict[str, Any]]) -> tuple[bay_records.Bay, ...]:
    """Read each bay once; the last record about one counts.

    Tenants may give the same name to a bay of theirs.
    """
    read = map(bay_records.Bay.from_json, found)
    return tuple({(one.uuid, one.name): one for one in read}.values())
