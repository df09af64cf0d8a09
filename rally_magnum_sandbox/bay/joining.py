"""Make one real node of a bay, and take one away."""

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
    """Make a real node; it registers itself.

    Its control group and its certificate are there already.

    :param spec: of the bay
    :param node: to make
    :param others: the bay's other real nodes
    :param launcher: starts its processes
    :param control: the control plane's namespace
    :param timeline: gets the steps
    :param api_is_up: waits for the API server, which kubelet needs
    :returns: what was started
    :raises ScaleError: when a part of it fails
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
    """Take a real node away, whole or half made; its Node object stays.

    :param spec: of the bay
    :param node: to take away
    :param launcher: that started its processes, or one like it
    :param control: the control plane's namespace
    :param others: the namespaces of the bay's other real nodes
    :raises DeadlineExceeded: when something of it stays
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
    """Take a real node's machine away, as if it never had a last word.

    Its Node object stays, and so do the routes to its pods: who talks to
    one waits for an answer in vain.  :func:`leave` removes the rest.

    :raises DeadlineExceeded: when something of it stays
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
    """Kill a node's pods, and all that runs in its namespaces.

    The shims of containers outlive containerd: they are found by the
    namespace, the containers by their control group.

    :param inside: the node's namespaces, if they are known
    :param spare: the pid of a process that is left alive
    :raises DeadlineExceeded: when a process stays
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
