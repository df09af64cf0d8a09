"""Messages between the Locust master and its workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

# Master to worker, and back: the clock probe.
CLOCK = "rms_clock"
CLOCK_ANSWER = "rms_clock_answer"
# Master to worker: the job, its first second, the index of the worker and
# the number of workers.
START = "rms_start"
# Worker to master: the last windows, and a :class:`WorkerReport`.
DONE = "rms_done"
# Worker to master: Locust started a second user here, which did nothing.
REFUSED = "rms_refused"
# Worker to master: the engine failed.
BROKEN = "rms_broken"
# The key of our windows in the report that Locust sends every 3 s.
WINDOWS_KEY = "rms_windows"
# The key of the time of sending, by the worker's clock.
SENT_KEY = "rms_sent_s"


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
