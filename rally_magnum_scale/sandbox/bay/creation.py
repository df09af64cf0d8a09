"""Make a bay from nothing, as much at once as its parts allow."""

from __future__ import annotations

import concurrent.futures
import functools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rally_magnum_scale import exceptions
from rally_magnum_scale import waiting
from rally_magnum_scale.sandbox.bay import api
from rally_magnum_scale.sandbox.bay import certificates
from rally_magnum_scale.sandbox.bay import cgroups
from rally_magnum_scale.sandbox.bay import control_plane
from rally_magnum_scale.sandbox.bay import launching
from rally_magnum_scale.sandbox.bay import network
from rally_magnum_scale.sandbox.bay import node as bay_node
from rally_magnum_scale.sandbox.bay import spec as bay_spec
from rally_magnum_scale.sandbox.bay import timeline as bay_timeline

COMPLETE = "CREATE_COMPLETE"
FAILED = "CREATE_FAILED"
API_DEADLINE_S = 180.0
NODES_DEADLINE_S = 180.0
NODES_DEADLINE_S_PER_NODE = 0.5
POSTERS = 8
POLL_S = 0.02

Future = concurrent.futures.Future[Any]


def create(folder: Path) -> dict[str, Any]:
    """Make the bay that a folder describes.

    The processes of the bay live on when the caller ends.  What a failed
    bay has made stays, to be looked at, until it is deleted.

    :param folder: holds ``spec.json``, ``ca.crt`` and ``ca.key``
    :returns: what ``status.json`` of the folder now says
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
    draft = folder / f"status.json.{os.getpid()}"
    draft.write_text(json.dumps(status))
    draft.replace(folder / "status.json")
    return status


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
        with self._timeline.step("certificates"):
            certificates.write_all(spec)
        with self._timeline.step("control_network"):
            control = self._launcher.namespace("control-namespace")
            network.make_control_network(spec, control)
        workers = POSTERS + 2 * len(spec.nodes)
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            self._make_parts(pool, control)

    def _make_parts(
        self,
        pool: concurrent.futures.Executor,
        control: launching.Namespace,
    ) -> None:
        """Start everything, each part as soon as it can do something."""
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
            # It waits by itself until the API server is ready.
            self._start(
                control,
                "kube-controller-manager",
                control_plane.controller_manager,
            )
            ready = api.ReadyNodes(client)
            self._start(control, "kwok", control_plane.kwok)
            self._post_hollow_nodes(pool, client)
            with self._timeline.step("api_server_ready"):
                self._wait_for_api(client, "/readyz")
            self._start(control, "kube-scheduler", control_plane.scheduler)
            with self._timeline.step("nodes_ready"):
                self._wait_for_nodes(ready)
        finally:
            # Whoever waits for the API server must not wait for ever.
            api_is_up.cancel()

    def _start(
        self,
        control: launching.Namespace,
        name: str,
        command: Callable[[bay_spec.BaySpec], list[str]],
    ) -> None:
        inside = control.entering(*command(self._spec))
        self._components.append(self._launcher.start(name, *inside))

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
        spec, launcher = self._spec, self._launcher
        with self._timeline.step("containerd"):
            inside = bay_node.prepare(spec, node, launcher)
            network.attach_node(spec, node, control, inside)
            self._components.append(
                bay_node.start_containerd(node, launcher, inside)
            )
        image = functools.partial(self._import_image, node, inside)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            imported = pool.submit(image)
            api_is_up.result(API_DEADLINE_S)
            self._components += bay_node.start_kubelet(
                spec, node, launcher, inside
            )
            imported.result()

    def _import_image(
        self, node: bay_spec.RealNode, inside: launching.Namespace
    ) -> None:
        with self._timeline.step("image_import"):
            bay_node.import_image(node, self._spec.image_archive, inside)

    def _post_hollow_nodes(
        self, pool: concurrent.futures.Executor, client: api.ApiClient
    ) -> None:
        names = self._spec.hollow_names
        start = time.monotonic()

        def post(mine: list[str]) -> None:
            for name in mine:
                client.post("/api/v1/nodes", control_plane.hollow_node(name))
            took = time.monotonic() - start
            self._timeline.seconds["hollow_nodes_posted"] = round(took, 3)

        for number in range(POSTERS):
            self._submit(pool, post, names[number::POSTERS])

    def _wait_for_api(self, client: api.ApiClient, path: str) -> None:
        def answers() -> bool | None:
            self._check()
            return True if client.answers(path) else None

        log = self._spec.folder / "kube-apiserver.log"
        waiting.wait_for(
            answers,
            what=f"the bay's API server to answer {path}",
            deadline_s=API_DEADLINE_S,
            interval_s=POLL_S,
            progress=lambda: launching.last_line(log),
        )

    def _wait_for_nodes(self, ready: api.ReadyNodes) -> None:
        count = self._spec.node_count

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
            report=self._timeline.say,
        )
        ready.close()

    def _check(self) -> None:
        """Raise what went wrong meanwhile, in a thread or a process."""
        for component in list(self._components):
            component.check()
        for future in self._futures:
            if future.done():
                future.result()
