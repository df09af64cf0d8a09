"""What a stretch of a load came to: a step, or the time of an event."""

from __future__ import annotations

import dataclasses

from rally_magnum_scale.in_bay.stats import json_record

# Who shares the cores of a bay: the targets, and the Locust workers with
# their master.
SIDES = ("targets", "generators")
Shares = dict[str, float | None]


@dataclasses.dataclass(frozen=True)
class StepResult(json_record.JsonRecord):
    """What one step of the load came to, over its steady seconds.

    A request belongs to the step in which it was due, whenever it ended:
    ``due`` is ``answered`` and all ``failures`` together.  In a closed loop
    a request is due when it is sent.

    :param step: number of the step, from 1
    :param offered_rps: None for the closed loop
    :param requests: expected answers in the steady seconds to requests of
        the step, and no more than ``answered``: what its ramp left behind
        can't raise the rate
    :param failures: the kind of failure to how many of those that were due
        in the steady seconds failed so; ``unsent`` were never sent
    :param achieved_rps: ``requests`` divided by the steady seconds
    :param error_ratio: failed requests over all that were due
    :param latency_us: ``p50``, ``p90``, ``p99``, ``p99_9``, ``max`` from
        the intended send time over all requests that were due; None where a
        request that failed is at that place, which is slower than any
        answer, and where none was due
    :param service_us: the same of the answered ones, from the actual send
        time
    :param rps_per_core: over the cores that the pods could use
    :param rps_per_core_real_nodes: over all cores of the real nodes
    :param reasons: why the step is invalid; empty when it is valid
    :param rps_per_core_of: the same over the cores that the pods of
        :data:`SIDES` could use
    :param cpu_s: CPU seconds used in the steady seconds by the
        :data:`SIDES`, by both (``pods``), and by all that ran on the nodes
        with pods (``nodes``); None where it was not measured
    :param requests_per_cpu_s: expected answers over each of them
    :param cpu_outside_ratio: how much of the time that the nodes' counters
        stand for lay outside of the steady seconds, at most
    :param cpu_covered_ratio: how much of the steady seconds lay between
        readings of those counters, at least
    :param cpu_missing: why a figure of ``cpu_s`` is missing
    :param due: requests that were due in the steady seconds; None where the
        workers did not tell
    :param answered: how many of them were answered as expected
    :param answered_latency_us: ``latency_us`` over those alone
    :param timeout_s: after how long a request has failed
    """

    step: int
    offered_rps: float | None
    steady_s: int
    requests: int
    failures: dict[str, int]
    achieved_rps: float
    error_ratio: float | None
    latency_us: dict[str, int | None]
    service_us: dict[str, int | None]
    schedule_lag_p99_us: int | None
    rps_per_core: float | None
    rps_per_core_real_nodes: float | None
    reasons: list[str] = dataclasses.field(default_factory=list)
    rps_per_core_of: Shares = dataclasses.field(default_factory=dict)
    cpu_s: Shares = dataclasses.field(default_factory=dict)
    requests_per_cpu_s: Shares = dataclasses.field(default_factory=dict)
    cpu_outside_ratio: float | None = None
    cpu_covered_ratio: float | None = None
    cpu_missing: str = ""
    due: int | None = None
    answered: int = 0
    answered_latency_us: dict[str, int | None] = dataclasses.field(
        default_factory=dict
    )
    timeout_s: float | None = None

    @property
    def failed(self) -> int:
        """How many of the requests that were due failed, of any kind."""
        return sum(self.failures.values())

    @property
    def slowest(self) -> str:
        """Say how long a request took that failed; empty if none did."""
        if not self.failures:
            return ""
        if "timeout" in self.failures and self.timeout_s is not None:
            return f"> {self.timeout_s:g} s (timed out)"
        return f"no answer ({', '.join(sorted(self.failures))})"

    @property
    def valid(self) -> bool:
        """Tell whether the figures may be judged."""
        return not self.reasons
