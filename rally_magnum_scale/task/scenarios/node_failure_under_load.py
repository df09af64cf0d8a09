"""What requests feel of the loss of nodes, and how long it takes to heal."""

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
    """Create a bay, let nodes of it die under a load, and delete it."""

    @signature.takes(
        bay_arguments.BayArguments, load_arguments.FaultyLoadArguments
    )
    def run(
        self,
        bay: bay_arguments.BayArguments,
        load: load_arguments.FaultyLoadArguments,
    ) -> None:
        """Create a bay, let nodes of it die under a load, and delete it.

        The nodes are those of targets alone, so that the load goes on. It is
        timed until Kubernetes notices, until as many targets serve again,
        and until no request fails any more.
        """
        self.run_load_in_own(bay, load)


@existing_bay_scenario.configure(
    "node_failure_under_load_in_bay", "magnum_scale_faulty_load"
)
class NodeFailureUnderLoadInBay(existing_bay_scenario.ExistingBayScenario):
    """Let nodes of a bay that is there already die under a load."""

    @signature.takes(
        bay_arguments.WhichBay, load_arguments.FaultyLoadArguments
    )
    def run(
        self,
        which: bay_arguments.WhichBay,
        load: load_arguments.FaultyLoadArguments,
    ) -> None:
        """Let nodes of a bay that is there already die under a load.

        The bay is one of the context ``bays``, one that Magnum shows, or
        whatever Kubernetes cluster a kubeconfig opens. What can be undone is
        undone in the end: ports are put up again, machines started again.
        """
        self.run_load_in(which, load)
