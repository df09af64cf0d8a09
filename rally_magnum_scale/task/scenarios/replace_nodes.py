"""How long it takes to replace nodes of a bay by new ones."""

from __future__ import annotations

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
    """Create a bay, replace nodes of it, and delete it."""

    @signature.takes(
        bay_arguments.BayArguments, node_arguments.ReplaceArguments
    )
    def run(
        self,
        bay: bay_arguments.BayArguments,
        wanted: node_arguments.ReplaceArguments,
    ) -> None:
        """Create a bay, replace nodes of it in batches, and delete it.

        Each batch is timed apart. A new node must be another one than all
        before, and all that were not named must stay: a driver that takes
        others, or none, is told of as a failure.
        """
        with self.recorded(), self.bay(bay) as (life, cluster):
            self.replace(life, cluster, wanted)
