"""Resize a bay."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rally_magnum_sandbox import exceptions
from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import control_plane
from rally_magnum_sandbox.bay import creation
from rally_magnum_sandbox.bay import files
from rally_magnum_sandbox.bay import hollow
from rally_magnum_sandbox.bay import launching
from rally_magnum_sandbox.bay import plan as bay_plan
from rally_magnum_sandbox.bay import real_nodes
from rally_magnum_sandbox.bay import roster as bay_roster
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.bay import timeline as bay_timeline
from rally_magnum_scale import waiting

COMPLETE = "UPDATE_COMPLETE"
FAILED = "UPDATE_FAILED"
OTHERS_DEADLINE_S = 120.0


def resize(folder: Path) -> dict[str, Any]:
    """Bring a bay to the desired size in ``wish.json``.

    This first removes incomplete nodes that a killed resize has left, and the
    remains of nodes whose machines were deleted.

    :param folder: of a complete bay
    :returns: the new content of the folder's ``update.json``
    """
    timeline = bay_timeline.Timeline(folder / "bay.log")
    update: dict[str, Any] = {"status": COMPLETE, "reason": ""}
    try:
        desired = read_wish(folder)
        update["wish"] = desired.number
        with files.only_one(folder, OTHERS_DEADLINE_S):
            resizer = _Resizer(bay_spec.read_spec(folder), timeline)
            try:
                with timeline.step("resize"):
                    resizer.work(desired)
            finally:
                update |= resizer.size()
                resizer.close()
    except (exceptions.ScaleError, OSError) as error:
        timeline.say(f"resize failed: {error}")
        update |= {"status": FAILED, "reason": " ".join(str(error).split())}
    update["seconds"] = timeline.seconds
    files.write_json(folder / "update.json", update)
    return update


def read_wish(folder: Path) -> bay_plan.DesiredSize:
    """Read the desired size of a bay from ``wish.json``.

    :raises SandboxError: if the file is invalid
    """
    path = folder / "wish.json"
    try:
        values = files.read_json(path)
        return bay_plan.DesiredSize(
            number=int(values["number"]),
            node_count=int(values["node_count"]),
            real_nodes=int(values["real_nodes"]),
            remove=tuple(map(str, values["remove"])),
            if_there=tuple(map(str, values.get("if_there", ()))),
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise exceptions.SandboxError(
            f"The desired size in {path} is invalid: "
            f"{type(error).__name__} {error}. Request the resize again."
        ) from error


class _Resizer:
    def __init__(
        self, spec: bay_spec.BaySpec, timeline: bay_timeline.Timeline
    ) -> None:
        self._spec = spec
        self._timeline = timeline
        self._client = api.ApiClient(
            spec.control_address, bay_spec.API_PORT, spec.folder
        )
        self._real = real_nodes.RealNodes(spec, self._client, timeline)
        self._hollow = spec.node_count - spec.real_nodes
        self._components: list[launching.Component] = []

    def close(self) -> None:
        self._client.close()

    def size(self) -> dict[str, Any]:
        """Return the bay's current size, and write it into its spec."""
        members = [m for m in self._real.roster.members if m.whole]
        nodes = [member.node(self._spec) for member in members]
        count = self._hollow + len(nodes)
        path = self._spec.folder / "spec.json"
        size = {"node_count": count, "real_nodes": len(nodes)}
        files.write_json(path, files.read_json(path) | size)
        addresses = [node.address for node in nodes]
        return {"node_count": count, "node_addresses": addresses}

    def work(self, desired: bay_plan.DesiredSize) -> None:
        """Bring the bay to the desired size.

        :raises ScaleError: if the size is impossible or a step fails
        """
        log = self._spec.folder / "kube-apiserver.log"
        creation.wait_for_api(
            self._client, "/readyz", log, lambda: None, OTHERS_DEADLINE_S
        )
        desired = bay_plan.without(desired, self._remove_broken())
        plan = bay_plan.make(self._nodes(), desired)
        with self._timeline.step("nodes_removed"):
            self._remove(plan.remove)
        added = [self._real.reserve() for _ in range(plan.real)]
        names = self._new_hollow_names(plan.hollow)
        with self._timeline.step("nodes_added"):
            self._add(added, names)

    def _remove_broken(self) -> list[bay_plan.Node]:
        """Remove nodes that are incomplete or whose machine was deleted."""
        broken = [m for m in self._real.roster.members if not m.whole]
        found = self._node_objects() if broken else {}
        for member in broken:
            self._real.remove(member)
        return [self._real_node(member, found) for member in broken]

    def _node_objects(self) -> dict[str, Any]:
        items = json.loads(self._client.get("/api/v1/nodes"))["items"]
        return {item["metadata"]["name"]: item for item in items}

    def _nodes(self) -> list[bay_plan.Node]:
        found = self._node_objects()
        members = self._real.roster.members
        nodes = [self._real_node(member, found) for member in members]
        nodes += [
            _node(item, int(name.rpartition("-")[2]))
            for name, item in found.items()
            if control_plane.HOLLOW_LABEL in item["metadata"]["labels"]
        ]
        self._hollow = sum(not node.real for node in nodes)
        return nodes

    def _real_node(
        self, member: bay_roster.Member, found: dict[str, Any]
    ) -> bay_plan.Node:
        """Return a real node; its Node object may be missing."""
        node = member.node(self._spec)
        uid = found.get(node.name, {}).get("metadata", {}).get("uid", "")
        return bay_plan.Node(
            name=node.name,
            number=node.number,
            real=True,
            uid=uid,
            addresses=frozenset({node.address}),
            machine=node.machine,
        )

    def _remove(self, nodes: Sequence[bay_plan.Node]) -> None:
        names = [node.name for node in nodes if not node.real]
        hollow.delete_all(self._client, names)
        self._hollow -= len(names)
        numbers = {node.number for node in nodes if node.real}
        for member in self._real.roster.members:
            if member.number in numbers:
                self._real.remove(member)

    def _new_hollow_names(self, count: int) -> list[str]:
        grown, numbers = self._real.roster.with_hollow(count)
        self._real.write(grown)
        return [self._spec.hollow_name(number) for number in numbers]

    def _add(
        self, members: Sequence[bay_roster.Member], names: Sequence[str]
    ) -> None:
        ready = api.ReadyNodes(self._client)
        try:
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                joined = [pool.submit(self._join, m) for m in members]
                hollow.post_all(self._client, names)
                self._hollow += len(names)
                for future in joined:
                    future.result()
            nodes = [member.node(self._spec) for member in members]
            self._wait_for(ready, [*names, *(node.name for node in nodes)])
        finally:
            ready.close()
        for member in members:
            self._real.mark(member, whole=True)

    def _join(self, member: bay_roster.Member) -> None:
        self._components += self._real.join(member)

    def _wait_for(self, ready: api.ReadyNodes, names: Sequence[str]) -> None:
        def all_there() -> bool | None:
            for component in self._components:
                component.check()
            return True if ready.have(names) else None

        waiting.wait_for(
            all_there,
            what=f"{len(names)} new nodes of the bay to be Ready",
            deadline_s=creation.NODES_DEADLINE_S
            + creation.NODES_DEADLINE_S_PER_NODE * len(names),
            interval_s=creation.POLL_S,
            progress=lambda: f"{ready.count()} Ready in the whole bay",
            log=self._timeline.say,
        )


def _node(item: dict[str, Any], number: int) -> bay_plan.Node:
    addresses = item.get("status", {}).get("addresses", [])
    return bay_plan.Node(
        name=item["metadata"]["name"],
        number=number,
        real=False,
        uid=item["metadata"]["uid"],
        addresses=frozenset(a["address"] for a in addresses),
    )
