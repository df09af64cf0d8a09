"""The result of some seconds of a load: of a step, or during an event."""

from __future__ import annotations

import dataclasses

from rally_magnum_scale.in_bay.stats import json_record

# The two sides that share the cores of a bay: the targets, and the generators
# (the Locust workers and their master).
SIDES = ("targets", "generators")
Shares = dict[str, float | None]


@dataclasses.dataclass(frozen=True)
class StepResult(json_record.JsonRecord):
    """The result of one step of a load, over its steady seconds.

    A request belongs to the step in which it was due, whenever it ended:
    ``due`` is the sum of ``answered`` and all ``failures``.  In a closed loop
    a request is due when it is sent.

    :param step: number of the step, from 1
    :param offered_rps: None for a closed loop
    :param steady_s: number of steady seconds
    :param requests: expected responses in the steady seconds to requests of
        the step, but no more than ``answered``: the backlog of the ramp can't
        raise the rate
    :param failures: kind of failure to number of the requests that were due
        in the steady seconds; ``unsent`` requests were never sent
    :param achieved_rps: ``requests`` per steady second
    :param error_ratio: failed requests over all due requests; None if none
        was due
    :param latency_us: ``p50``, ``p90``, ``p99``, ``p99_9``, ``max`` from the
        intended send time, over all due requests; None if a failed request
        is at that rank, because it is slower than any response, and None if
        no request was due
    :param service_us: the same from the actual send time, over the answered
        requests
    :param schedule_lag_p99_us: p99 of the schedule lag; None in a closed loop
    :param rps_per_core: over the cores that the pods could use
    :param rps_per_core_real_nodes: over all cores of the real nodes
    :param reasons: why the step is invalid; empty if it is valid
    :param rps_per_core_of: over the cores that the pods of each of
        :data:`SIDES` could use
    :param cpu_s: CPU seconds in the steady seconds of each of :data:`SIDES`,
        of both (``pods``), and of all processes on the nodes with pods
        (``nodes``); None if not measured
    :param requests_per_cpu_s: ``requests`` over each of them
    :param cpu_outside_ratio: the largest share of the time between counter
        readings that lies outside the steady seconds
    :param cpu_covered_ratio: the least share of the steady seconds that lies
        between counter readings
    :param cpu_missing: why a value of ``cpu_s`` is missing
    :param due: requests that were due in the steady seconds; None if the
        workers did not report it
    :param answered: how many of them got the expected response
    :param answered_latency_us: ``latency_us`` over these alone
    :param timeout_s: timeout of a request
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
        """Number of due requests that failed, of any kind."""
        return sum(self.failures.values())

    @property
    def slowest(self) -> str:
        """The latency of a failed request, in words; empty if none failed."""
        if not self.failures:
            return ""
        if "timeout" in self.failures and self.timeout_s is not None:
            return f"> {self.timeout_s:g} s (timed out)"
        return f"no answer ({', '.join(sorted(self.failures))})"

    @property
    def valid(self) -> bool:
        """Whether the values may be judged."""
        return not self.reasons
