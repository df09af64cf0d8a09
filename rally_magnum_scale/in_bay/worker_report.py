"""The final report of a worker about its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.in_bay.stats.windows import add_counts


@dataclass(frozen=True)
class WorkerReport:
    """The result of an engine's run.

    :param requests: number of expected responses in all windows
    :param failures: count of each kind of failure in all windows
    :param late_s: how long after its first second the run began
    :param due: number of requests that were due in the steady seconds of
        each step, by the schedule; None for a step without a schedule
    :param reasons: why the run is invalid: a clause for each kind of event
    :param notes: other events, in the same form
    """

    requests: int
    failures: dict[str, int]
    late_s: float
    due: Sequence[int | None]
    reasons: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


class Sums:
    """Sums of all windows so far."""

    def __init__(self) -> None:
        self.requests = 0
        self.failures: dict[str, int] = {}
        self.connect_failures: dict[str, int] = {}

    def add(self, window: Window) -> None:
        """Add the counts of a window."""
        self.requests += window.requests
        self.failures = add_counts([self.failures, window.failures])
        self.connect_failures = add_counts(
            [self.connect_failures, window.connect_failures]
        )
