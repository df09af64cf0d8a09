"""Create and remove a single real node of a bay."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path

from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import launching
from rally_magnum_sandbox.bay import network
from rally_magnum_sandbox.bay import node as bay_node
from rally_magnum_sandbox.bay import timeline as bay_timeline
from rally_magnum_sandbox.bay.spec import BaySpec
from rally_magnum_sandbox.bay.spec import RealNode
from rally_magnum_scale import waiting

END_DEADLINE_S = 30.0


def join(
    spec: BaySpec,
    node: RealNode,
    others: Sequence[RealNode],
    launcher: launching.Launcher,
    control: launching.Namespace,
    timeline: bay_timeline.Timeline,
    api_is_up: Callable[[], object] = lambda: None,
) -> list[launching.Component]:
    """Create a real node; its kubelet registers it.

    Its control group and its certificate must exist.

    :param spec: of the bay
    :param node: the node to create
    :param others: the bay's other real nodes
    :param launcher: starts the node's processes
    :param control: the control plane's namespace
    :param timeline: records the steps
    :param api_is_up: waits for the API server, which kubelet needs
    :returns: the started components
    :raises ScaleError: if a step fails
    """
    with timeline.step("containerd"):
        inside = bay_node.prepare(spec, node, launcher)
        network.attach_node(spec, node, others, control, inside)
        started = [bay_node.start_containerd(node, launcher, inside)]
    api_is_up()
    return started + bay_node.start_kubelet(spec, node, launcher, inside)


def leave(
    spec: BaySpec,
    node: RealNode,
    launcher: launching.Launcher,
    control: launching.Namespace,
    others: Iterable[launching.Namespace],
) -> None:
    """Remove a real node, complete or not, except its Node object.

    :param spec: of the bay
    :param node: the node to remove
    :param launcher: any launcher of the bay
    :param control: the control plane's namespace
    :param others: the namespaces of the bay's other real nodes
    :raises DeadlineExceeded: if a part could not be removed
    """
    kill(spec, node, launcher.namespaces().get(node.folder.name))
    network.detach_node(node, control, others)
    _remove(spec, node, launcher)


def vanish(
    spec: BaySpec,
    node: RealNode,
    launcher: launching.Launcher,
    control: launching.Namespace,
) -> None:
    """Remove a real node's machine without a graceful shutdown.

    The Node object and the routes to its pods stay, so clients of these pods
    get no response. :func:`leave` removes the rest.

    :raises DeadlineExceeded: if a part could not be removed
    """
    network.set_link(node, control, up=False, missing_ok=True)
    kill(spec, node, launcher.namespaces().get(node.folder.name))
    network.remove_link(node, control)
    _remove(spec, node, launcher)


def kill(
    spec: BaySpec,
    node: RealNode,
    inside: launching.Namespace | None,
    spare: int | None = None,
) -> None:
    """Kill a node's pods and all processes in its namespaces.

    The shims of containers outlive containerd. Shims are found by their
    namespace, containers by their control group.

    :param inside: the node's namespaces, or None if unknown
    :param spare: the pid of a process to leave alive
    :raises DeadlineExceeded: if a process can't be killed
    """
    bay = cgroups.CgroupTree(spec.cgroup)
    pods = cgroups.CgroupTree(node.cgroup)

    def gone() -> bool | None:
        found = pods.pids()
        if inside is not None:
            found |= {pid for pid in bay.pids() if inside.holds(pid)}
        found -= {spare}
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return None if found else True

    waiting.wait_for(
        gone,
        what=f"the processes of {node.name} to end",
        deadline_s=END_DEADLINE_S,
        interval_s=0.02,
    )


def _remove(
    spec: BaySpec, node: RealNode, launcher: launching.Launcher
) -> None:
    cgroups.CgroupTree(node.cgroup).remove(END_DEADLINE_S)
    launcher.forget(node.folder.name)
    _remove_files(spec, node)


def _remove_files(spec: BaySpec, node: RealNode) -> None:
    def gone() -> bool | None:
        shutil.rmtree(node.folder, ignore_errors=True)
        return None if node.folder.exists() else True

    waiting.wait_for(
        gone,
        what=f"the folder {node.folder} to be removed",
        deadline_s=END_DEADLINE_S,
        interval_s=0.1,
    )
    for path in _certificate(spec.folder, node):
        path.unlink(missing_ok=True)


def _certificate(folder: Path, node: RealNode) -> list[Path]:
    stem = f"kubelet-{node.number}"
    return [folder / f"{stem}.{x}" for x in ("crt", "key", "kubeconfig")]
