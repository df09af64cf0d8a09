"""The records of a run: one JSON object per line.

Every record has ``record`` (its kind), ``version``, ``task``, ``iteration``
and ``bay``.  The load in the bay writes ``start``, ``window``, ``event``,
``trial`` and ``end``.  The scenario writes ``conditions``, ``bay``,
``node_change``, ``api_latency``, ``throughput``, ``update``, ``fault`` and
``max_rate``, and also an ``event`` for each disruption.  Units are in the
names of the fields.  SLA criteria, tables, pages and history read only these
records.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats import json_record
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.step_results import SIDES as SIDES
from rally_magnum_scale.in_bay.stats.step_results import Shares
from rally_magnum_scale.in_bay.stats.step_results import (
    StepResult as StepResult,
)

_Record = TypeVar("_Record", bound=json_record.JsonRecord)

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
    """The origin of a record.

    :param task: uuid of the Rally task
    :param iteration: number of the iteration, from 1
    :param bay: name of the bay
    """

    task: str
    iteration: int
    bay: str

    def envelope(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return a record with its envelope and a body."""
        head = {"record": kind, "version": VERSION}
        return {**head, **dataclasses.asdict(self), **body}


@dataclasses.dataclass(frozen=True)
class End(json_record.JsonRecord):
    """The last record of a load: a reader that has it has all records.

    :param windows: number of windows that were written before it
    :param requests: expected responses, in all phases together
    :param failures: kind of failure to number of requests, in all phases
        together; ``unsent`` requests were due, but could not be sent before
        the wait after the plan ended or a closed loop began
    :param workers_expected: number of workers of the load
    :param workers_connected: number of workers that connected to the master
    :param due: number of requests that were due in the steady seconds of each
        step, by the schedules of all workers; None for a closed loop
    :param timeout_s: timeout of a request
    :param reasons: why the run is invalid; empty if it is valid
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
    """All steps of one load, and the bay that it ran on.

    :param targets: number of targets
    :param workers: number of workers
    :param cores_pods: cores that the pods could use together, by their
        limits, the CPUs that they see, and the allocatable cores of their
        nodes
    :param cores_real_nodes: all cores of the nodes that are not hollow
    :param steps: results of the steps, in order
    :param cores_of: the same as ``cores_pods``, for each of :data:`SIDES`
    :param cpus_seen: whether the targets and the workers reported the CPUs
        that they see; if not, only limits and nodes count
    :param requests_counted_by_targets: requests of the whole run by the
        targets' own counters; None if these could not be read
    :param pull_s: time to pull the images ahead on all real nodes; None if
        they were not pulled ahead
    :param deploy_s: from the first object of the load until all targets are
        Ready
    :param pod_start_s: ``p50``, ``p90``, ``p99`` and ``max`` over the pods of
        the load, each from its creation to Ready, in seconds
    :param pod_start_resolution_s: by how much each time in ``pod_start_s``
        may be wrong, either way, because the watch may have reported the
        creation or Ready late; None in older records
    :param pods_timed: number of pods in ``pod_start_s``; None in older records
    :param pods_unready: number of these pods that were never Ready; None if
        the pods were not timed
    :param nodes_with_pods: number of nodes on which a target or a worker ran
    :param processes_per_worker: load-generating processes per worker pod
    :param target_address: address that the workers used: ``service`` or
        ``pod``
    :param asked: method and path of the requests, without the query
    :param keep_alive: False if each request had its own connection
    :param arrivals: ``constant`` or ``poisson``
    :param tls: whether the targets served HTTPS
    :param users: Locust users of all workers, if the load is a Locust file;
        None otherwise
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
    pod_start_resolution_s: float | None = None
    pods_unready: int | None = None
    pods_timed: int | None = None
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


@dataclasses.dataclass(frozen=True)
class Trial(json_record.JsonRecord):
    """One step of a search for the highest rate.

    :param step: number of the step, from 1
    :param purpose: ``estimate``, ``search`` or ``confirm``
    :param rate_rps: offered rate; None for the closed loop of an estimate
    :param ramp_s: seconds of its ramp
    :param duration_s: its steady seconds
    :param held: whether the rate held; None before the step ended, and for
        an estimate
    :param limit: why it did not hold: ``bound``, ``offer`` (the offered rate
        was not reached) or ``invalid`` (the values do not count); else empty
    :param why: the verdict in words, with the values
    :param achieved_rps: expected responses per second; None before its end
    :param reached: the value of each bound
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
        """Whether the step has ended."""
        return self.achieved_rps is not None


@dataclasses.dataclass(frozen=True)
class MaxRate(json_record.JsonRecord):
    """The highest rate at which all bounds hold.

    :param bounds: the bounds of the search, by key
    :param precision: largest width of the final bracket, as a share
    :param max_rate_rps: expected responses per second in the best step: the
        one that held at the highest rate; None if no step held
    :param held_rps: offered rate of the best step
    :param failed_rps: lowest offered rate that failed; None if none failed
    :param failed_by: ``limit`` of that step
    :param failed_because: ``why`` of that step
    :param confirmed: whether a longer step held at the same rate
    :param step: number of the best step, the confirming one if there is one
    :param steps: number of steps that were run
    :param rps_per_core: of the best step, over the cores of the pods
    :param rps_per_core_real_nodes: of the best step, over all cores of the
        real nodes
    :param ended: why the search ended, in words
    :param trials: all steps of the search
    :param reasons: why there is no rate, or why it may not be judged
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
        """Whether the rate may be judged."""
        return not self.reasons


@dataclasses.dataclass(frozen=True)
class Run:
    """The records of one iteration.

    :param iteration: its number, from 1; 0 without records
    :param bays: in the order of their first records
    :param loaded_bay: name of the bay that the load ran on
    :param conditions: the record ``conditions``; None where a release before
        0.5.0 wrote the records
    :param error: why the iteration failed, from :func:`describe_error`; empty
        if it did not
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
        """The bay of the load, or else the last bay; None without any."""
        loaded = [one for one in self.bays if one.name == self.loaded_bay]
        return next(reversed(loaded or self.bays), None)


def describe_error(error: Sequence[str]) -> str:
    """Return the class and the message of an error.

    :param error: as Rally stores it: class, message, traceback
    """
    return ": ".join(part.strip() for part in error[:2])


def dump(records: Iterable[dict[str, Any]]) -> str:
    """Return records as JSON lines."""
    return "\n".join(
        json.dumps(record, separators=(",", ":")) for record in records
    )


def parse(lines: Iterable[str]) -> list[dict[str, Any]]:
    """Read JSON lines.

    :raises ValueError: if a line is not a record of a known version
    """
    return [parse_line(line) for line in lines if line.strip()]


def parse_line(line: str) -> dict[str, Any]:
    """Read one record.

    :raises ValueError: if it is not of a known kind and version
    """
    record = json.loads(line)
    if not isinstance(record, dict) or record.get("record") not in KINDS:
        raise ValueError(f"Invalid record: {line[:80]!r}.")
    if record.get("version") != VERSION:
        raise ValueError(
            f"A record of version {record.get('version')} can't be read; "
            f"this release reads version {VERSION}."
        )
    Source.from_json(record)
    return record


def collect(records: Iterable[dict[str, Any]]) -> Run:
    """Group the records of one iteration.

    :raises ValueError: if a field is missing or wrong
    """
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    iteration = 0
    for record in records:
        found[record["record"]].append(record)
        iteration = record["iteration"]

    def every(kind: str, read: type[_Record]) -> tuple[_Record, ...]:
        return tuple(map(read.from_json, found[kind]))

    def last(kind: str, read: type[_Record]) -> _Record | None:
        return read.from_json(found[kind][-1]) if found[kind] else None

    loads, conditions = found["throughput"], found["conditions"]
    # Bays of several tenants may have the same name.  The last record counts.
    bays = every("bay", bay_records.Bay)
    return Run(
        iteration=iteration,
        bays=tuple({(one.uuid, one.name): one for one in bays}.values()),
        loaded_bay=loads[-1]["bay"] if loads else "",
        throughput=last("throughput", Throughput),
        end=last("end", End),
        windows=tuple(map(_window, found["window"])),
        events=tuple(map(_event, found["event"])),
        max_rate=last("max_rate", MaxRate),
        api_latency=last("api_latency", bay_records.ApiLatency),
        node_changes=every("node_change", bay_records.NodeChange),
        updates=every("update", disruption_records.Update),
        faults=every("fault", disruption_records.Fault),
        conditions=conditions[-1] if conditions else None,
    )


@dataclasses.dataclass(frozen=True)
class _Event(json_record.JsonRecord):
    """The fields of an event that must have the right types."""

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
