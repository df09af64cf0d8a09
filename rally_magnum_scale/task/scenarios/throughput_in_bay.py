"""How many requests a second a bay serves that is there already."""

from __future__ import annotations

from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import existing_bay_scenario
from rally_magnum_scale.task.scenarios import load_arguments
from rally_magnum_scale.task.scenarios import signature


@existing_bay_scenario.configure("throughput_in_bay", "magnum_scale_load")
class ThroughputInBay(existing_bay_scenario.ExistingBayScenario):
    """Run a load in a bay that is there already, and leave the bay."""

    @signature.takes(bay_arguments.WhichBay, load_arguments.LoadArguments)
    def run(
        self, which: bay_arguments.WhichBay, load: load_arguments.LoadArguments
    ) -> None:
        """Run a load in a bay that is there already, and leave the bay.

        The bay is one of the context ``bays``, one that Magnum shows, or
        whatever Kubernetes cluster a kubeconfig opens.
        """
        self.run_load_in(which, load)
