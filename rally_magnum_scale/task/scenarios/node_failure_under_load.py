"""Scenarios that measure the effect of node failures on requests."""

from __future__ import annotations

from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import existing_bay_scenario
from rally_magnum_scale.task.scenarios import load_arguments
from rally_magnum_scale.task.scenarios import signature


@base.on_openstack
@base.configure(
    "node_failure_under_load",
    "magnum_scale_bay_quotas",
    "magnum_scale_keep_bay",
    "magnum_scale_faulty_load",
)
class NodeFailureUnderLoad(base.BayScenario):
    """Create a bay, make nodes fail under a load, and delete the bay."""

    @signature.takes(
        bay_arguments.BayArguments, load_arguments.FaultyLoadArguments
    )
    def run(
        self,
        bay: bay_arguments.BayArguments,
        load: load_arguments.FaultyLoadArguments,
    ) -> None:
        """Create a bay, make nodes fail under a load, and delete the bay.

        Only nodes without load generators fail, so that the load goes on.
        Three times are measured from the fault: until Kubernetes detects
        it, until the same number of targets serve again, and until no
        request fails any more.
        """
        self.run_load_in_own(bay, load)


@existing_bay_scenario.configure(
    "node_failure_under_load_in_bay", "magnum_scale_faulty_load"
)
class NodeFailureUnderLoadInBay(existing_bay_scenario.ExistingBayScenario):
    """Make nodes of an existing bay fail under a load."""

    @signature.takes(
        bay_arguments.BaySelection, load_arguments.FaultyLoadArguments
    )
    def run(
        self,
        selection: bay_arguments.BaySelection,
        load: load_arguments.FaultyLoadArguments,
    ) -> None:
        """Make nodes of an existing bay fail under a load.

        The bay is one of the context ``bays``, a bay in Magnum, or any
        Kubernetes cluster that a kubeconfig opens. At the end, reversible
        faults are reverted: ports are set up again and machines are started
        again.
        """
        self.run_load_in(selection, load)
