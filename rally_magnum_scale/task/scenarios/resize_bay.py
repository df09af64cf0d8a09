"""Scenario that measures how long a bay takes to grow and to shrink."""

from __future__ import annotations

from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import node_arguments
from rally_magnum_scale.task.scenarios import signature


@base.on_openstack
@base.configure(
    "resize_bay",
    "magnum_scale_bay_quotas",
    "magnum_scale_keep_bay",
    "magnum_scale_sizes",
)
class ResizeBay(base.BayScenario):
    """Create a bay, resize it, and delete it."""

    @signature.takes(
        bay_arguments.BayArguments, node_arguments.ResizeArguments
    )
    def run(
        self,
        bay: bay_arguments.BayArguments,
        resizing: node_arguments.ResizeArguments,
    ) -> None:
        """Create a bay, resize it, and delete it.

        Each resize is timed until Magnum's UPDATE_COMPLETE and until the
        last node is Ready or gone. Kubernetes' list of nodes shows which
        nodes were added and removed; all other nodes must stay.
        """
        with self.recorded(), self.bay(bay) as (life, cluster):
            self.resize(life, cluster, resizing)
