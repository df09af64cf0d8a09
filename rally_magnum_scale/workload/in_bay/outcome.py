"""What a worker says of its run when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

from rally_magnum_scale.measurement.windows import Window


@dataclass(frozen=True)
class Outcome:
    """How an engine's run ended.

    :param requests: answered as expected, in all windows
    :param failures: kind to count, in all windows
    :param unsent: due but never sent, for want of an idle connection
    :param late_s: how long after its first second the run began
    :param reasons: why it is invalid: a word for the event to a clause
    :param notes: what else happened, in the same way
    """

    requests: int
    failures: dict[str, int]
    unsent: int
    late_s: float
    reasons: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


class Sums:
    """Requests and failures of all windows so far."""

    def __init__(self) -> None:
        self.requests = 0
        self.failures: dict[str, int] = {}

    def add(self, window: Window) -> None:
        """Add what was counted in a window."""
        self.requests += window.requests
        for kind, count in window.failures.items():
            self.failures[kind] = self.failures.get(kind, 0) + count
