"""Restart the dead components of a bay."""

from __future__ import annotations

import collections
import contextlib
import json
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import control_plane
from rally_magnum_sandbox.bay import creation
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay import launching
from rally_magnum_sandbox.bay import machines
from rally_magnum_sandbox.bay import node as bay_node
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_scale import waiting

# Components that others depend on come first.
ORDER = ("etcd", "kube-apiserver", "containerd")
API_DEADLINE_S = 120.0
NODES_DEADLINE_S = 120.0
# Starts of one component. If it still exits, a dead dependency is not the
# reason.
MOST_STARTS = 3


def repair(folder: Path, log: Callable[[str], None]) -> None:
    """Restart each dead component of a bay.

    A bay that is incomplete or that another command works on is left alone.
    Machines that were stopped on purpose stay stopped. It is safe to call this
    repeatedly.

    :param folder: of the bay
    :param log: gets a line for each restarted component
    :raises SandboxError: if the bay can't be repaired and must be deleted
    :raises DeadlineExceeded: if the nodes do not become Ready in time
    """
    status = files.read_json(folder / "status.json").get("status")
    if status != creation.COMPLETE:
        return
    with _unless_busy(folder) as free:
        if free:
            _Repair(bay_spec.read_spec(folder), log).work()


@contextlib.contextmanager
def _unless_busy(folder: Path) -> Iterator[bool]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.only_one(folder, 0.0))
        except exceptions.DeadlineExceeded:
            yield False
        else:
            yield True


class _Repair:
    def __init__(
        self, spec: bay_spec.BaySpec, log: Callable[[str], None]
    ) -> None:
        self._spec = spec
        self._log = log
        self._group = cgroups.CgroupTree(spec.cgroup)
        self._launcher = launching.Launcher(spec.folder, self._group.procs)
        self._spaces: dict[str, launching.Namespace] = {}
        self._starts: collections.Counter[str] = collections.Counter()
        self._failed = machines.Failed.read(spec)

    def work(self) -> None:
        self._spaces = self._held()
        machines.Machines(self._spec, self._log).work()
        self._failed = machines.Failed.read(self._spec)
        if not self._start_dead():
            return
        with self._client() as client:
            # A component whose dependency died may exit only now.
            waiting.wait_for(
                lambda: self._is_repaired(client),
                what=f"the nodes of the bay {self._spec.name} to be Ready",
                deadline_s=NODES_DEADLINE_S,
                interval_s=0.5,
            )

    def _start_dead(self) -> int:
        """Start all dead components; return their number."""
        dead = [
            component
            for component in self._launcher.components()
            if component.namespace
            and component.namespace not in self._failed.off
            and not component.process.alive()
        ]
        for component in sorted(dead, key=_position):
            self._starts[component.title] += 1
            if self._starts[component.title] > MOST_STARTS:
                component.check()
            self._start(component, self._spaces[component.namespace])
        return len(dead)

    def _held(self) -> dict[str, launching.Namespace]:
        """Return the bay's namespaces, with a sleeping process for each."""
        spaces = self._launcher.namespaces()
        for name, space in spaces.items():
            if space.process.alive() or name in self._failed.off:
                continue
            inside = filter(space.holds, self._group.pids())
            pid = next(inside, None)
            if pid is None:
                raise exceptions.SandboxError(
                    f"The bay {self._spec.name} can't be repaired, because "
                    f"no process is left in the namespaces of {name}. Delete "
                    "the bay and create a new one."
                )
            spaces[name] = self._launcher.hold(space, pid)
            self._report_restart(f"the namespaces of {name}", spaces[name].pid)
        return spaces

    def _start(
        self, dead: launching.Component, inside: launching.Namespace
    ) -> None:
        started = self._launcher.restart(dead, inside)
        if dead.name == "containerd":
            bay_node.wait_for_containerd(started)
        if dead.name in ("etcd", "kube-apiserver"):
            self._wait_for_api(started)
        self._report_restart(dead.title, started.process.pid)

    def _wait_for_api(self, started: launching.Component) -> None:
        others = [c for c in self._launcher.components() if c.namespace]
        server = [c for c in others if c.name == "kube-apiserver"]
        if not all(c.process.alive() for c in server):
            # A dead API server is started next, which then waits for it.
            return
        with self._client() as client:
            log = self._spec.folder / "kube-apiserver.log"
            creation.wait_for_api(
                client, "/readyz", log, started.check, API_DEADLINE_S
            )

    def _is_repaired(self, client: api.ApiClient) -> bool | None:
        ready = not self._start_dead() and self._nodes_ready(client)
        return True if ready else None

    def _nodes_ready(self, client: api.ApiClient) -> bool:
        """Tell whether all nodes are Ready that should be."""
        with contextlib.suppress(exceptions.SandboxError):
            nodes = json.loads(client.get("/api/v1/nodes"))["items"]
            return all(map(self._as_expected, nodes))
        return False

    def _as_expected(self, node: dict[str, dict[str, Any]]) -> bool:
        """Tell whether a node is Ready, or was made to fail."""
        metadata = node["metadata"]
        hollow = control_plane.HOLLOW_LABEL in metadata.get("labels", {})
        simulated = control_plane.HOLLOW in metadata.get("annotations", {})
        return (
            api.is_ready(node)
            or (hollow and not simulated)
            or metadata["name"] in self._failed.unready
        )

    @contextlib.contextmanager
    def _client(self) -> Iterator[api.ApiClient]:
        client = api.ApiClient(
            self._spec.control_address, bay_spec.API_PORT, self._spec.folder
        )
        try:
            yield client
        finally:
            client.close()

    def _report_restart(self, what: str, pid: int) -> None:
        self._log(f"bay {self._spec.name}: restarted {what} (pid {pid})")


def _position(component: launching.Component) -> int:
    if component.name in ORDER:
        return ORDER.index(component.name)
    return len(ORDER)
