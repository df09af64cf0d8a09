"""Scenario that measures throughput and latency in a new bay."""

from __future__ import annotations

from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import load_arguments
from rally_magnum_scale.task.scenarios import signature


@base.on_openstack
@base.configure(
    "throughput",
    "magnum_scale_bay_quotas",
    "magnum_scale_keep_bay",
    "magnum_scale_load",
)
class ThroughputScenario(base.BayScenario):
    """Create a bay, run a load inside it, and delete it."""

    @signature.takes(bay_arguments.BayArguments, load_arguments.LoadArguments)
    def run(
        self,
        bay: bay_arguments.BayArguments,
        load: load_arguments.LoadArguments,
    ) -> None:
        """Create a bay, run a load inside it, and delete it."""
        self.run_load_in_own(bay, load)
