"""What a worker says of its run when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from rally_magnum_scale.in_bay.stats.windows import Window
from rally_magnum_scale.in_bay.stats.windows import add_counts


@dataclass(frozen=True)
class WorkerReport:
    """How an engine's run ended.

    :param requests: answered as expected, in all windows
    :param failures: kind to count, in all windows
    :param late_s: how long after its first second the run began
    :param due: how many requests were due in the steady seconds of each
        step, by the schedule; None for a step without one
    :param reasons: why it is invalid: a word for the event to a clause
    :param notes: what else happened, in the same way
    """

    requests: int
    failures: dict[str, int]
    late_s: float
    due: Sequence[int | None]
    reasons: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


class Sums:
    """What was counted in all windows so far."""

    def __init__(self) -> None:
        self.requests = 0
        self.failures: dict[str, int] = {}
        self.connect_failures: dict[str, int] = {}

    def add(self, window: Window) -> None:
        """Add what was counted in a window."""
        self.requests += window.requests
        self.failures = add_counts([self.failures, window.failures])
        self.connect_failures = add_counts(
            [self.connect_failures, window.connect_failures]
        )
