"""The part of a load's specification that its workers need.

The host embeds it in its specification, and the master and the workers read
it from their job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rally_magnum_scale.in_bay.request_spec import Request
from rally_magnum_scale.in_bay.stats import checks
from rally_magnum_scale.in_bay.stats.arrivals import ARRIVALS
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.trials import Search


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The requests of a load, and how workers send them.

    :param plan: the steps and their rates; for a search, its first step
    :param search: search for the highest rate, decided step by step
    :param request: the request and the expected response
    :param connections_per_worker: connections of each worker pod, divided
        over its processes
    :param processes_per_worker: Locust processes in each worker pod, each
        with one engine
    :param keep_alive: False for a new connection for each request
    :param arrivals: arrivals of the requests in an open loop: ``constant``
        or ``poisson``
    :param timeout_s: timeout of a request
    :param lateness_s: how long after its second a window may arrive
    :raises ValueError: when a value is invalid; names the key
    """

    plan: Plan
    search: Search | None = None
    request: Request
    connections_per_worker: int
    processes_per_worker: int
    keep_alive: bool
    arrivals: str
    timeout_s: float
    lateness_s: float = 10.0

    def __post_init__(self) -> None:
        checks.check_count(
            "connections_per_worker", self.connections_per_worker
        )
        checks.check_count("processes_per_worker", self.processes_per_worker)
        checks.check_seconds("timeout_s", self.timeout_s)
        checks.check_seconds("lateness_s", self.lateness_s)
        checks.check_one_of("arrivals", self.arrivals, ARRIVALS)
        if self.connections_per_worker < self.processes_per_worker:
            raise ValueError(
                f"connections_per_worker: {self.connections_per_worker} are "
                f"too few for {self.processes_per_worker} processes; each "
                "process needs at least one connection"
            )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Traffic:
        """Read what :meth:`to_json` wrote.

        :raises KeyError: when a key is missing
        :raises TypeError: when a key is unknown or missing
        :raises ValueError: when a value is invalid
        """
        search = data["search"]
        return cls(
            **{
                **data,
                "plan": Plan.from_json(data["plan"]),
                "search": search and Search.from_json(search),
                "request": Request.from_json(data["request"]),
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the traffic as plain JSON."""
        return {
            **vars(self),
            "plan": self.plan.to_json(),
            "search": self.search and self.search.to_json(),
            "request": self.request.to_json(),
        }

    @property
    def longest_s(self) -> float:
        """How long the load may run from its first second to its last.

        Between the steps of a search, the workers wait for responses and
        get their next order.
        """
        if self.search is None:
            return self.plan.total_s
        between_s = self.timeout_s + self.lateness_s
        return self.search.longest_s + self.search.max_steps * between_s
