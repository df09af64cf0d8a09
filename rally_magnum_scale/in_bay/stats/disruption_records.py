"""The records of what befell a load on purpose: an update, a fault.

Times without another word run from the beginning of the event to the
moment at which the scenario's own watches told of it, by one clock.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any
from typing import Self

from rally_magnum_scale.in_bay.stats import json_record
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.step_results import StepResult

UPDATE = "update"
FAULT = "fault"
# How a node is lost: cut off from the network, its machine powered off, or
# its machine deleted.
HOWS = ("network", "stop", "delete")
HOWS_IN_WORDS = {
    "network": "dropped from the network",
    "stop": "stopped",
    "delete": "deleted",
}


@dataclasses.dataclass(frozen=True)
class DisruptionRecord(json_record.JsonRecord):
    """What both have in common; None where it did not come so far.

    :param number: which of its kind it is in its iteration, from 1
    :param step: number of the step in whose steady phase it begins
    :param at_s: how long after the beginning of that phase it was to begin
    :param began_s: epoch second at which it began, by the workers' clocks
    :param ended_s: epoch second at which it was over
    :param load: what the load came to in the seconds from its beginning to
        its end, the whole seconds around both
    :param failure: class of the failure, or an empty string
    """

    number: int
    step: int
    at_s: float
    began_s: float | None = None
    ended_s: float | None = None
    load: StepResult | None = None
    failure: str = ""
    reason: str = ""

    @property
    def duration_s(self) -> float | None:
        """How long it took; None when it did not end."""
        if self.began_s is None or self.ended_s is None:
            return None
        return self.ended_s - self.began_s

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """Read a record with what the load came to.

        :raises ValueError: when a field is missing
        """
        load = record.get("load")
        read = StepResult.from_json(load) if load else None
        return super().from_json({**record, "load": read})


@dataclasses.dataclass(frozen=True)
class Update(DisruptionRecord):
    """An update of the targets while the load runs.

    It is over when as many pods of the new version were Ready and the last
    pod of the old version is gone.

    :param strategy: ``RollingUpdate`` or ``Recreate``
    :param targets: pods that were to be updated
    :param new_ready_s: until as many pods of the new version were Ready
    :param old_gone_s: until the last pod of the old version was gone
    :param fewest_ready: the fewest pods that were Ready at once meanwhile
    :param versions: answers as expected by the version of the target that
        gave them, from the beginning to the end; empty where the load does
        not tell, as with a Locust file of the user's
    """

    strategy: str = "RollingUpdate"
    targets: int = 0
    new_ready_s: float | None = None
    old_gone_s: float | None = None
    fewest_ready: int | None = None
    versions: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def all_new_s(self) -> float | None:
        """How long it took until all were new, and no old one was left."""
        if self.new_ready_s is None or self.old_gone_s is None:
            return None
        return max(self.new_ready_s, self.old_gone_s)

    @property
    def per_target_s(self) -> float | None:
        """How long it took, divided by the pods."""
        if self.all_new_s is None or not self.targets:
            return None
        return self.all_new_s / self.targets


@dataclasses.dataclass(frozen=True)
class Fault(DisruptionRecord):
    """Nodes that were lost while the load ran.

    It is over when as many targets as before are Ready on other nodes, and
    no request fails any more.

    :param how: one of :data:`HOWS`
    :param nodes: names of the nodes
    :param targets_lost: how many targets ran on them
    :param noticed_s: until Kubernetes had none of them as Ready any more
    :param pods_ready_s: until as many targets as before were Ready on other
        nodes
    :param requests_s: to the end of the last second in which a request
        failed, before the next event or the end of the load; 0 without one,
        None where they came too early to tell
    :param requests_lost: how many failed in that time
    """

    how: str = HOWS[0]
    nodes: list[str] = dataclasses.field(default_factory=list)
    targets_lost: int = 0
    noticed_s: float | None = None
    pods_ready_s: float | None = None
    requests_s: float | None = None
    requests_lost: int | None = None

    @property
    def recovery_s(self) -> float | None:
        """How long it took until all was served as before."""
        if self.pods_ready_s is None or self.requests_s is None:
            return None
        return max(self.pods_ready_s, self.requests_s)


def failing(
    seen: Iterable[windows.Window],
    began_s: float,
    until_s: float,
    timeout_s: float,
) -> tuple[float | None, int]:
    """Tell how long requests failed after an event, and how many did.

    The second in which the next event begins is that one's.  What still
    hung at the end of the load has failed in its ``stop`` windows.

    :param seen: the windows of the load
    :param began_s: epoch second at which the event began
    :param until_s: epoch second of the next event, or infinity
    :param timeout_s: after how long a request has failed
    :returns: seconds from its beginning to the end of the last second in
        which a request failed, 0 without one; None when no answer as
        expected was seen after that second, while the load ran, or when
        the next event began before all that might hang by then had failed:
        nobody knows whether it was the last
    """
    after = sorted(
        (
            one
            for one in seen
            if math.floor(began_s) <= one.second <= until_s - 1
        ),
        key=lambda one: one.second,
    )
    failed = [one for one in after if one.failed]
    lost = sum(one.failed for one in failed)
    end_s = failed[-1].second + 1 if failed else began_s
    served_later = any(
        one.second >= end_s and one.requests and one.phase != steps.STOP
        for one in after
    )
    known_s = math.ceil(end_s) + windows.seconds_to_fail(timeout_s)
    if not served_later or known_s > until_s:
        return None, lost
    return end_s - began_s, lost


def versions(
    seen: Iterable[windows.Window], start_s: float, end_s: float
) -> dict[str, int]:
    """Add up the answers by version, in the whole seconds around a time.

    :param start_s: epoch second at which it begins
    :param end_s: epoch second at which it ends
    """
    return windows.add_counts(
        one.versions
        for one in seen
        if math.floor(start_s) <= one.second < math.ceil(end_s)
    )
