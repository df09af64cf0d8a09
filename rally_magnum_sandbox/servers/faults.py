"""Faults that the sandbox's servers inject on request.

All faults of a sandbox are in one JSON file. The command line adds them; the
servers and Magnum's driver read them and count what they hit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import re
import shlex
import time
from collections.abc import Callable
from collections.abc import Iterator

from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import file_locks

SERVICES = ("keystone", "magnum", "stub")
BAY = "bay"
TRUNCATED, LATE, RESET = "truncated", "late", "reset"
# The operations on a bay that can fail, and the kinds of their faults.
CREATE, DELETE = "CREATE", "DELETE"
BAY_KINDS = {CREATE: "create-failed", DELETE: "delete-failed"}


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault, and how often it was injected.

    :param target: one of :data:`SERVICES`, or :data:`BAY`
    :param kind: an HTTP status, :data:`TRUNCATED`, :data:`LATE` or
        :data:`RESET`; for a bay, one of :data:`BAY_KINDS`
    :param every: hits every n-th matching request
    :param times: number of hits after which the fault ends; None for no limit
    :param until_s: epoch seconds at which the fault ends; None for never
    :param methods: HTTP methods that match, or the operation on a bay; empty
        for all
    :param path: regular expression that is searched in a request's path
    :param applied: whether the request is executed, and only its response is
        changed
    :param html: whether an error is an HTML page, as load balancers send it
    :param retry_after_s: the header ``Retry-After`` of an error
    :param delay_s: of a late response
    :param reason: the status reason of a bay that fails
    :param requests: number of matching requests so far
    :param hits: number of requests that the fault hit
    """

    target: str
    kind: str
    every: int = 1
    times: int | None = None
    until_s: float | None = None
    methods: tuple[str, ...] = ()
    path: str = ""
    applied: bool = False
    html: bool = False
    retry_after_s: int | None = None
    delay_s: float = 0.0
    reason: str = ""
    requests: int = 0
    hits: int = 0

    def is_active(self, now_s: float) -> bool:
        """Tell whether the fault can still hit a request."""
        spent = self.times is not None and self.hits >= self.times
        ended = self.until_s is not None and now_s >= self.until_s
        return not spent and not ended

    def matches(self, target: str, method: str, path: str) -> bool:
        return (
            target == self.target
            and (not self.methods or method in self.methods)
            and re.search(self.path, path) is not None
        )

    def describe(self, now_s: float) -> str:
        """Describe the fault by its command-line arguments and its counts."""
        if not self.is_active(now_s):
            state = "ended, "
        elif self.until_s is not None:
            state = f"ends in {self.until_s - now_s:.0f} s, "
        else:
            state = ""
        arguments = shlex.join([self.target, *self._arguments()])
        what = "operations" if self.target == BAY else "requests"
        return (
            f"{arguments} ({state}hit {self.hits} of {self.requests} {what})"
        )

    def _arguments(self) -> list[str]:
        of_bay = self.target == BAY
        options = {
            "seconds": f"{self.delay_s:g}" if self.delay_s else "",
            "every": self.every if self.every > 1 else "",
            "times": self.times,
            "methods": "" if of_bay else ",".join(self.methods),
            "path": self.path,
            "retry-after": self.retry_after_s,
        }
        switches = {"html": self.html, "applied": self.applied}
        return [
            f"--{self.kind}={self.reason}" if of_bay else self.kind,
            *(f"--{k}={v}" for k, v in options.items() if v not in (None, "")),
            *(f"--{name}" for name, on in switches.items() if on),
        ]


class Faults:
    """The faults of one sandbox.

    :param path: of the JSON file; it exists while there are faults
    :param clock: seconds since the epoch
    """

    def __init__(
        self, path: pathlib.Path, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = path
        self._clock = clock
        self._version: tuple[int, ...] = ()
        self._cached: list[Fault] = []

    def all(self) -> list[Fault]:
        """Read all faults, including those that have ended."""
        records = bay_folder.read_json(self._path).get("faults", [])
        return [
            Fault(**{**record, "methods": tuple(record["methods"])})
            for record in records
        ]

    def add(self, fault: Fault) -> None:
        with self._locked():
            self._write([*self.all(), fault])

    def clear(self) -> int:
        """Remove all faults; return their number."""
        if not self._path.exists():
            return 0
        with self._locked():
            number = len(self.all())
            self._path.unlink(missing_ok=True)
        return number

    def hit(self, target: str, method: str, path: str = "") -> Fault | None:
        """Count a request, and find the fault that it gets.

        If several faults are due, the oldest one hits, and the others wait
        for the next request.

        :param target: a service, or :data:`BAY`
        :param method: HTTP method, or operation on a bay
        :param path: of the request
        """
        if not self._matching(self._latest(), target, method, path):
            return None
        with self._locked():
            faults = self.all()
            hit = None
            for index in self._matching(faults, target, method, path):
                fault = faults[index]
                requests = fault.requests + 1
                is_hit = requests % fault.every == 0
                faults[index] = dataclasses.replace(
                    fault, requests=requests, hits=fault.hits + is_hit
                )
                if is_hit:
                    hit = faults[index]
                    break
            self._write(faults)
        return hit

    def _matching(
        self, faults: list[Fault], target: str, method: str, path: str
    ) -> list[int]:
        now_s = self._clock()
        return [
            index
            for index, fault in enumerate(faults)
            if fault.is_active(now_s) and fault.matches(target, method, path)
        ]

    def _latest(self) -> list[Fault]:
        """Read the faults if the file has changed since the last call."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return []
        version = (status.st_mtime_ns, status.st_ino, status.st_size)
        if version != self._version:
            self._cached = self.all()
            self._version = version
        return self._cached

    def _write(self, faults: list[Fault]) -> None:
        records = [dataclasses.asdict(fault) for fault in faults]
        bay_folder.write_json(self._path, {"faults": records})

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with file_locks.locked(self._path.with_suffix(".lock")):
            yield
