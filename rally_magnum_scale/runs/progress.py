"""Progress lines of a load, and the steps of a rate search so far."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import rate_search
from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import trials
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.runs import probes

EVERY_S = 5

# Each step of a search has a line before and after it; a long step has more
# in between.
SEARCH_EVERY_S = 15


class _Progress(probes.Probe):
    """Logs lines about the windows and events of a load.

    :param log: callback for progress lines
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log

    def on_record(self, record: dict[str, Any]) -> None:
        """Log the line that is due with a record, if there is one."""
        if line := self._line_of(record):
            self._log(line)

    def line(self, window: windows.Window) -> str | None:
        """Take a window; return a progress line when one is due."""
        raise NotImplementedError

    def _line_of(self, record: dict[str, Any]) -> str | None:
        if record["record"] == "window":
            return self.line(windows.Window.from_json(record))
        if record["record"] == "event":
            return f"{record.get('kind')}: {record.get('detail', '')}"
        return None


class LoadProgress(_Progress):
    """Sums up the windows since the last progress line.

    :param plan: the steps of the load
    :param log: callback for progress lines
    """

    def __init__(self, plan: steps.Plan, log: Callable[[str], None]) -> None:
        super().__init__(log)
        self._plan = plan
        self._pending: list[windows.Window] = []
        self._seen = 0

    def line(self, window: windows.Window) -> str | None:
        """Take a window; return a progress line when one is due.

        A line is due every five windows and at the end of a phase.
        """
        self._seen += 1
        last = self._pending[-1] if self._pending else window
        moved = (last.step, last.phase) != (window.step, window.phase)
        due = moved or len(self._pending) >= EVERY_S
        line = self._sum_up() if due else None
        self._pending.append(window)
        return line

    def _sum_up(self) -> str:
        now = self._pending[-1]
        summed = [w for w in self._pending if w.phase == now.phase]
        self._pending = []
        requests = sum(w.requests for w in summed)
        failed = sum(w.failed for w in summed)
        latency = summed[0].latency_us.merge(*(w.latency_us for w in summed))
        p99_us = latency.percentile_us(99)
        return (
            f"step {now.step} of {len(self._plan.steps)} {now.phase}: "
            f"{self._offer(now.step)}, {requests / len(summed):,.0f} rps "
            f"achieved, p99 {_milliseconds(p99_us)}, {failed} errors, "
            f"{now.workers} workers, {self._seen} of "
            f"{self._plan.total_s} s"
        )

    def _offer(self, step: int) -> str:
        rate_rps = self._plan.steps[step - 1].rate_rps
        if rate_rps is None:
            return "closed loop"
        return f"{rate_rps:,.0f} rps offered"


class SearchProgress(_Progress):
    """The steps of a rate search so far.

    :param search: the search
    :param log: callback for progress lines
    """

    def __init__(
        self, search: trials.Search, log: Callable[[str], None]
    ) -> None:
        super().__init__(log)
        self._search = search
        self._by_step: dict[int, records.Trial] = {}
        self._pending: list[windows.Window] = []

    def take(self, record: dict[str, Any]) -> str | None:
        """Keep the record of a step; return a progress line if it is new.

        :raises ValueError: when a field is missing
        """
        trial = records.Trial.from_json(record)
        known = self._by_step.get(trial.step)
        if known and (known.ended or not trial.ended):
            return None
        self._by_step[trial.step] = trial
        self._pending = []
        return trials.describe(trial)

    def line(self, window: windows.Window) -> str | None:
        """Take a window; return a progress line within long steps."""
        if window.phase != steps.STEADY:
            return None
        self._pending.append(window)
        if len(self._pending) < SEARCH_EVERY_S:
            return None
        requests = sum(one.requests for one in self._pending)
        failed = sum(one.failed for one in self._pending)
        rate_rps = requests / len(self._pending)
        self._pending = []
        return (
            f"step {window.step}: {rate_rps:,.0f} rps achieved, "
            f"{failed} errors, {window.workers} workers"
        )

    @property
    def done(self) -> list[records.Trial]:
        """All steps, in order."""
        return [trial for _, trial in sorted(self._by_step.items())]

    @property
    def plan(self) -> steps.Plan | None:
        """The steps that were run; None when there was no step."""
        found = tuple(trials.plan(one) for one in self.done)
        return steps.Plan(found) if found else None

    def conclude(
        self, results: Sequence[records.StepResult]
    ) -> records.MaxRate:
        """Return the result of the search.

        :param results: the results of all steps
        """
        return rate_search.conclude(self._search, self.done, results)

    def records(
        self, source: records.Source, run: records.Run
    ) -> list[dict[str, Any]]:
        """Return the record of the search's result."""
        results = run.throughput.steps if run.throughput else []
        found = self.conclude(results)
        return [source.envelope("max_rate", found.to_json())]

    def _line_of(self, record: dict[str, Any]) -> str | None:
        if record["record"] == "trial":
            return self.take(record)
        return super()._line_of(record)


def _milliseconds(value_us: int | None) -> str:
    return "unknown" if value_us is None else f"{value_us / 1000:.2f} ms"
