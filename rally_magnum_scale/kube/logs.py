"""Follow a container's log and resume after connection failures."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import kubernetes.client
import urllib3

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import pods
from rally_magnum_scale.kube import watching

# Errors in a row, one per second, before a log is given up.  An API server
# restarts in less time.
MAX_ERRORS = 60

_TROUBLE = (
    *client.BROKEN,
    exceptions.KubernetesError,
    kubernetes.client.ApiException,
)


def follow(
    cluster: client.KubeClient,
    namespace: str,
    pod: str,
    container: str,
    stamped: Callable[[float], None] = lambda _: None,
) -> Iterator[str | None]:
    """Yield each line of a log once, until the container has ended.

    Yields None when no line has arrived for some seconds, so that the reader
    can check its deadline.  After a connection failure, the log is read
    again from the second of the last line on.  Lines that were read before
    are skipped by their time stamps, which the kubelet writes with a fixed
    number of digits.  So no line is lost or repeated.

    :param stamped: called with the time stamp of each line before the line
        is yielded: epoch seconds, by the clock of the pod's node
    :raises KubernetesError: when the log can no longer be read
    """
    place = _Place()
    errors = 0
    while True:
        ended = False
        try:
            ended = pods.has_ended(cluster, namespace, pod)
            answer = _open(cluster, namespace, pod, container, place)
            errors = 0
            yield from _new_lines(answer, place, stamped)
        except urllib3.exceptions.ReadTimeoutError:
            ended = False
        except _TROUBLE as error:
            if ended and getattr(error, "status", None) == 404:
                return
            ended, errors = False, errors + 1
            if errors > MAX_ERRORS:
                raise exceptions.KubernetesError(
                    f"The log of {namespace}/{pod} could not be read "
                    f"{errors} times in a row: {client.describe(error)}."
                ) from error
            interruption.sleep(client.PAUSE_S)
        if ended:
            return
        yield None


class _Place:
    """Position in a log: the last time stamp, and its number of lines."""

    def __init__(self) -> None:
        self._last = ""
        self._count = 0
        self._skip = ("", 0)

    @property
    def since(self) -> dict[str, str]:
        """Query that requests all lines from the second of the last line on.

        The kubelet writes a line longer than 16 KiB in parts, each with a
        time stamp.  The first part of the last line is not older than that
        second, so the line arrives complete.  Parts of earlier lines are
        skipped.
        """
        if not self._last:
            return {}
        head, _, tail = self._last.partition(".")
        return {"sinceTime": head + tail.lstrip("0123456789")}

    def reopen(self) -> None:
        """Start to skip the lines that were read before."""
        self._skip = (self._last, self._count)

    def is_new(self, stamp: str) -> bool:
        """Take a line's time stamp; return whether the line is new."""
        last, left = self._skip
        if stamp < last:
            return False
        if stamp == last and left:
            self._skip = (last, left - 1)
            return False
        self._count = self._count + 1 if stamp == self._last else 1
        self._last = stamp
        return True


def _open(
    cluster: client.KubeClient,
    namespace: str,
    pod: str,
    container: str,
    place: _Place,
) -> Any:
    place.reopen()
    return cluster.stream(
        f"/api/v1/namespaces/{namespace}/pods/{pod}/log",
        container=container,
        follow="true",
        timestamps="true",
        **place.since,
    )


def _new_lines(
    answer: Any, place: _Place, stamped: Callable[[float], None]
) -> Iterator[str]:
    try:
        for raw in watching.lines(answer):
            stamp, _, line = raw.decode(errors="replace").partition(" ")
            if place.is_new(stamp):
                # A line without a time stamp is the API's own message.
                with contextlib.suppress(ValueError):
                    stamped(datetime.datetime.fromisoformat(stamp).timestamp())
                yield line
    finally:
        answer.close()
