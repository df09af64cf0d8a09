"""Scenario that measures throughput and latency in an existing bay."""

from __future__ import annotations

from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import existing_bay_scenario
from rally_magnum_scale.task.scenarios import load_arguments
from rally_magnum_scale.task.scenarios import signature


@existing_bay_scenario.configure("throughput_in_bay", "magnum_scale_load")
class ThroughputInBay(existing_bay_scenario.ExistingBayScenario):
    """Run a load in an existing bay, and keep the bay."""

    @signature.takes(bay_arguments.BaySelection, load_arguments.LoadArguments)
    def run(
        self,
        selection: bay_arguments.BaySelection,
        load: load_arguments.LoadArguments,
    ) -> None:
        """Run a load in an existing bay, and keep the bay.

        The bay is one of the context ``bays``, a bay in Magnum, or any
        Kubernetes cluster that a kubeconfig opens.
        """
        self.run_load_in(selection, load)
