"""How many requests a second a bay serves that is there already."""

from __future__ import annotations

from rally_magnum_scale.task.scenarios import arguments
from rally_magnum_scale.task.scenarios import signature
from rally_magnum_scale.task.scenarios import visit


@visit.configure("throughput_in_bay", "magnum_scale_load")
class ThroughputInBay(visit.VisitScenario):
    """Run a load in a bay that is there already, and leave the bay."""

    @signature.takes(arguments.WhichBay, arguments.LoadArguments)
    def run(
        self, which: arguments.WhichBay, load: arguments.LoadArguments
    ) -> None:
        """Run a load in a bay that is there already, and leave the bay.

        The bay is one of the context ``bays``, one that Magnum shows, or
        whatever Kubernetes cluster a kubeconfig opens.
        """
        self.run_load_in(which, load)
