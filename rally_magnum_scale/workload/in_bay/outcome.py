"""What a worker says of its run when it is over."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field


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
