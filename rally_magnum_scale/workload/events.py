"""Disruptions during a load: updates and faults."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from rally_magnum_scale.in_bay.stats import disruption_records
from rally_magnum_scale.in_bay.stats.steps import Plan

ROLLING_UPDATE = "RollingUpdate"
RECREATE = "Recreate"
STRATEGIES = (ROLLING_UPDATE, RECREATE)
# The versions in the targets' responses, before and after an update.
OLD_VERSION = "1"
NEW_VERSION = "2"
VERSION_HEADER = "X-Rms-Version"
LABEL_VERSION = "rally-magnum-scale/version"

_PERCENT = re.compile(r"(100|[1-9]?[0-9])%")


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The time at which an event begins.

    :param at_s: seconds after the start of a step's steady phase
    :param step: number of the step, from 1; None for the last
    """

    at_s: float = 5.0
    step: int | None = None

    def number(self, plan: Plan) -> int:
        """Return the number of the step."""
        return len(plan.steps) if self.step is None else self.step

    def seconds(self, plan: Plan) -> float:
        """Return the seconds from the start of the plan to the event."""
        number = self.number(plan)
        ramp_s = plan.steps[number - 1].ramp_s
        return plan.start_s(number - 1) + ramp_s + self.at_s

    def check(self, key: str, plan: Plan) -> None:
        """Check that the plan contains this moment.

        :param key: name of the argument
        :raises ValueError: when it does not; names the key
        """
        number = self.number(plan)
        if not 1 <= number <= len(plan.steps):
            raise ValueError(
                f"{key}.step: there is no step {number}, only "
                f"{len(plan.steps)}"
            )
        duration_s = plan.steps[number - 1].duration_s
        if not 0 <= self.at_s < duration_s:
            raise ValueError(
                f"{key}.at_s: {self.at_s:g} s is not in the {duration_s} "
                f"steady seconds of step {number}; give a smaller value"
            )


@dataclass(frozen=True, kw_only=True)
class RollingUpdate(Moment):
    """An update of the targets, and the settings of its manifest.

    :param strategy: one of :data:`STRATEGIES`
    :param max_surge: number of extra pods, or a share such as ``25%``
    :param max_unavailable: number of pods that may be missing, or a share
    :param min_ready_s: how long a new pod must be Ready before it counts as
        available
    :param pre_stop_s: how long a terminating pod still serves, and asks its
        clients to reconnect; 0 to end immediately
    :param readiness_probe: whether a new pod must listen before it gets
        requests
    :param nginx_image: image of the new pods; None for that of the old pods
    """

    strategy: str = ROLLING_UPDATE
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"
    min_ready_s: int = 0
    pre_stop_s: int = 5
    readiness_probe: bool = True
    nginx_image: str | None = None

    def check(self, key: str, plan: Plan) -> None:
        """Check the update.

        :raises ValueError: when it is invalid; names the key
        """
        super().check(key, plan)
        shares = [
            _share(f"{key}.{name}", getattr(self, name))
            for name in ("max_surge", "max_unavailable")
        ]
        if not any(shares):
            raise ValueError(
                f"{key}.max_surge: it and max_unavailable can't both be 0, "
                "because then no pod could be replaced"
            )


@dataclass(frozen=True, kw_only=True)
class NodeFault(Moment):
    """A fault that takes out nodes.

    :param how: ``network``, ``stop`` or ``delete``
    :param nodes: number of nodes, chosen from the nodes that run targets
        and no load generators
    """

    how: str = disruption_records.HOWS[0]
    nodes: int = 1


def _share(key: str, value: int | str) -> int:
    if isinstance(value, int):
        return value
    if not _PERCENT.fullmatch(value):
        raise ValueError(
            f"{key}: {value!r} is neither a number of pods nor a share such "
            "as 25%"
        )
    return math.ceil(int(value.rstrip("%")))
