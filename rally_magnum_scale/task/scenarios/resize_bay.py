"""How long a bay takes to grow and to shrink."""

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
    """Create a bay, bring it to other sizes, and delete it."""

    @signature.takes(
        bay_arguments.BayArguments, node_arguments.ResizeArguments
    )
    def run(
        self,
        bay: bay_arguments.BayArguments,
        wanted: node_arguments.ResizeArguments,
    ) -> None:
        """Create a bay, bring it to other sizes, and delete it.

        Each size is timed to Magnum's UPDATE_COMPLETE and to the last node
        Ready or gone, and who came and who went is proven by the nodes
        themselves: those that should stay must stay.
        """
        with self.recorded(), self.bay(bay) as (life, cluster):
            self.resize(life, cluster, wanted)
