"""Follow a container's log over breaks of the connection."""

from __future__ import annotations

from collections.abc import Iterator

import kubernetes.client
import urllib3

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.kubernetes import client
from rally_magnum_scale.kubernetes import pods
from rally_magnum_scale.kubernetes import watching

# Errors in a row before a log is given up, one a second: longer than an API
# server takes to come back.
MAX_ERRORS = 60


def follow(
    cluster: client.Cluster, namespace: str, pod: str, container: str
) -> Iterator[str | None]:
    """Yield each line of a log once, until the container has ended.

    Yields None whenever nothing came for some seconds, so that the reader
    can look at its deadline.  After a break the log is read again, and what
    was there before is left out by its time stamp, which the kubelet writes
    with a fixed number of digits: nothing is lost and nothing comes twice.

    :raises KubernetesError: when the log can't be read any more
    """
    last = ""
    errors = 0
    while True:
        try:
            ended = pods.has_ended(cluster, namespace, pod)
            for stamped in _read(cluster, namespace, pod, container):
                stamp, _, line = stamped.partition(" ")
                if stamp > last:
                    last, errors = stamp, 0
                    yield line
            if ended:
                return
        except urllib3.exceptions.ReadTimeoutError:
            pass
        except (*client.BROKEN, kubernetes.client.ApiException) as error:
            errors += 1
            if errors > MAX_ERRORS:
                raise exceptions.KubernetesError(
                    f"The log of {namespace}/{pod} could not be read "
                    f"{errors} times in a row: {error}"
                ) from error
            interruption.sleep(client.PAUSE_S)
        yield None


def _read(
    cluster: client.Cluster, namespace: str, pod: str, container: str
) -> Iterator[str]:
    answer = cluster.core.read_namespaced_pod_log(
        pod,
        namespace,
        container=container,
        follow=True,
        timestamps=True,
        _preload_content=False,
        _request_timeout=(client.TIMEOUT_S[0], client.SILENCE_S),
    )
    try:
        for line in watching.lines(answer):
            yield line.decode(errors="replace")
    finally:
        answer.close()
