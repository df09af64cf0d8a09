"""Kill processes of the sandbox on request."""

from __future__ import annotations

from rally_magnum_sandbox import bay_commands
from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox import processes
from rally_magnum_sandbox import settings as sandbox_settings
from rally_magnum_sandbox import status
from rally_magnum_sandbox.bay import launching
from rally_magnum_sandbox.bay import roster
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.bay.cgroups import CgroupTree
from rally_magnum_sandbox.servers import bay_folder
from rally_magnum_scale import waiting

CREATE_DEADLINE_S = 600.0


def kill_conductor(
    settings: sandbox_settings.Settings, while_creating: bool
) -> None:
    """Kill Magnum with SIGKILL; its API and conductor are one process.

    :param while_creating: first wait until a bay is CREATE_IN_PROGRESS
    :raises DeadlineExceeded: if no bay is, within 600 s
    """
    bays = bay_folder.Bays(settings.bays_dir)

    def is_creating() -> bool | None:
        states = map(status.bay_state, bays.all())
        return "CREATE_IN_PROGRESS" in states or None

    if while_creating:
        waiting.wait_for(
            is_creating,
            what="a bay to be CREATE_IN_PROGRESS",
            deadline_s=CREATE_DEADLINE_S,
            interval_s=0.05,
        )
    processes.end(settings, "magnum")


def restart_api_server(settings: sandbox_settings.Settings, name: str) -> str:
    """Kill a bay's API server, and start it again.

    :param name: name or uuid of the bay
    :returns: what was started
    :raises SandboxError: if there is no such complete bay, or if its API
        server does not start again
    """
    bay = _complete_bay(settings, name)
    spec = bay_spec.read_spec(bay.folder)
    for component in _components(spec, "kube-apiserver"):
        component.process.kill_group()
    lines = bay_commands.run("repair", bay.folder)
    if not lines:
        raise exceptions.SandboxError(
            f"The API server of the bay {name} was killed, but not started "
            "again, because another command works on the bay. Run "
            "`rally-magnum-sandbox up`."
        )
    return "; ".join(lines)


def stop_kubelet(
    settings: sandbox_settings.Settings, name: str, node: str | None
) -> str:
    """Kill kubelet on a real node of a bay.

    :param name: name or uuid of the bay
    :param node: name of the real node; None for the first
    :returns: the name of the node
    :raises SandboxError: if there is no such complete bay or real node
    """
    bay = _complete_bay(settings, name)
    spec = bay_spec.read_spec(bay.folder)
    nodes = [
        member.node(spec)
        for member in roster.read(bay.folder).members
        if member.whole and not member.trouble
    ]
    chosen = next((x for x in nodes if node in (None, x.name)), None)
    if chosen is None:
        raise exceptions.InvalidInput(
            f"The bay {name} has no running real node {node or ''}; its real "
            f"nodes are: {', '.join(x.name for x in nodes) or 'none'}."
        )
    for kubelet in _components(spec, "kubelet"):
        if kubelet.namespace == chosen.folder.name:
            kubelet.process.kill_group()
    return chosen.name


def _complete_bay(
    settings: sandbox_settings.Settings, name: str
) -> bay_folder.Bay:
    bays = bay_folder.Bays(settings.bays_dir).all()
    found = [bay for bay in bays if name in (bay.spec()["name"], bay.uuid)]
    if len(found) != 1:
        raise exceptions.InvalidInput(
            f"The sandbox has {len(found)} bays with the name or uuid "
            f"{name!r}; `rally-magnum-sandbox status` lists all."
        )
    state = status.bay_state(found[0])
    if state not in bay_commands.WHOLE:
        raise exceptions.SandboxError(
            f"The bay {name} is {state}. Wait until it is complete."
        )
    return found[0]


def _components(
    spec: bay_spec.BaySpec, name: str
) -> list[launching.Component]:
    launcher = launching.Launcher(spec.folder, CgroupTree(spec.cgroup).procs)
    return [x for x in launcher.components() if x.name == name]
