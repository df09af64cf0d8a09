"""Check that the user of an existing bay may create a load in it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from rally_magnum_scale.bays import reading
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube.access import Action
from rally_magnum_scale.kube.access import is_allowed
from rally_magnum_scale.preflight import have
from rally_magnum_scale.preflight import plan as plans
from rally_magnum_scale.preflight.rows import ENOUGH
from rally_magnum_scale.preflight.rows import SHORT
from rally_magnum_scale.preflight.rows import UNKNOWN
from rally_magnum_scale.preflight.rows import Row
from rally_magnum_scale.preflight.rows import unknown

# A namespace that does not exist, as that of a load before its start.
_NAMESPACE = "rms-preflight"

_EVERYWHERE = (
    Action("create", "namespaces"),
    Action("list", "nodes"),
    Action("watch", "nodes"),
)
_IN_NAMESPACE = (
    Action("create", "configmaps"),
    Action("create", "services"),
    Action("get", "services"),
    Action("create", "deployments", "apps"),
    Action("create", "jobs", "batch"),
    Action("create", "pods"),
    Action("list", "pods"),
    Action("watch", "pods"),
    Action("get", "pods/log"),
    # To remove the load.
    Action("delete", "namespaces"),
)
_REMOVE_NODES = (
    Action("get", "nodes"),
    Action("delete", "nodes"),
    Action("create", "nodes"),
)
_PULL_AHEAD = (
    Action("create", "daemonsets", "apps"),
    Action("delete", "daemonsets", "apps"),
)


def check(load: plans.LoadPlan, cluster: client.KubeClient) -> Iterator[Row]:
    """Check the rights in the whole bay, and in the namespace of a load.

    :raises Silent: when the API does not answer
    """
    everywhere = [*_EVERYWHERE]
    if load.removes_nodes:
        everywhere += _REMOVE_NODES
    yield _row("rights in the bay", everywhere, cluster, "")
    inside = [*_IN_NAMESPACE]
    if load.secrets:
        inside.append(Action("create", "secrets"))
    if load.pull_ahead:
        inside += _PULL_AHEAD
    if load.updated:
        inside.append(Action("patch", "deployments", "apps"))
    yield _row("rights in a new namespace", inside, cluster, _NAMESPACE)


def _row(
    what: str,
    actions: Sequence[Action],
    cluster: client.KubeClient,
    namespace: str,
) -> Row:
    need = f"{len(actions)} rights"
    try:
        with have.readable_bay():
            allowed = {
                action: is_allowed(cluster, action, namespace)
                for action in actions
            }
    except reading.Unreadable as error:
        return unknown(what, need, error)
    denied = [str(each) for each in actions if allowed[each] is False]
    undecided = [str(each) for each in actions if allowed[each] is None]
    if denied and namespace:
        reason = (
            "unless something in the bay grants them to those who create a "
            "namespace"
        )
        return Row(what, need, f"all but {', '.join(denied)}", UNKNOWN, reason)
    if denied:
        change = "use credentials of an administrator of the bay"
        return Row(what, need, f"all but {', '.join(denied)}", SHORT, change)
    if undecided:
        reason = f"the API server can't tell: {', '.join(undecided)}"
        return unknown(what, need, reason)
    return Row(what, need, "all", ENOUGH)
