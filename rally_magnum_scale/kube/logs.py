"""Follow a container's log over breaks of the connection."""

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

# Errors in a row before a log is given up, one a second: longer than an API
# server takes to come back.
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

    Yields None whenever nothing came for some seconds, so that the reader
    can look at its deadline.  After a break the log is read again from the
    second of the last line on, and what was there before is left out by
    its time stamp, which the kubelet writes with a fixed number of digits:
    nothing is lost and nothing comes twice.

    :param stamped: gets that time of each line before it comes: epoch
        seconds, by the clock of the pod's node
    :raises KubernetesError: when the log can't be read any more
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
                    f"{errors} times in a row: {error}"
                ) from error
            interruption.sleep(client.PAUSE_S)
        if ended:
            return
        yield None


class _Place:
    """How far a log was read: the last time stamp, and how often it came."""

    def __init__(self) -> None:
        self._last = ""
        self._count = 0
        self._skip = ("", 0)

    @property
    def since(self) -> dict[str, str]:
        """What to ask for: all from the second of the last line on.

        A line longer than 16 KiB is written in parts with a stamp of each.
        The first of the last line's is not before that second, so it comes
        whole, and what comes of lines before it is left out.
        """
        if not self._last:
            return {}
        head, _, tail = self._last.partition(".")
        return {"sinceTime": head + tail.lstrip("0123456789")}

    def reopen(self) -> None:
        """Begin to leave out what was read before."""
        self._skip = (self._last, self._count)

    def is_new(self, stamp: str) -> bool:
        """Take in a line's stamp, and tell whether it was not read yet."""
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
                # What is no time is part of a message of the API's own.
                with contextlib.suppress(ValueError):
                    stamped(datetime.datetime.fromisoformat(stamp).timestamp())
                yield line
    finally:
        answer.close()
