"""Scenarios that measure the life of a bay and changes of its nodes."""

from __future__ import annotations

from rally_magnum_scale.bays import drivers
from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import signature
from rally_magnum_scale.task.scenarios.bay_arguments import BayArguments
from rally_magnum_scale.task.scenarios.node_arguments import ReplaceArguments
from rally_magnum_scale.task.scenarios.node_arguments import ResizeArguments


@base.configure_new_bay("create_and_delete_bay")
class CreateAndDeleteBay(base.BayScenario):
    @signature.flattened
    def run(self, bay: BayArguments) -> None:
        """Create a bay, wait until every node is Ready, and delete it."""
        with self.recorded(), self.bay(bay):
            pass


@base.configure_new_bay("resize_bay", "magnum_scale_sizes")
class ResizeBay(base.BayScenario):
    @signature.flattened
    def run(self, bay: BayArguments, resizing: ResizeArguments) -> None:
        """Create a bay, resize it, and delete it.

        Each resize is timed until Magnum's UPDATE_COMPLETE and until the
        last node is Ready or gone. Kubernetes' list of nodes shows which
        nodes were added and removed; all other nodes must stay.
        """
        with self.recorded(), self.bay(bay) as (life, cluster):
            self.resize(life, cluster, resizing)


@base.configure_new_bay("replace_nodes", "magnum_scale_replacement")
class ReplaceNodes(base.BayScenario):
    CAPABILITIES = (drivers.REPLACE_NODES,)

    @signature.flattened
    def run(self, bay: BayArguments, replacement: ReplaceArguments) -> None:
        """Create a bay, replace nodes in batches, and delete the bay.

        Each batch is timed separately. Every replacement must be a new
        node, and all other nodes must stay. If the driver removes other
        nodes, or none, the iteration fails. If Magnum shows a driver that is
        known to do so, no bay is created.
        """
        with self.recorded(), self.bay(bay) as (life, cluster):
            self.replace(life, cluster, replacement)
