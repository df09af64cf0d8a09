"""Read the cpuset of each pod: the processors that it can really use.

The Kubernetes API does not have this.  The kernel shows it to each process,
so a short command runs in every pod before the load.
"""

from __future__ import annotations

import collections
import re
import threading
import time
from collections.abc import Iterable

import kubernetes.client
import kubernetes.stream
import websocket

from rally_magnum_scale import exceptions
from rally_magnum_scale import interruption
from rally_magnum_scale.in_bay.stats import cpusets
from rally_magnum_scale.kube import client

AT_ONCE = 16
TIMEOUT_S = 10.0
_POLL_INTERVAL_S = 0.02

_TROUBLE = (
    exceptions.KubernetesError,
    ValueError,
    # From the WebSocket library that the official client uses.
    websocket.WebSocketException,
)

_COMMAND = ["cat", "/proc/self/status"]
_ALLOWED = re.compile(r"^Cpus_allowed_list:\s*(\S+)$", re.MULTILINE)


def of_pods(
    cluster: client.KubeClient,
    namespace: str,
    names: Iterable[str],
    container: str,
    *,
    deadline_s: float,
) -> tuple[dict[str, frozenset[int]], str]:
    """Read the processors of pods in parallel.

    Stops at the first error, because an error in one pod, such as a missing
    permission, is expected in all others.

    :param names: of the pods
    :param container: the container in which the command runs
    :param deadline_s: seconds after which missing responses are given up
    :returns: the processors by name of the pod, and the error that stopped
        the reads, or an empty string
    :raises Interrupted: when the run is interrupted
    """
    reader = _Reader(cluster, namespace, names, container)
    threads = [
        # Daemons: a thread that hangs must not block the end of the program.
        threading.Thread(target=reader.work, name="cpuset", daemon=True)
        for _ in range(min(AT_ONCE, len(reader.left)))
    ]
    for thread in threads:
        thread.start()
    try:
        _wait_for(threads, deadline_s)
    finally:
        reader.left.clear()
    if not reader.failure and _are_busy(threads):
        reader.failure = f"not all pods answered within {deadline_s:g} s"
    return dict(reader.found), reader.failure


def _wait_for(threads: list[threading.Thread], deadline_s: float) -> None:
    end_s = time.monotonic() + deadline_s
    while _are_busy(threads) and time.monotonic() < end_s:
        interruption.sleep(_POLL_INTERVAL_S)


def _are_busy(threads: list[threading.Thread]) -> bool:
    return any(thread.is_alive() for thread in threads)


class _Reader:
    """Reads pods one after the other, in several threads."""

    def __init__(
        self,
        cluster: client.KubeClient,
        namespace: str,
        names: Iterable[str],
        container: str,
    ) -> None:
        self._configuration = cluster.api.configuration
        self._namespace = namespace
        self._container = container
        self.left = collections.deque(names)
        self.found: dict[str, frozenset[int]] = {}
        self.failure = ""

    def work(self) -> None:
        """Read one pod after the other."""
        # The library switches a client to WebSockets during a call, so
        # threads must not share a client.
        with kubernetes.client.ApiClient(self._configuration) as api:
            core = kubernetes.client.CoreV1Api(api)
            while not self.failure:
                try:
                    name = self.left.popleft()
                except IndexError:
                    return
                try:
                    self.found[name] = self._read(core, name)
                except _TROUBLE as error:
                    self.failure = str(error)

    def _read(
        self, core: kubernetes.client.CoreV1Api, pod: str
    ) -> frozenset[int]:
        with client.translate_errors(f"run a command in the pod {pod}"):
            process = kubernetes.stream.stream(
                core.connect_get_namespaced_pod_exec,
                pod,
                self._namespace,
                container=self._container,
                command=_COMMAND,
                stdout=True,
                stderr=True,
                stdin=False,
                tty=False,
                _preload_content=False,
            )
            try:
                process.run_forever(timeout=TIMEOUT_S)
                status = process.read_all()
            finally:
                # Its close() leaves the socket open after the peer closed it.
                process.sock.shutdown()
        match = _ALLOWED.search(str(status))
        if not match:
            raise ValueError(
                f"The command {' '.join(_COMMAND)} in the pod {pod} printed "
                f"no processors but {str(status)[:80]!r}."
            )
        return cpusets.parse(match[1])
