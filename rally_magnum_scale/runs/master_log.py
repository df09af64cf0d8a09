"""Follow the records that the Locust master writes to its log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import logs
from rally_magnum_scale.kube import pods
from rally_magnum_scale.runs import probes
from rally_magnum_scale.workload import load_spec
from rally_magnum_scale.workload import manifests

# Time that a run may take beyond its plan: to connect, drain and merge.
_RUN_MARGIN_S = 120.0

# Interval at which the workers are checked until the first window arrives.
_CHECK_EVERY_S = 5.0

# Number of log lines that explain why a master ended early.
_TAIL_LINES = 5


class MasterLog:
    """Keeps each record of the master once, and passes it to the probes.

    :param cluster: the open Kubernetes API of the bay
    :param spec: description of the load
    :param observers: the probes of the load
    :param clock: monotonic seconds
    """

    def __init__(
        self,
        cluster: client.KubeClient,
        spec: load_spec.LoadSpec,
        observers: Iterable[probes.Probe],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._spec = spec
        self._observers = observers
        self._clock = clock
        self._windows: dict[int, dict[str, Any]] = {}
        self._others: list[dict[str, Any]] = []

    @property
    def records(self) -> list[dict[str, Any]]:
        """The windows in the order of their seconds, then other records.

        Without trials, which the result of a search repeats.
        """
        windows = [record for _, record in sorted(self._windows.items())]
        return [*windows, *self._others]

    def follow(
        self, stamped: Callable[[float], None], check: Callable[[], None]
    ) -> None:
        """Read the log until its last record.

        :param stamped: called with the epoch second of each line
        :param check: called every few seconds or more often; what it raises
            ends the load
        :raises WorkloadError: when the master ends before it has written all
            records
        :raises DeadlineExceeded: when the load does not end in time
        :raises Interrupted: when the run is interrupted
        """
        deadline_s = (
            self._spec.traffic.longest_s + self._spec.connect_s + _RUN_MARGIN_S
        )
        start = check_at = self._clock()
        tail: list[str] = []
        for line in self._lines(stamped):
            interruption.check()
            check()
            if self._clock() - start > deadline_s:
                raise exceptions.DeadlineExceeded(
                    "the load to end", deadline_s
                )
            if not self._windows and self._clock() > check_at:
                check_at = self._clock() + _CHECK_EVERY_S
                self._refuse_dead_workers()
            if line and self._take(line):
                return
            if line and not line.startswith("{"):
                tail = [*tail, line][-_TAIL_LINES:]
        raise exceptions.WorkloadError(
            "The Locust master ended before it had written all records of the "
            f"load; its log ends with: {' / '.join(tail) or 'nothing'}"
        )

    def refuse_no_requests(self) -> None:
        """Raise when a load that has ended has no results at all.

        :raises WorkloadError: with the master's reasons
        """
        end = self._others[-1]
        if not end["requests"]:
            reasons = "; ".join(end["reasons"]) or "no request was due"
            raise exceptions.WorkloadError(
                f"The load in the bay {self._spec.source.bay} has no figures: "
                f"{reasons}."
            )

    def _lines(self, stamped: Callable[[float], None]) -> Iterable[str | None]:
        names = self._spec.names
        return logs.follow(
            self._cluster,
            names.namespace,
            names.master,
            manifests.MASTER_CONTAINER,
            stamped,
        )

    def _take(self, line: str) -> bool:
        """Keep a record; return whether it was the last one."""
        try:
            record = records.parse_line(line)
        except ValueError:
            return False
        kind = record["record"]
        if kind == "window":
            if record["second"] in self._windows:
                return False
            self._windows[record["second"]] = record
        elif kind != "trial":
            self._others.append(record)
        for observer in self._observers:
            observer.on_record(record)
        return bool(kind == "end")

    def _refuse_dead_workers(self) -> None:
        """Raise for workers that failed after they were Ready.

        Once the run has begun, the master detects this itself.
        """
        with contextlib.suppress(exceptions.KubernetesError):
            pods.refuse_failed(
                self._cluster,
                self._spec.names.namespace,
                self._spec.selector("worker"),
                self._spec.workers,
                "Locust workers",
            )
