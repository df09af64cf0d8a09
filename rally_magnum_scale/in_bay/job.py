"""The job of a run, which the master sends to its workers."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from rally_magnum_scale.in_bay.stats.records import Source
from rally_magnum_scale.in_bay.stats.steps import Plan
from rally_magnum_scale.in_bay.traffic import Traffic

JOB_VARIABLE = "RMS_JOB"


@dataclass(frozen=True)
class Trust:
    """How to verify the certificates of the targets.

    :param server_name: the name that the certificate must contain
    :param ca_pem: certificate of the authority that must have signed it
    """

    server_name: str
    ca_pem: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """The traffic of a run, and the bay's addresses and limits for it.

    :param source: the run, for the records
    :param traffic: the requests, and how workers send them
    :param url: address of the targets, ``http://host:port``
    :param worker_processes: number of Locust workers, which are processes,
        that must be connected before the start
    :param connect_deadline_s: how long to wait for the workers
    :param addresses: ``host:port`` of each target, if the connections go
        to them instead of the address in the url
    :param tls: how to verify the targets' certificates; None without TLS
    :param version_header: name of the response header that contains the
        version of the target; empty if responses are not counted by version
    :param clock_deadline_s: how long to wait until all workers have
        answered the clock probe
    :param lead_s: time from the start order to the first second, in addition
        to the time for sending the order to many workers
    """

    source: Source
    traffic: Traffic
    url: str
    worker_processes: int
    connect_deadline_s: float
    addresses: tuple[str, ...] = ()
    tls: Trust | None = None
    version_header: str = ""
    clock_deadline_s: float = 5.0
    lead_s: float = 1.5

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Job:
        """Read what :meth:`to_json` wrote.

        :raises ValueError: when a key is unknown, missing or invalid
        """
        try:
            return cls(
                **{
                    **data,
                    "source": Source(**data["source"]),
                    "traffic": Traffic.from_json(data["traffic"]),
                    "addresses": tuple(data["addresses"]),
                    "tls": data["tls"] and Trust(**data["tls"]),
                }
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"Invalid job: {error!r}.") from error

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Job:
        """Read the job of a master from its pod's environment.

        :raises ValueError: when the variable is missing or invalid
        """
        if JOB_VARIABLE not in environ:
            raise ValueError(f"{JOB_VARIABLE} is not set.")
        return cls.from_json(json.loads(environ[JOB_VARIABLE]))

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON."""
        return {
            **vars(self),
            "source": self.source.to_json(),
            "traffic": self.traffic.to_json(),
            "addresses": list(self.addresses),
            "tls": self.tls and dataclasses.asdict(self.tls),
        }

    def to_environ(self) -> dict[str, str]:
        """Return the environment that :meth:`from_environ` reads."""
        return {
            JOB_VARIABLE: json.dumps(self.to_json(), separators=(",", ":"))
        }

    def for_plan(self, plan: Plan) -> Job:
        """Return the job of one plan: that of the run, or of a search's step.

        :param plan: the plan that the workers carry out next
        """
        traffic = dataclasses.replace(self.traffic, plan=plan, search=None)
        return dataclasses.replace(self, traffic=traffic)

    def share(self, worker: int) -> Job:
        """Return the job of one worker process.

        The connections of a pod are divided over its processes.  The
        connections of all processes are assigned to the targets in turn, so
        that their numbers per target differ by at most one.

        :param worker: index of the process, from 0
        """
        traffic = self.traffic
        connections = traffic.connections_per_worker
        least, more = divmod(connections, traffic.processes_per_worker)
        pod, place = divmod(worker, traffic.processes_per_worker)
        first = pod * connections + place * least + min(place, more)
        count = least + (place < more)
        return dataclasses.replace(
            self,
            traffic=dataclasses.replace(
                traffic, connections_per_worker=count, processes_per_worker=1
            ),
            addresses=tuple(
                self.addresses[number % len(self.addresses)]
                for number in range(first, first + count)
                if self.addresses
            ),
        )

    @property
    def targets(self) -> list[tuple[str, int]]:
        """Host and port of each target, in the order of assignment."""
        urls = [f"//{one}" for one in self.addresses] or [self.url]
        parts = map(urlsplit, urls)
        return [(one.hostname or "", one.port or 80) for one in parts]

    @property
    def request_bytes(self) -> bytes:
        """The bytes of the request."""
        return self.traffic.request.to_bytes(
            urlsplit(self.url).netloc, keep_alive=self.traffic.keep_alive
        )
