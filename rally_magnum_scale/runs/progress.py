"""Progress lines of a load with a fixed plan."""

from __future__ import annotations

from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import windows

EVERY_S = 5


class LoadProgress:
    """Sums up the windows since the last progress line.

    :param plan: the steps of the load
    """

    def __init__(self, plan: steps.Plan) -> None:
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


def _milliseconds(value_us: int | None) -> str:
    return "unknown" if value_us is None else f"{value_us / 1000:.2f} ms"
