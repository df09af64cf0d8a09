"""Series of a metric over many runs whose change, or none, is known."""

from __future__ import annotations

import dataclasses
import random

from rally_magnum_scale.measurement import trend

LEVEL_MS = 100.0
# Of the runs, so many are astray, by so much.
ASTRAY_RATIO, ASTRAY_BY = 0.05, 0.3
# How much of what a run deviates by the next one still does.
WANDER_KEEPS = 0.7


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a series does.

    :param step_ratio: by how much the newest runs are worse
    :param since: how many of the newest runs are
    :param drift_ratio: by how much each run is worse than the one before
    :param astray: whether some runs deviate far, in the worse direction
    :param wandering: whether a run deviates like the one before it
    """

    name: str
    step_ratio: float = 0.0
    since: int = 0
    drift_ratio: float = 0.0
    astray: bool = False
    wandering: bool = False

    @property
    def quiet(self) -> bool:
        """Tell whether the newest runs are no worse."""
        return not self.step_ratio and not self.drift_ratio


KINDS = (
    Kind("nothing changed"),
    Kind("nothing changed, 5% of the runs 30% astray", astray=True),
    Kind("nothing changed, noise that wanders", wandering=True),
    *(
        Kind(f"step of {ratio:.0%}, {since} runs ago", ratio, since)
        for ratio in (0.02, 0.05, 0.10)
        for since in (2, 5)
    ),
    Kind("drift of 0.5% a run", drift_ratio=0.005),
)


def make(
    kind: Kind, runs: int, noise_ratio: float, rng: random.Random
) -> trend.Trend:
    """Make a series of latencies with normal noise.

    :param noise_ratio: standard deviation of one run over the level
    """
    deviations = _deviations(kind, runs, noise_ratio, rng)
    return trend.Trend(
        "request_latency.p99_ms step 1",
        "ms",
        at_least=False,
        points=tuple(
            trend.Point(
                f"synthetic-{run}/1",
                86400.0 * run,
                LEVEL_MS * _change(kind, run, runs) * (1 + deviation),
            )
            for run, deviation in enumerate(deviations)
        ),
    )


def _change(kind: Kind, run: int, runs: int) -> float:
    step = kind.step_ratio if run >= runs - kind.since else 0.0
    return (1 + step) * (1 + kind.drift_ratio) ** run


def _deviations(
    kind: Kind, runs: int, noise_ratio: float, rng: random.Random
) -> list[float]:
    keeps = WANDER_KEEPS if kind.wandering else 0.0
    fresh = (1 - keeps**2) ** 0.5
    deviation, deviations = rng.gauss(0, noise_ratio), []
    for _ in range(runs):
        astray = kind.astray and rng.random() < ASTRAY_RATIO
        deviations.append(deviation + ASTRAY_BY * astray)
        deviation = keeps * deviation + fresh * rng.gauss(0, noise_ratio)
    return deviations
