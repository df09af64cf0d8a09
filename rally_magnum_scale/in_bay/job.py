"""The job of a run, which the master sends to its workers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from urllib.parse import urlsplit

from rally_magnum_scale.in_bay.request_spec import Request
from rally_magnum_scale.in_bay.stats.arrivals import CONSTANT
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.stats.trials import Search

ENV_PREFIX = "RMS_"


@dataclass(frozen=True)
class Trust:
    """How to verify the certificates of the targets.

    :param server_name: the name that the certificate must contain
    :param ca_pem: certificate of the authority that must have signed it
    """

    server_name: str
    ca_pem: str


@dataclass(frozen=True)
class Job:
    """A run, the same for all its workers.

    :param task: id of the Rally task, for the records
    :param iteration: number of the iteration
    :param bay: name of the bay
    :param plan: the steps and their rates
    :param url: address of the targets, ``http://host:port``
    :param asked: the request and the expected response
    :param keep_alive: False for a new connection for each request
    :param arrivals: arrivals of the requests in an open loop: ``constant``
        or ``poisson``
    :param tls: how to verify the targets' certificates; None without TLS
    :param workers: number of Locust workers, which are processes, that must
        be connected before the start
    :param connections: keep-alive connections of each worker pod
    :param processes_per_worker: Locust processes of each worker pod
    :param addresses: ``host:port`` of each target, if the connections go
        to them instead of the address in the url
    :param timeout_s: timeout of a request
    :param connect_deadline_s: how long to wait for the workers
    :param clock_deadline_s: how long to wait until all workers have
        answered the clock probe
    :param lateness_s: how long after its second a window may arrive
    :param lead_s: time from the start order to the first second, in addition
        to the time for sending the order to many workers
    :param search: search for the highest rate, step by step; its workers get
        the plan of one step after the other
    :param version_header: name of the response header that contains the
        version of the target; empty if responses are not counted by version
    """

    task: str
    iteration: int
    bay: str
    plan: Plan
    url: str
    workers: int
    connections: int = 64
    processes_per_worker: int = 1
    addresses: tuple[str, ...] = ()
    timeout_s: float = 10.0
    connect_deadline_s: float = 300.0
    clock_deadline_s: float = 5.0
    lateness_s: float = 10.0
    lead_s: float = 1.5
    search: Search | None = None
    asked: Request = field(default_factory=Request)
    keep_alive: bool = True
    arrivals: str = CONSTANT
    tls: Trust | None = None
    version_header: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Job:
        """Read what :meth:`to_json` wrote.

        :raises ValueError: when a key is unknown, missing or invalid
        """
        try:
            return cls(
                **{
                    **data,
                    "plan": Plan.from_json(data["plan"]),
                    "addresses": tuple(data.get("addresses", ())),
                    "search": _search(data.get("search")),
                    "tls": _trust(data.get("tls")),
                    "asked": Request.from_json(data.get("asked", {})),
                }
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"This is not a job: {error!r}.") from error

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON."""
        return {
            **asdict(self),
            "plan": self.plan.to_json(),
            "search": self.search and self.search.to_json(),
            "asked": self.asked.to_json(),
        }

    @property
    def ids(self) -> dict[str, Any]:
        """The keys that every record carries."""
        return {
            "task": self.task,
            "iteration": self.iteration,
            "bay": self.bay,
        }

    def share(self, worker: int) -> dict[str, Any]:
        """Return the values of the job that differ between the processes.

        The connections of a pod are divided over its processes.  The
        connections of all processes are assigned to the targets in turn, so
        that their numbers per target differ by at most one.

        :param worker: index of the process, from 0
        """
        least, more = divmod(self.connections, self.processes_per_worker)
        pod, place = divmod(worker, self.processes_per_worker)
        first = pod * self.connections + place * least + min(place, more)
        count = least + (place < more)
        return {
            "connections": count,
            "processes_per_worker": 1,
            "addresses": [
                self.addresses[number % len(self.addresses)]
                for number in range(first, first + count)
                if self.addresses
            ],
        }

    @property
    def targets(self) -> list[tuple[str, int]]:
        """Host and port of each target, in the order of assignment."""
        urls = [f"//{one}" for one in self.addresses] or [self.url]
        parts = map(urlsplit, urls)
        return [(one.hostname or "", one.port or 80) for one in parts]

    @property
    def request(self) -> bytes:
        """The bytes of the request."""
        return self.asked.to_bytes(
            urlsplit(self.url).netloc, keep_alive=self.keep_alive
        )


def _search(data: Mapping[str, Any] | None) -> Search | None:
    return None if data is None else Search.from_json(data)


def _trust(data: Mapping[str, str] | None) -> Trust | None:
    return None if data is None else Trust(**data)


def from_environ(environ: Mapping[str, str]) -> Job:
    """Read the job of a master from its pod's environment.

    ``RMS_TASK``, ``RMS_ITERATION`` and ``RMS_BAY`` name the run,
    ``RMS_JOB`` holds the rest as JSON.

    :raises ValueError: when a variable is missing or invalid
    """
    try:
        return Job.from_json(
            {
                **json.loads(environ[ENV_PREFIX + "JOB"]),
                "task": environ[ENV_PREFIX + "TASK"],
                "iteration": int(environ[ENV_PREFIX + "ITERATION"]),
                "bay": environ[ENV_PREFIX + "BAY"],
            }
        )
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is not set.") from None
