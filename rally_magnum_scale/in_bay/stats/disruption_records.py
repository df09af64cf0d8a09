"""The records of disruptions of a load: rolling updates and faults.

Unless a field says otherwise, a time runs from the beginning of the event
until the scenario's watch reported it, by one clock.  So the true time is not
longer.  It is longer than the time minus its resolution, which runs from the
last moment at which the watch had certainly reported all changes, and has the
time until the requests of the event were accepted.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Iterable
from typing import ClassVar

from rally_magnum_scale.in_bay.stats import json_record
from rally_magnum_scale.in_bay.stats import steps
from rally_magnum_scale.in_bay.stats import windows
from rally_magnum_scale.in_bay.stats.step_results import StepResult

UPDATE = "update"
FAULT = "fault"
# How a node is lost: it is cut off from the network, or its machine is powered
# off or deleted.
HOWS = ("network", "stop", "delete")
HOWS_IN_WORDS = {
    "network": "dropped from the network",
    "stop": "stopped",
    "delete": "deleted",
}


@dataclasses.dataclass(frozen=True)
class DisruptionRecord(json_record.JsonRecord):
    """Fields of both kinds; times that an event did not reach are None.

    :param number: number of the event of its kind in its iteration, from 1
    :param step: number of the step in whose steady phase it begins
    :param at_s: planned seconds from the beginning of that phase
    :param began_s: epoch second at which it began, by the workers' clocks
    :param begun_within_s: from then until its requests were accepted; None
        in older records
    :param ended_s: epoch second at which it ended
    :param load: result of the load in the whole seconds around the event
    :param failure: class of the failure; empty without one
    :param reason: why it failed, or why a value is missing
    """

    number: int
    step: int
    at_s: float
    began_s: float | None = None
    begun_within_s: float | None = None
    ended_s: float | None = None
    load: StepResult | None = None
    failure: str = ""
    reason: str = ""

    _TIMES: ClassVar[tuple[str, ...]] = ()

    @property
    def duration_s(self) -> float | None:
        """Seconds from its beginning to its end; None if it did not end."""
        if self.began_s is None or self.ended_s is None:
            return None
        return self.ended_s - self.began_s

    def resolution_s(self, name: str) -> float | None:
        """Return the resolution of a time of the event.

        :param name: such as ``noticed_s``
        :returns: seconds; None without the time, or if unknown
        """
        if getattr(self, name) is None:
            return None
        known: float | None = getattr(self, f"{name[:-2]}_resolution_s")
        return known

    @property
    def coarsest_resolution_s(self) -> float | None:
        """The coarsest resolution of the times of the event, if any."""
        return json_record.greatest(map(self.resolution_s, self._TIMES))

    def _later_resolution_s(self, *names: str) -> float | None:
        """Return the resolution of the latest of some times."""
        times_s = [getattr(self, name) for name in names]
        exact_s = [self.resolution_s(name) for name in names]
        if None in times_s or None in exact_s:
            return None
        earliest_s = max(map(operator.sub, times_s, exact_s))
        return float(max(times_s) - earliest_s)


@dataclasses.dataclass(frozen=True)
class Update(DisruptionRecord):
    """An update of the targets while the load runs.

    It ends when as many pods of the new version have been Ready as there were
    targets, and the last pod of the old version is gone.

    :param strategy: ``RollingUpdate`` or ``Recreate``
    :param targets: number of pods to update
    :param new_ready_s: until as many pods of the new version were Ready
    :param new_ready_resolution_s: resolution of ``new_ready_s``; None in
        older records
    :param old_gone_s: until the last pod of the old version was gone
    :param old_gone_resolution_s: as ``new_ready_resolution_s``
    :param fewest_ready: least number of pods that were Ready at once during
        the update
    :param versions: version of the targets to number of expected responses
        during the update; empty if the load does not count by version, as
        with a Locust file
    """

    strategy: str = "RollingUpdate"
    targets: int = 0
    new_ready_s: float | None = None
    new_ready_resolution_s: float | None = None
    old_gone_s: float | None = None
    old_gone_resolution_s: float | None = None
    fewest_ready: int | None = None
    versions: dict[str, int] = dataclasses.field(default_factory=dict)

    _TIMES = ("new_ready_s", "old_gone_s")

    @property
    def all_new_s(self) -> float | None:
        """Seconds until all targets were new and no old one was left."""
        if self.new_ready_s is None or self.old_gone_s is None:
            return None
        return max(self.new_ready_s, self.old_gone_s)

    @property
    def all_new_resolution_s(self) -> float | None:
        """Resolution of :attr:`all_new_s`; None if unknown."""
        return self._later_resolution_s(*self._TIMES)

    def per_target(self, time_s: float | None) -> float | None:
        """Divide a time, or its resolution, by the number of targets."""
        if time_s is None or not self.targets:
            return None
        return time_s / self.targets

    @property
    def per_target_s(self) -> float | None:
        """The time until all were new, divided by their number."""
        return self.per_target(self.all_new_s)


@dataclasses.dataclass(frozen=True)
class Fault(DisruptionRecord):
    """Nodes that were lost while the load ran.

    It ends when as many targets as before are Ready on other nodes, and
    requests no longer fail.

    :param how: one of :data:`HOWS`
    :param nodes: names of the lost nodes
    :param targets_lost: number of targets on these nodes
    :param noticed_s: until Kubernetes reported none of the nodes as Ready
    :param noticed_resolution_s: resolution of ``noticed_s``; None in older
        records
    :param pods_ready_s: until as many targets as before were Ready on other
        nodes
    :param pods_ready_resolution_s: as ``noticed_resolution_s``
    :param requests_s: until the end of the last second in which a request
        failed, before the next event or the end of the load; 0 if none
        failed, None if the next event or the end came too early to tell
    :param requests_lost: number of requests that failed in that time
    """

    how: str = HOWS[0]
    nodes: list[str] = dataclasses.field(default_factory=list)
    targets_lost: int = 0
    noticed_s: float | None = None
    noticed_resolution_s: float | None = None
    pods_ready_s: float | None = None
    pods_ready_resolution_s: float | None = None
    requests_s: float | None = None
    requests_lost: int | None = None

    _TIMES = ("noticed_s", "pods_ready_s", "requests_s")

    @property
    def recovery_s(self) -> float | None:
        """Seconds until the service was as before the fault."""
        if self.pods_ready_s is None or self.requests_s is None:
            return None
        return max(self.pods_ready_s, self.requests_s)

    @property
    def requests_resolution_s(self) -> float | None:
        """Resolution of :attr:`requests_s`; None if unknown.

        Failed requests are counted in windows of one second.
        """
        if self.requests_s is None or self.begun_within_s is None:
            return None
        return min(self.requests_s, windows.WINDOW_S + self.begun_within_s)

    @property
    def recovery_resolution_s(self) -> float | None:
        """Resolution of :attr:`recovery_s`; None if unknown."""
        return self._later_resolution_s("pods_ready_s", "requests_s")


def failing(
    seen: Iterable[windows.Window],
    began_s: float,
    until_s: float,
    timeout_s: float,
) -> tuple[float | None, int]:
    """Return how long requests failed after an event, and how many failed.

    The second in which the next event begins belongs to the next event.
    Requests that hang at the end of the load fail in its ``stop`` windows.

    :param seen: the windows of the load
    :param began_s: epoch second at which the event began
    :param until_s: epoch second of the next event, or infinity
    :param timeout_s: timeout of a request
    :returns: the seconds from the beginning of the event to the end of the
        last second in which a request failed, 0 if none failed; and the
        number of failed requests.  The seconds are None if it is unknown
        whether this was the last failure: no expected response came after
        that second while the load ran, or the next event began before all
        hanging requests had timed out
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
    """Add up the responses by version in the whole seconds around a span.

    :param seen: the windows of the load
    :param start_s: epoch second at which the span begins
    :param end_s: epoch second at which it ends
    """
    return windows.add_counts(
        one.versions
        for one in seen
        if math.floor(start_s) <= one.second < math.ceil(end_s)
    )
