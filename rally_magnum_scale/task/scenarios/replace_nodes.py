"""Scenario that measures how long the replacement of nodes takes."""

from __future__ import annotations

from rally_magnum_scale.bays import drivers
from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import node_arguments
from rally_magnum_scale.task.scenarios import signature


@base.on_openstack
@base.configure(
    "replace_nodes",
    "magnum_scale_bay_quotas",
    "magnum_scale_keep_bay",
    "magnum_scale_replacement",
)
class ReplaceNodes(base.BayScenario):
    """Create a bay, replace some of its nodes, and delete it."""

    CAPABILITIES = (drivers.REPLACE_NODES,)

    @signature.takes(
        bay_arguments.BayArguments, node_arguments.ReplaceArguments
    )
    def run(
        self,
        bay: bay_arguments.BayArguments,
        replacement: node_arguments.ReplaceArguments,
    ) -> None:
        """Create a bay, replace nodes in batches, and delete the bay.

        Each batch is timed separately. Every replacement must be a new
        node, and all other nodes must stay. If the driver removes other
        nodes, or none, the iteration fails. If Magnum shows a driver that is
        known to do so, no bay is created.
        """
        with self.recorded(), self.bay(bay) as (life, cluster):
            self.replace(life, cluster, replacement)
