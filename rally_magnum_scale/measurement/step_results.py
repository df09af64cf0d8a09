"""What a stretch of a load came to: a step, or the time of an event."""

from __future__ import annotations

import dataclasses

from rally_magnum_scale.measurement import record_body

# Who shares the cores of a bay: the targets, and the Locust workers with
# their master.
SIDES = ("targets", "generators")
Shares = dict[str, float | None]


@dataclasses.dataclass(frozen=True)
class StepResult(record_body.Body):
    """What one step of the load came to, over its steady seconds.

    Latency, service time and errors of the last step, and those of an
    event, take in what ended after its end, too: all requests that were due
    are judged.

    :param step: number of the step, from 1
    :param offered_rps: None for the closed loop
    :param requests: expected answers in the steady seconds
    :param achieved_rps: the same, divided by the steady seconds
    :param error_ratio: failed requests over all that ended, by any answer
    :param latency_us: ``p50``, ``p90``, ``p99``, ``p99_9``, ``max`` from
        the intended send time; None in an empty histogram
    :param service_us: the same from the actual send time
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

    @property
    def valid(self) -> bool:
        """Tell whether the figures may be judged."""
        return not self.reasons
