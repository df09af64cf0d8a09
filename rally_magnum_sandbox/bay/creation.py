"""Create a bay, with as many steps in parallel as possible."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import certificates
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import control_plane
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay import hollow
from rally_magnum_sandbox.bay import joining
from rally_magnum_sandbox.bay import launching
from rally_magnum_sandbox.bay import network
from rally_magnum_sandbox.bay import roster
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.bay import timeline as bay_timeline
from rally_magnum_scale import waiting

COMPLETE = "CREATE_COMPLETE"
FAILED = "CREATE_FAILED"
# On 2 CPUs, 16 simultaneous creates take three minutes each.
API_DEADLINE_S = 400.0
NODES_DEADLINE_S = 180.0
NODES_DEADLINE_S_PER_NODE = 0.5
POLL_S = 0.02

Future = concurrent.futures.Future[Any]


def create(folder: Path) -> dict[str, Any]:
    """Create the bay that a folder describes.

    The bay's processes keep running after the caller exits. A bay whose
    create failed is kept for inspection until it is deleted.

    :param folder: contains ``spec.json``, ``ca.crt`` and ``ca.key``
    :returns: the new content of the folder's ``status.json``
    """
    timeline = bay_timeline.Timeline(folder / "bay.log")
    status: dict[str, Any] = {"status": COMPLETE, "reason": ""}
    try:
        spec = bay_spec.read_spec(folder)
        status["api_address"] = spec.api_address
        status["node_addresses"] = [node.address for node in spec.nodes]
        with timeline.step("total"):
            _Maker(spec, timeline).make()
    except (exceptions.ScaleError, OSError) as error:
        timeline.say(f"failed: {error}")
        status |= {"status": FAILED, "reason": " ".join(str(error).split())}
    status["seconds"] = timeline.seconds
    files.write_json(folder / "status.json", status)
    return status


def wait_for_api(
    client: api.ApiClient,
    path: str,
    log: Path,
    check: Callable[[], None],
    deadline_s: float = API_DEADLINE_S,
) -> None:
    """Wait until a bay's API server responds to a path with 200.

    :param client: of the API server
    :param path: such as ``/readyz``
    :param log: of the API server
    :param check: raises if waiting is useless
    :param deadline_s: maximum wait in seconds
    :raises DeadlineExceeded: with the last line of the log
    """

    def answers() -> bool | None:
        check()
        return True if client.answers(path) else None

    waiting.wait_for(
        answers,
        what=f"the bay's API server to answer {path}",
        deadline_s=deadline_s,
        interval_s=POLL_S,
        progress=lambda: launching.last_line(log),
    )


class _Maker:
    def __init__(
        self, spec: bay_spec.BaySpec, timeline: bay_timeline.Timeline
    ) -> None:
        self._spec = spec
        self._timeline = timeline
        self._group = cgroups.CgroupTree(spec.cgroup)
        self._launcher = launching.Launcher(spec.folder, self._group.procs)
        self._components: list[launching.Component] = []
        self._futures: list[Future] = []

    def make(self) -> None:
        spec = self._spec
        self._group.make(*(node.cgroup for node in spec.nodes))
        roster.write(spec.folder, roster.of_new_bay(spec))
        with self._timeline.step("certificates"):
            certificates.write_all(spec)
        with self._timeline.step("control_network"):
            control = self._launcher.namespace(launching.CONTROL)
            network.make_control_network(spec, control)
        workers = hollow.AT_ONCE + 2 * len(spec.nodes)
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            self._make_parts(pool, control)

    def _make_parts(
        self,
        pool: concurrent.futures.Executor,
        control: launching.Namespace,
    ) -> None:
        """Start each component as soon as its dependencies are up."""
        spec = self._spec
        api_is_up: Future = concurrent.futures.Future()
        try:
            self._start(control, "etcd", control_plane.etcd)
            self._start(control, "kube-apiserver", control_plane.api_server)
            for node in spec.nodes:
                self._submit(pool, self._make_node, node, control, api_is_up)
            client = api.ApiClient(
                spec.control_address, bay_spec.API_PORT, spec.folder
            )
            with self._timeline.step("api_server"):
                self._wait_for_api(client, "/api/v1/nodes?limit=1")
            api_is_up.set_result(True)
            ready = api.ReadyNodes(client)
            self._start(control, "kwok", control_plane.kwok)
            self._post_hollow_nodes(pool, client)
            with self._timeline.step("api_server_ready"):
                self._wait_for_api(client, "/readyz")
            # The controller manager waits only 10 s for a ready API server,
            # which may take longer while other bays are created.
            self._start(
                control,
                "kube-controller-manager",
                control_plane.controller_manager,
            )
            self._start(control, "kube-scheduler", control_plane.scheduler)
            with self._timeline.step("nodes_ready"):
                self._wait_for_nodes(ready)
        finally:
            # Release the threads that wait for the API server.
            api_is_up.cancel()

    def _start(
        self,
        control: launching.Namespace,
        name: str,
        command: Callable[[bay_spec.BaySpec], list[str]],
    ) -> None:
        self._components.append(
            self._launcher.start(name, *command(self._spec), inside=control)
        )

    def _submit(
        self,
        pool: concurrent.futures.Executor,
        function: Callable[..., None],
        *arguments: Any,
    ) -> None:
        self._futures.append(pool.submit(function, *arguments))

    def _make_node(
        self,
        node: bay_spec.RealNode,
        control: launching.Namespace,
        api_is_up: Future,
    ) -> None:
        self._components += joining.join(
            self._spec,
            node,
            [other for other in self._spec.nodes if other != node],
            self._launcher,
            control,
            self._timeline,
            lambda: api_is_up.result(API_DEADLINE_S),
        )

    def _post_hollow_nodes(
        self, pool: concurrent.futures.Executor, client: api.ApiClient
    ) -> None:
        names = self._spec.hollow_names
        unready = frozenset(names[len(names) - self._spec.unready_nodes :])
        start = time.monotonic()

        def post(mine: list[str]) -> None:
            hollow.post(client, mine, unready)
            took = time.monotonic() - start
            self._timeline.seconds["hollow_nodes_posted"] = round(took, 3)

        for number in range(hollow.AT_ONCE):
            self._submit(pool, post, names[number :: hollow.AT_ONCE])

    def _wait_for_api(self, client: api.ApiClient, path: str) -> None:
        log = self._spec.folder / "kube-apiserver.log"
        wait_for_api(client, path, log, self._check)

    def _wait_for_nodes(self, ready: api.ReadyNodes) -> None:
        count = self._spec.node_count - self._spec.unready_nodes

        def all_there() -> bool | None:
            self._check()
            made = all(future.done() for future in self._futures)
            return True if made and ready.count() >= count else None

        waiting.wait_for(
            all_there,
            what=f"{count} nodes of the bay to be Ready",
            deadline_s=NODES_DEADLINE_S + NODES_DEADLINE_S_PER_NODE * count,
            interval_s=POLL_S,
            progress=lambda: f"{ready.count()} Ready",
            log=self._timeline.say,
        )
        ready.close()

    def _check(self) -> None:
        """Raise the error of a failed thread or component."""
        for component in list(self._components):
            component.check()
        for future in self._futures:
            if future.done():
                future.result()
