"""Merge the workers' windows into one record per second.

The collector is a plain object without a network or a clock, so that tests
can cover every failure of a run without running one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale.in_bay.job import Job
from rally_magnum_scale.in_bay.stats import cpusets
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.windows import Merger

CLOCK_SKEW_MAX_S = 0.5
LATE_START_MAX_S = 0.1
REASONS_OF_A_KIND = 10


class Collector:
    """Merges the windows of all workers by second, and returns them in order.

    :param job: the run
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._start_second = 0
        self._next_second = 0
        self._connected: list[str] = []
        self._alive: set[str] = set()
        self._done: set[str] = set()
        self._latest: dict[str, int] = {}
        self._by_second: dict[int, Merger] = {}
        self._events: list[dict[str, Any]] = []
        self._reasons: list[str] = []
        self._seen: set[str] = set()
        self._of_kind: dict[str, int] = {}
        self._noted: set[tuple[str, str]] = set()
        self._is_refused = False
        # The first value of each second.
        self._own_cpu: list[tuple[int, float]] = []
        self._windows = 0
        self._requests = 0
        self._failures: dict[str, int] = {}
        self._claimed = 0
        # Requests due in each step, by index: of the run, and of the plan.
        self._due: dict[int, int | None] = {}
        self.step_due: list[int | None] = []
        self._expected = 0
        self._steps_before = 0
        # The windows of a search's current step, which has the number 1.
        self.step_windows: list[windows.Window] = []

    def begin(
        self,
        workers: Iterable[str],
        start_second: int,
        plan: steps.Plan | None = None,
        steps_before: int = 0,
    ) -> None:
        """Begin a plan.

        A search has a plan for each of its steps, and calls this for each.

        :param workers: the connected workers
        :param start_second: epoch second, or 0 when the plan never starts
        :param plan: plan of the workers, by default that of the job
        :param steps_before: number of steps in previous plans of the run
        """
        self._connected = list(workers)
        self._alive = set(self._connected)
        self._done = set()
        self._start_second = self._next_second = start_second
        self._latest = dict.fromkeys(self._connected, start_second - 1)
        self._plan = plan or self._job.traffic.plan
        self._expected += self._plan.total_s
        self._steps_before = steps_before
        self.step_windows = []
        self.step_due = [
            None if step.rate_rps is None else 0 for step in self._plan.steps
        ]

    def start(
        self, written_s: float, cpus: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the record that says when the load or its next step begins.

        A reader can then observe the bay at the exact second of a step.

        :param written_s: epoch seconds now, by the same clock
        :param cpus: processors that each worker may use
        """
        pods: dict[str, frozenset[int]] = {}
        for worker, text in cpus.items():
            # Locust's id of a worker begins with the name of its pod.
            pod = worker.rpartition("_")[0] or worker
            if text:
                pods[pod] = pods.get(pod, frozenset()) | cpusets.parse(text)
        return self._record(
            "start",
            second=self._start_second,
            written_s=round(written_s, 3),
            steps=self._plan.to_json(),
            cpus=cpusets.by_set(pods),
        )

    def note_cpu(self, now_s: float, used_s: float) -> None:
        """Note the CPU time of this process; called once a second.

        :param now_s: epoch seconds
        :param used_s: CPU seconds since the start of the process
        """
        if not self._own_cpu or int(now_s) > self._own_cpu[-1][0]:
            self._own_cpu.append((int(now_s), used_s))

    @property
    def waiting_for(self) -> set[str]:
        """The workers that are alive and have not finished."""
        return self._alive - self._done

    @property
    def reasons(self) -> list[str]:
        """The reasons why the run is invalid, as far as they are known."""
        more = [
            f"{count - REASONS_OF_A_KIND} more reasons are of the kind {kind}"
            for kind, count in self._of_kind.items()
            if count > REASONS_OF_A_KIND
        ]
        return [*self._reasons, *more]

    def trial(self, trial: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record of a step of a search."""
        return self._record("trial", **trial)

    def fail(self, second: int, kind: str, reason: str) -> None:
        """Note a reason why the run is invalid, once.

        A thousand workers may die, so after the first reasons of a kind, the
        others are only counted.

        :param second: epoch second in which it was detected
        :param kind: kind of the event
        :param reason: a clause without a full stop
        """
        if reason in self._seen:
            return
        self._seen.add(reason)
        self._of_kind[kind] = self._of_kind.get(kind, 0) + 1
        if self._of_kind[kind] <= REASONS_OF_A_KIND:
            self._reasons.append(reason)
            self.note(second, kind, reason)

    def refuse(self, second: int, kind: str, reason: str) -> None:
        """Note why the run can't start; this replaces all other reasons."""
        self.fail(second, kind, reason)
        self._is_refused = True

    def note(self, second: int, kind: str, detail: str) -> None:
        """Note an event, so that a plot can mark it."""
        self._events.append(
            self._record("event", second=second, kind=kind, detail=detail)
        )

    def _note_once(self, second: int, kind: str, detail: str) -> None:
        """Note an event that many workers may report, once."""
        if (kind, detail) not in self._noted:
            self._noted.add((kind, detail))
            self.note(second, kind, detail)

    def check_clocks(self, second: int, skews_s: Mapping[str, float]) -> None:
        """Check the skews between the workers' clocks and the master's.

        The windows of a worker with another clock, or with an unknown one,
        may be assigned to wrong seconds.

        :param second: epoch second
        :param skews_s: skew of each worker that answered the clock probe
        """
        for worker, skew_s in skews_s.items():
            if abs(skew_s) > CLOCK_SKEW_MAX_S:
                self.fail(
                    second,
                    "clock_skew",
                    f"the clock of worker {worker} differs by {skew_s:+.1f} s "
                    f"from the master's, more than {CLOCK_SKEW_MAX_S} s",
                )
        if unanswered := len(set(self._connected) - skews_s.keys()):
            self.fail(
                second,
                "clock_unknown",
                f"{unanswered} of {len(self._connected)} workers did not "
                f"report their time within {self._job.clock_deadline_s:g} s, "
                "so their clocks may differ from the master's",
            )

    def behind(self, second: int, how: str) -> None:
        """Note that the master can't keep up with its workers, once.

        :param second: epoch second
        :param how: a clause with the evidence
        """
        if "master_behind" not in self._of_kind:
            self.fail(
                second,
                "master_behind",
                f"the Locust master fell behind its workers: {how}",
            )

    def add(self, worker: str, reported: Iterable[Mapping[str, Any]]) -> None:
        """Add packed windows of a worker."""
        if worker not in self._latest:
            return
        for window in reported:
            second = int(window["second"])
            self._latest[worker] = max(self._latest[worker], second)
            if second < self._next_second:
                self.fail(
                    second,
                    "late_window",
                    f"a window of worker {worker} came more than "
                    f"{self._job.traffic.lateness_s:.0f} s late",
                )
                continue
            self._by_second.setdefault(second, Merger()).add(window)

    def done(
        self, worker: str, second: int, outcome: Mapping[str, Any]
    ) -> None:
        """Take the final report of a worker, with its own sums."""
        self._done.add(worker)
        self._claimed += int(outcome["requests"])
        self._claimed += sum(outcome["failures"].values())
        for index, count in enumerate(outcome["due"]):
            known = self.step_due[index]
            if count is None or known is None:
                self.step_due[index] = None
            else:
                self.step_due[index] = known + int(count)
            self._due[self._steps_before + index] = self.step_due[index]
        for kind, reason in outcome.get("reasons", {}).items():
            self.fail(second, kind, reason)
        for kind, detail in outcome.get("notes", {}).items():
            self._note_once(second, kind, detail)
        if outcome["late_s"] > LATE_START_MAX_S:
            self.fail(
                second,
                "late_start",
                f"worker {worker} started {outcome['late_s']:.1f} s late",
            )

    def died(self, worker: str, second: int) -> None:
        """Note that a worker died; ignored if it had finished."""
        if worker in self.waiting_for:
            self._alive.discard(worker)
            self.fail(second, "worker_died", f"worker {worker} died")

    def records(self, now_s: float) -> list[dict[str, Any]]:
        """Return events, and the windows that are complete or overdue.

        :param now_s: epoch seconds
        :returns: records, with the windows in the order of their seconds
        """
        found = self._take_events()
        while self._is_over(self._next_second, now_s):
            found += self._give_out(self._next_second)
            self._next_second += 1
        return found + self._take_events()

    def end(self, second: int) -> list[dict[str, Any]]:
        """Return all remaining records, and the last record.

        :param second: the epoch second in which the run ended
        """
        found: list[dict[str, Any]] = []
        while self._by_second:
            found += self._give_out(self._next_second)
            self._next_second += 1
        if not self._is_refused:
            self._judge(second)
        last = self._record(
            "end",
            second=second,
            windows=self._windows,
            requests=self._requests,
            failures=self._failures,
            due=[count for _, count in sorted(self._due.items())],
            timeout_s=self._job.traffic.timeout_s,
            workers_expected=self._job.worker_processes,
            workers_connected=len(self._connected),
            reasons=self.reasons,
        )
        return [*found, *self._take_events(), last]

    def _take_events(self) -> list[dict[str, Any]]:
        found, self._events = self._events, []
        return found

    def _is_over(self, second: int, now_s: float) -> bool:
        if not self._by_second or second > max(self._by_second):
            return False
        waiting = self.waiting_for
        if all(self._latest[worker] >= second for worker in waiting):
            return True
        if now_s <= second + 1 + self._job.traffic.lateness_s:
            return False
        late = [one for one in waiting if self._latest[one] < second]
        self.fail(
            second,
            "late_window",
            f"no window of worker {min(late)} came within "
            f"{self._job.traffic.lateness_s:.0f} s",
        )
        return True

    def _give_out(self, second: int) -> list[dict[str, Any]]:
        merger = self._by_second.pop(second, None)
        if merger is None:
            return []
        window = self._with_own_cpu(merger.window())
        self._windows += 1
        self._requests += window.requests
        self._failures = windows.add_counts([self._failures, window.failures])
        if self._job.traffic.search:
            self.step_windows.append(window)
        # A plan numbers its own steps from 1.
        before = self._steps_before
        numbered = dataclasses.replace(
            window,
            step=window.step + before,
            carried=tuple(
                dataclasses.replace(part, step=part.step + before)
                for part in window.carried
            ),
        )
        return [self._record("window", **numbered.to_json())]

    def _with_own_cpu(self, window: windows.Window) -> windows.Window:
        """Add the CPU time of this process, the Locust master, to a window.

        :param window: the next window, in the order of the seconds
        """
        known = [one for one in self._own_cpu if one[0] <= window.second]
        self._own_cpu = self._own_cpu[max(0, len(known) - 1) :]
        over = [one for one in self._own_cpu if one[0] <= window.second + 1]
        if not known or window.cpu_s is None:
            return window
        cpu_s = window.cpu_s + over[-1][1] - over[0][1]
        return dataclasses.replace(window, cpu_s=cpu_s)

    def _judge(self, second: int) -> None:
        missing = self._job.worker_processes - len(self._connected)
        if missing > 0:
            self.fail(
                second,
                "workers_missing",
                f"{missing} of {self._job.worker_processes} workers did not "
                f"connect within {self._job.connect_deadline_s:.0f} s",
            )
        elif not self._start_second:
            self.fail(
                second,
                "users_missing",
                "Locust did not start all of its users within "
                f"{self._job.connect_deadline_s:.0f} s",
            )
        if not self._start_second:
            return
        for worker in sorted(self.waiting_for):
            self.fail(
                second, "worker_silent", f"worker {worker} never finished"
            )
        if self._windows < self._expected:
            self.fail(
                second,
                "windows_missing",
                f"only {self._windows} of {self._expected} windows arrived",
            )
        if self._failures and not self._requests:
            kinds = ", ".join(
                f"{count} {kind}" for kind, count in self._failures.items()
            )
            self.fail(
                second,
                "no_answer",
                f"no request was answered as expected, only {kinds}",
            )
        counted = self._requests + sum(self._failures.values())
        if self._done == set(self._connected) and counted != self._claimed:
            self.fail(
                second,
                "windows_missing",
                f"the windows hold {counted} requests, but the workers "
                f"reported {self._claimed}",
            )

    def _record(self, name: str, **values: Any) -> dict[str, Any]:
        return self._job.source.envelope(name, values)
