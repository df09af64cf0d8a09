"""Scenario that measures the creation and deletion of a bay."""

from __future__ import annotations

from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import signature


@base.on_openstack
@base.configure(
    "create_and_delete_bay", "magnum_scale_bay_quotas", "magnum_scale_keep_bay"
)
class CreateAndDeleteBay(base.BayScenario):
    """Create a bay, wait until every node is Ready, and delete it."""

    @signature.takes(bay_arguments.BayArguments)
    def run(self, bay: bay_arguments.BayArguments) -> None:
        """Create a bay, wait until every node is Ready, and delete it."""
        with self.recorded(), self.bay(bay):
            pass
