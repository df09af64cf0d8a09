"""Add real nodes to an existing bay and remove them."""

from __future__ import annotations

import threading

from rally_magnum_sandbox.bay import api
from rally_magnum_sandbox.bay import certificates
from rally_magnum_sandbox.bay import cgroups
from rally_magnum_sandbox.bay import hollow
from rally_magnum_sandbox.bay import joining
from rally_magnum_sandbox.bay import launching
from rally_magnum_sandbox.bay import network
from rally_magnum_sandbox.bay import roster as bay_roster
from rally_magnum_sandbox.bay import spec as bay_spec
from rally_magnum_sandbox.bay import timeline as bay_timeline


class RealNodes:
    """The real nodes of an existing bay, which the caller has locked.

    Each change is recorded before it begins and after it ends. So a node
    whose change was interrupted is not ``whole``, and :meth:`remove` removes
    it.

    :param spec: of the bay
    :param client: of the bay's API server
    :param timeline: records the steps
    """

    def __init__(
        self,
        spec: bay_spec.BaySpec,
        client: api.ApiClient,
        timeline: bay_timeline.Timeline,
    ) -> None:
        self._spec = spec
        self._client = client
        self._timeline = timeline
        self._group = cgroups.CgroupTree(spec.cgroup)
        self._launcher = launching.Launcher(spec.folder, self._group.procs)
        self._lock = threading.Lock()
        self.roster = bay_roster.read(spec.folder)

    def reserve(self, name: str = "") -> bay_roster.Member:
        """Record a new real node, which is not whole yet.

        :param name: of its Node object; by default one with its number
        :raises SandboxError: if no address is left
        """
        with self._lock:
            grown, member = self.roster.with_member(name)
            self.write(grown)
        return member

    def join(self, member: bay_roster.Member) -> list[launching.Component]:
        """Create a reserved node; its kubelet registers it.

        Several threads may create nodes at the same time.

        :returns: the started components
        :raises ScaleError: if a step fails
        """
        spec, node = self._spec, member.node(self._spec)
        authority = certificates.Authority(spec.folder)
        identity = certificates.node_identity(node)
        certificates.write(spec, authority, identity)
        self._group.make(node.cgroup)
        spaces = self._launcher.namespaces()
        others = [m for m in self.roster.members if m != member]
        started = joining.join(
            spec,
            node,
            [other.node(spec) for other in others],
            self._launcher,
            spaces[launching.CONTROL],
            self._timeline,
        )
        network.introduce(node, self._others(member, spaces))
        return started

    def mark(self, member: bay_roster.Member, *, whole: bool) -> None:
        """Record whether a node is complete and no removal has begun."""
        with self._lock:
            self.write(self.roster.with_state(member.number, whole=whole))

    def remove(self, member: bay_roster.Member) -> None:
        """Remove a real node, complete or not, and its Node object.

        :raises ScaleError: if a part could not be removed; it can be repeated
        """
        self.mark(member, whole=False)
        node = member.node(self._spec)
        spaces = self._launcher.namespaces()
        joining.leave(
            self._spec,
            node,
            self._launcher,
            spaces[launching.CONTROL],
            self._others(member, spaces),
        )
        hollow.delete_all(self._client, [node.name])
        with self._lock:
            self.write(self.roster.without(member.number))
        self._timeline.say(f"removed {node.name}")

    def write(self, roster: bay_roster.Roster) -> None:
        """Replace the bay's roster."""
        bay_roster.write(self._spec.folder, roster)
        self.roster = roster

    def _others(
        self,
        member: bay_roster.Member,
        spaces: dict[str, launching.Namespace],
    ) -> list[launching.Namespace]:
        """List the namespaces of the other existing real nodes."""
        names = [
            m.node(self._spec).folder.name
            for m in self.roster.members
            if m.number != member.number
        ]
        return [spaces[name] for name in names if name in spaces]
