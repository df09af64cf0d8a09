"""Compare a load in an existing bay with what the bay has."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from collections.abc import Sequence
from decimal import Decimal

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import reading
from rally_magnum_scale.kube import allocatable
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import objects
from rally_magnum_scale.kube.access import Action
from rally_magnum_scale.kube.access import is_allowed
from rally_magnum_scale.measurement import wording
from rally_magnum_scale.preflight import have
from rally_magnum_scale.preflight import needs
from rally_magnum_scale.preflight import plan as plans
from rally_magnum_scale.preflight import room
from rally_magnum_scale.preflight.rows import ENOUGH
from rally_magnum_scale.preflight.rows import SHORT
from rally_magnum_scale.preflight.rows import UNKNOWN
from rally_magnum_scale.preflight.rows import Row
from rally_magnum_scale.preflight.rows import unknown
from rally_magnum_scale.preflight.rows import words
from rally_magnum_scale.runs import bay_life
from rally_magnum_scale.workload import naming

_GIB = 1024**3

# Magnum's label of a bay with an autoscaler.
_AUTO_SCALING = "auto_scaling_enabled"

_ADD_NODES = "add nodes, or lower the requests in pods"

# Resource to its name, and what to change if it is short.
_TOTALS = {
    "pods": (
        "pods of the load",
        "add nodes, or raise maxPods of the kubelets",
    ),
    "cpu": ("cores of the load", _ADD_NODES),
    "memory": ("memory of the load", _ADD_NODES),
}

_ADMISSION = (
    unknown(
        "admission of the pods",
        "restricted",
        "the pods keep the Pod Security Standard restricted, and no API shows "
        "what further policies of the bay refuse",
    ),
    unknown(
        "limits of a new namespace",
        "none",
        "no API shows whether something in the bay gives new namespaces a "
        "ResourceQuota or a LimitRange",
    ),
)

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


def check_bay(load: plans.LoadPlan, project: have.Project) -> list[Row]:
    """Compare a load with a bay that Magnum shows."""
    what, need = "bay", str(load.bay)
    if project.new:
        change = (
            "Rally creates the project; list existing users in its "
            'environment, and give the context as "users@openstack": {}'
        )
        return [Row(what, need, "none", SHORT, change)]
    try:
        found, bays = project.find_bay(need)
    except reading.Unreadable as error:
        if isinstance(error.__cause__, exceptions.BayNotFound):
            return [Row(what, need, "none", SHORT, str(error))]
        return [unknown(what, need, error)]
    shown = Row(what, need, found.status, ENOUGH)
    label = str((getattr(found, "labels", None) or {}).get(_AUTO_SCALING, ""))
    with contextlib.ExitStack() as opened:
        try:
            with reading.readable("Magnum"):
                cluster = opened.enter_context(bay_life.open_bay(bays, found))
        except reading.Unreadable as error:
            return [shown, unknown("Kubernetes API", "open", error)]
        may_grow = label.lower() == "true"
        return [shown, *check_cluster(load, cluster, may_grow=may_grow)]


def check_kubeconfig(load: plans.LoadPlan) -> list[Row]:
    """Compare a load with the cluster that a kubeconfig opens.

    :raises InvalidInput: when the kubeconfig can't be used
    """
    with client.connect_kubeconfig(
        str(load.kubeconfig), load.kubeconfig_context
    ) as cluster:
        return check_cluster(load, cluster)


def check_cluster(
    load: plans.LoadPlan, cluster: client.KubeClient, *, may_grow: bool = False
) -> list[Row]:
    """Compare a load with an open bay.

    :param may_grow: whether Magnum says that an autoscaler may add nodes
    """
    try:
        return [
            *check_rights(load, cluster),
            *_ADMISSION,
            *_check_room(load, cluster, may_grow),
        ]
    except have.Silent as error:
        return [unknown("Kubernetes API", "an answer", str(error))]


def check_rights(
    load: plans.LoadPlan, cluster: client.KubeClient
) -> Iterator[Row]:
    """Check the rights in the whole bay, and in the namespace of a load.

    :raises Silent: when the API does not answer
    """
    everywhere = [*_EVERYWHERE]
    if load.removes_nodes:
        everywhere += _REMOVE_NODES
    yield _rights("rights in the bay", everywhere, cluster, "")
    inside = [*_IN_NAMESPACE]
    if load.secrets:
        inside.append(Action("create", "secrets"))
    if load.pull_ahead:
        inside += _PULL_AHEAD
    if load.updated:
        inside.append(Action("patch", "deployments", "apps"))
    yield _rights("rights in a new namespace", inside, cluster, _NAMESPACE)


def _rights(
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


@dataclasses.dataclass(frozen=True)
class _Bay:
    """What is known of the nodes of a bay.

    :param rooms: the Ready nodes with at least the room that they have
    :param may_grow: why there may be more nodes; empty if there may not
    :param unread: why there may be less room; empty if there may not
    """

    rooms: room.Rooms
    may_grow: str
    unread: str

    def verdict(
        self, *, short: bool, enough: bool, change: str
    ) -> tuple[str, str]:
        """Return the verdict, and what to change or why it is unknown."""
        if short and self.may_grow:
            return UNKNOWN, f"{self.may_grow}; otherwise {change}"
        if short:
            return SHORT, change
        if self.unread:
            return UNKNOWN, self.unread
        if enough:
            return ENOUGH, ""
        return UNKNOWN, (
            "the need depends on loads that overlap, or on the surge of an "
            f"update; to be safe, {change}"
        )


def _check_room(
    load: plans.LoadPlan, cluster: client.KubeClient, may_grow: bool
) -> Iterator[Row]:
    """Compare the pods of a load with the Ready nodes.

    :raises Silent: when the API does not answer
    """
    try:
        bay = _read_bay(cluster, may_grow)
    except reading.Unreadable as error:
        yield unknown("room on the nodes", "all pods", error)
        return
    rows = [_check_pods(load, pods, bay) for pods in load.pods]
    rows += _check_totals(load, bay)
    yield from rows
    if all(row.verdict == ENOUGH for row in rows):
        yield _check_together(load, bay)


def _read_bay(cluster: client.KubeClient, may_grow: bool) -> _Bay:
    with have.readable_bay():
        rooms = allocatable.read_nodes(cluster)
    growing, unread = "", ""
    try:
        with have.readable_bay():
            if may_grow or allocatable.may_grow(cluster, rooms):
                growing = "an autoscaler may add nodes"
    except reading.Unreadable as error:
        growing = f"there may be an autoscaler: {error}"
    try:
        with have.readable_bay():
            others = objects.namespaces(cluster, naming.MANAGED)
            rooms = allocatable.without_pods(cluster, rooms, others)
        if others:
            # The run removes those whose own run is dead.
            unread = (
                "the bay has other loads, whose pods are not counted: "
                f"namespaces {wording.few(others)}"
            )
    except reading.Unreadable as error:
        unread = str(error)
    return _Bay(rooms, growing, unread)


def _check_pods(load: plans.LoadPlan, pods: plans.PodsPlan, bay: _Bay) -> Row:
    """Compare the pods of one component with the nodes that take them."""
    nodes = room.usable(bay.rooms, pods)
    spread = load.spread_required
    most = room.capacity(nodes, pods, spread=False)
    of_one_load = room.capacity(nodes, pods, spread=spread)
    amount = needs.Amount(pods.count, pods.count + pods.surge).times(
        load.at_least, load.at_most
    )
    name = pods.component
    if nodes:
        change = f"{_ADD_NODES}.{name}"
        found = f"room for {min(most, of_one_load)} on {len(nodes)} nodes"
    else:
        change = (
            f"change node_selector or tolerations in pods.{name}, or the "
            "labels or taints of nodes"
        )
        found = "no Ready node takes them"
    verdict, why = bay.verdict(
        short=of_one_load < pods.count or most < amount.at_least,
        enough=amount.most <= most and of_one_load >= pods.count + pods.surge,
        change=change,
    )
    plural = name if name == "master" else f"{name}s"
    what, need = f"room for the {plural}", words(amount)
    return Row(what, need, found, verdict, why, size=amount.most)


def _check_totals(load: plans.LoadPlan, bay: _Bay) -> Iterator[Row]:
    """Compare the sums of all requests with the sums of all nodes."""
    free = room.free_for_any(bay.rooms, load.pods)
    for resource, (what, change) in _TOTALS.items():
        one, surge = Decimal(0), Decimal(0)
        for pods in load.pods:
            amount = room.requests_of(pods).get(resource, Decimal(0))
            one += pods.count * amount
            surge += pods.surge * amount
        least, most = load.at_least * one, load.at_most * (one + surge)
        if not most:
            continue
        verdict, why = bay.verdict(
            short=least > free[resource],
            enough=most <= free[resource],
            change=change,
        )
        shown = [*dict.fromkeys(_shown(resource, it) for it in (least, most))]
        have_words = f"{_shown(resource, free[resource])} free"
        size = math.ceil(most)
        yield Row(what, " to ".join(shown), have_words, verdict, why, size)


def _check_together(load: plans.LoadPlan, bay: _Bay) -> Row:
    """Try to place all pods, of which each kind alone would fit."""
    what = "room for all pods together"
    wanted = [
        (pods, load.at_most * (pods.count + pods.surge)) for pods in load.pods
    ]
    need = f"{sum(number for _, number in wanted)}"
    if room.fit_together(bay.rooms, wanted, spread=load.spread_required):
        return Row(what, need, "found", ENOUGH)
    reason = "it depends on where Kubernetes places pods; to be safe, "
    return Row(what, need, "not found", UNKNOWN, reason + _ADD_NODES)


def _shown(resource: str, amount: Decimal) -> str:
    if resource == "memory":
        return f"{amount / _GIB:.1f} GiB"
    return f"{float(amount):g}"
