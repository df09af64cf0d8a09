"""Scenarios that run a load, each in a new bay and in an existing bay."""

from __future__ import annotations

from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import existing_bay_scenario
from rally_magnum_scale.task.scenarios import signature
from rally_magnum_scale.task.scenarios.bay_arguments import BayArguments
from rally_magnum_scale.task.scenarios.bay_arguments import BaySelection
from rally_magnum_scale.task.scenarios.load_arguments import (
    FaultyLoadArguments,
)
from rally_magnum_scale.task.scenarios.load_arguments import LoadArguments
from rally_magnum_scale.task.scenarios.load_arguments import SearchArguments
from rally_magnum_scale.task.scenarios.load_arguments import (
    UpdatedLoadArguments,
)


@base.configure_new_bay("throughput", "magnum_scale_load")
class ThroughputScenario(base.BayScenario):
    @signature.flattened
    def run(self, bay: BayArguments, load: LoadArguments) -> None:
        """Create a bay, run a load inside it, and delete it."""
        self.run_load_in_own(bay, load)


@existing_bay_scenario.configure("throughput_in_bay", "magnum_scale_load")
class ThroughputInBay(existing_bay_scenario.ExistingBayScenario):
    @signature.flattened
    def run(self, selection: BaySelection, load: LoadArguments) -> None:
        """Run a load in an existing bay, and keep the bay.

        The bay is one of the context ``bays``, a bay in Magnum, or any
        Kubernetes cluster that a kubeconfig opens.
        """
        self.run_load_in(selection, load)


@base.configure_new_bay("find_max_rate", "magnum_scale_search")
class FindMaxRate(base.BayScenario):
    @signature.flattened
    def run(self, bay: BayArguments, search: SearchArguments) -> None:
        """Create a bay, search for its highest rate, and delete it.

        At the highest rate, all bounds hold, the load generator is not the
        limit, and the achieved rate reaches the offered rate.
        """
        self.run_load_in_own(bay, search)


@existing_bay_scenario.configure("find_max_rate_in_bay", "magnum_scale_search")
class FindMaxRateInBay(existing_bay_scenario.ExistingBayScenario):
    @signature.flattened
    def run(self, selection: BaySelection, search: SearchArguments) -> None:
        """Search for the highest rate of an existing bay.

        The bay is one of the context ``bays``, a bay in Magnum, or any
        Kubernetes cluster that a kubeconfig opens.
        """
        self.run_load_in(selection, search)


@base.configure_new_bay(
    "rolling_update_under_load", "magnum_scale_updated_load"
)
class RollingUpdateUnderLoad(base.BayScenario):
    @signature.flattened
    def run(self, bay: BayArguments, load: UpdatedLoadArguments) -> None:
        """Create a bay, update the targets of a load in it, and delete it.

        The load goes on while pods of a new version replace the pods of the
        targets. Responses are counted by version. With the default manifest,
        no request needs to fail.
        """
        self.run_load_in_own(bay, load)


@existing_bay_scenario.configure(
    "rolling_update_under_load_in_bay", "magnum_scale_updated_load"
)
class RollingUpdateUnderLoadInBay(existing_bay_scenario.ExistingBayScenario):
    @signature.flattened
    def run(self, selection: BaySelection, load: UpdatedLoadArguments) -> None:
        """Update the targets of a load in an existing bay.

        The bay is one of the context ``bays``, a bay in Magnum, or any
        Kubernetes cluster that a kubeconfig opens.
        """
        self.run_load_in(selection, load)


@base.configure_new_bay("node_failure_under_load", "magnum_scale_faulty_load")
class NodeFailureUnderLoad(base.BayScenario):
    @signature.flattened
    def run(self, bay: BayArguments, load: FaultyLoadArguments) -> None:
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
    @signature.flattened
    def run(self, selection: BaySelection, load: FaultyLoadArguments) -> None:
        """Make nodes of an existing bay fail under a load.

        The bay is one of the context ``bays``, a bay in Magnum, or any
        Kubernetes cluster that a kubeconfig opens. At the end, reversible
        faults are reverted: ports are set up again and machines are started
        again.
        """
        self.run_load_in(selection, load)
