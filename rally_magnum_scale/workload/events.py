"""What befalls a load on purpose while it runs, checked."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from rally_magnum_scale.in_bay.stats import disturbances
from rally_magnum_scale.in_bay.stats.steps import Plan

ROLLING_UPDATE = "RollingUpdate"
RECREATE = "Recreate"
STRATEGIES = (ROLLING_UPDATE, RECREATE)
# The version of the targets' answers, before an update and after it.
OLD_VERSION = "1"
NEW_VERSION = "2"
VERSION_HEADER = "X-Rms-Version"
LABEL_VERSION = "rally-magnum-scale/version"

_PERCENT = re.compile(r"(100|[1-9]?[0-9])%")


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When an event begins.

    :param at_s: seconds after the beginning of a step's steady phase
    :param step: number of the step, from 1; None for the last
    """

    at_s: float = 5.0
    step: int | None = None

    def number(self, plan: Plan) -> int:
        """Return the number of the step."""
        return len(plan.steps) if self.step is None else self.step

    def seconds(self, plan: Plan) -> float:
        """Return how long after the beginning of the plan it comes."""
        number = self.number(plan)
        ramp_s = plan.steps[number - 1].ramp_s
        return plan.start_s(number - 1) + ramp_s + self.at_s

    def check(self, key: str, plan: Plan) -> None:
        """Refuse a moment that the plan does not have.

        :param key: of the argument that says it
        :raises ValueError: naming the key inside
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
                f"steady seconds of step {number}; give less than that"
            )


@dataclass(frozen=True, kw_only=True)
class RollingUpdate(Moment):
    """An update of the targets, and the manifest that it goes by.

    :param strategy: one of :data:`STRATEGIES`
    :param max_surge: pods above the number asked for, or a share, ``25%``
    :param max_unavailable: pods that may be missing, or a share
    :param min_ready_s: how long a new pod must be Ready before it counts
    :param pre_stop_s: how long a pod that is to go still serves, and asks
        its clients to connect anew, before it ends; 0 to end at once
    :param readiness_probe: whether a new pod must listen before it serves
    :param nginx_image: of the new pods; None for that of the old ones
    """

    strategy: str = ROLLING_UPDATE
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"
    min_ready_s: int = 0
    pre_stop_s: int = 5
    readiness_probe: bool = True
    nginx_image: str | None = None

    def check(self, key: str, plan: Plan) -> None:
        """Refuse what can't be right.

        :raises ValueError: naming the key inside
        """
        super().check(key, plan)
        shares = [
            _share(f"{key}.{name}", getattr(self, name))
            for name in ("max_surge", "max_unavailable")
        ]
        if not any(shares):
            raise ValueError(
                f"{key}.max_surge: it and max_unavailable can't both be 0, "
                "or no pod could ever be replaced"
            )


@dataclass(frozen=True, kw_only=True)
class NodeFault(Moment):
    """Nodes that are lost.

    :param how: ``network``, ``stop`` or ``delete``
    :param nodes: how many, of those that run targets and no generator
    """

    how: str = disturbances.HOWS[0]
    nodes: int = 1


def _share(key: str, value: int | str) -> int:
    if isinstance(value, int):
        return value
    if not _PERCENT.fullmatch(value):
        raise ValueError(
            f"{key}: {value!r} is no number of pods and no share such as 25%"
        )
    return math.ceil(int(value.rstrip("%")))
