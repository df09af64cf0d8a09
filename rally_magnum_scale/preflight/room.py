"""Compute whether the pods of a load find room on the nodes of a bay."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from decimal import Decimal

from rally_magnum_scale.kube import allocatable
from rally_magnum_scale.preflight import plan as plans
from rally_magnum_scale.workload import pod_options

Rooms = Sequence[allocatable.NodeRoom]


def requests_of(pods: plans.PodsPlan) -> dict[str, Decimal]:
    """Return what one pod requests, by resource.

    Kubernetes sets a missing request to the limit.
    """
    given = {**pods.options.limits, **pods.options.requests}
    return {
        "pods": Decimal(1),
        **{name: pod_options.amount(text) for name, text in given.items()},
    }


def usable(
    rooms: Iterable[allocatable.NodeRoom], pods: plans.PodsPlan
) -> Rooms:
    """Return the nodes to which pods may be scheduled if they fit."""
    options = pods.options
    return [
        room
        for room in rooms
        if room.accepts(options.node_selector, options.tolerations)
    ]


def capacity(rooms: Rooms, pods: plans.PodsPlan, *, spread: bool) -> int:
    """Return how many pods would fit if they were the only new ones.

    :param rooms: from :func:`usable`
    :param spread: whether no node may have two pods more than another
    """
    requests = requests_of(pods)
    fitting = [
        max(0, min(int(room.free[r] / requests[r]) for r in requests))
        for room in rooms
    ]
    if spread:
        most = min(fitting, default=0) + 1
        fitting = [min(number, most) for number in fitting]
    return sum(fitting)


def fit_together(
    rooms: Rooms,
    wanted: Sequence[tuple[plans.PodsPlan, int]],
    *,
    spread: bool,
) -> bool:
    """Return whether one way was found to place all pods.

    Kubernetes' scheduler may find another, so False proves nothing.

    :param wanted: pods and their number
    :param spread: as in :func:`capacity`
    """
    free = {room.name: dict(room.free) for room in rooms}
    # Those with the fewest nodes to choose from come first.
    ordered = sorted(wanted, key=lambda each: len(usable(rooms, each[0])))
    return all(
        _place(
            {room.name: free[room.name] for room in usable(rooms, pods)},
            requests_of(pods),
            number,
            spread=spread,
        )
        for pods, number in ordered
    )


def _place(
    free: Mapping[str, dict[str, Decimal]],
    requests: Mapping[str, Decimal],
    number: int,
    *,
    spread: bool,
) -> bool:
    """Place equal pods, each on a node with the fewest of them.

    :param free: room of each node, from which the pods are taken
    """
    fewest_first = [
        (0, -room["cpu"], name) for name, room in sorted(free.items())
    ]
    heapq.heapify(fewest_first)
    most = number
    while number:
        if not fewest_first:
            return False
        count, _, name = heapq.heappop(fewest_first)
        if count >= most:
            return False
        room = free[name]
        if any(room[each] < amount for each, amount in requests.items()):
            if spread:
                most = min(most, count + 1)
            continue
        for each, amount in requests.items():
            room[each] -= amount
        heapq.heappush(fewest_first, (count + 1, -room["cpu"], name))
        number -= 1
    return True


def free_for_any(
    rooms: Rooms, wanted: Sequence[plans.PodsPlan]
) -> dict[str, Decimal]:
    """Return the room of all nodes that take at least one kind of pods."""
    taking = {
        room.name: room for pods in wanted for room in usable(rooms, pods)
    }
    return {
        name: sum(
            (max(room.free[name], Decimal(0)) for room in taking.values()),
            Decimal(0),
        )
        for name in allocatable.RESOURCES
    }
