"""Which processors pods see: the cpuset that each really got.

No object of the API tells that.  The kernel tells each process, so one is
started in every pod for a moment, before the load.
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
_LOOK_EVERY_S = 0.02

_TROUBLE = (
    exceptions.KubernetesError,
    ValueError,
    # Of the library that the official one uses for WebSockets.
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
    """Ask pods, many at once, for the processors that they see.

    The first that can't tell is the last: where one may not be asked, none
    may.

    :param names: of the pods
    :param container: the one in which a command is run
    :param deadline_s: seconds after which no answer is waited for any more
    :returns: those that told, and why others did not
    :raises Interrupted: when the run is asked to stop
    """
    asking = _Asking(cluster, namespace, names, container)
    threads = [
        # One that hangs must not hold up the end of the program.
        threading.Thread(target=asking.work, name="cpuset", daemon=True)
        for _ in range(min(AT_ONCE, len(asking.left)))
    ]
    for thread in threads:
        thread.start()
    try:
        _wait_for(threads, deadline_s)
    finally:
        asking.left.clear()
    if not asking.failure and _are_busy(threads):
        asking.failure = f"they did not all tell within {deadline_s:g} s"
    return dict(asking.found), asking.failure


def _wait_for(threads: list[threading.Thread], deadline_s: float) -> None:
    end_s = time.monotonic() + deadline_s
    while _are_busy(threads) and time.monotonic() < end_s:
        interruption.sleep(_LOOK_EVERY_S)


def _are_busy(threads: list[threading.Thread]) -> bool:
    return any(thread.is_alive() for thread in threads)


class _Asking:
    """What several threads share that ask pods in turn."""

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
        """Ask one pod after the other."""
        # The library turns a client into one of WebSockets for the length
        # of a call, which others must not share.
        with kubernetes.client.ApiClient(self._configuration) as api:
            core = kubernetes.client.CoreV1Api(api)
            while not self.failure:
                try:
                    name = self.left.popleft()
                except IndexError:
                    return
                try:
                    self.found[name] = self._ask(core, name)
                except _TROUBLE as error:
                    self.failure = str(error)

    def _ask(
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
                # Its own close() leaves open what the other side has ended.
                process.sock.shutdown()
        told = _ALLOWED.search(str(status))
        if not told:
            raise ValueError(
                f"The command {' '.join(_COMMAND)} in the pod {pod} told no "
                f"processors but {str(status)[:80]!r}."
            )
        return cpusets.parse(told[1])
