"""The highest rate that a bay serves well."""

from __future__ import annotations

from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import existing_bay_scenario
from rally_magnum_scale.task.scenarios import search_arguments
from rally_magnum_scale.task.scenarios import signature


@base.on_openstack
@base.configure(
    "find_max_rate",
    "magnum_scale_bay_quotas",
    "magnum_scale_keep_bay",
    "magnum_scale_search",
)
class FindMaxRate(base.BayScenario):
    """Create a bay, search for its highest rate, and delete it."""

    @signature.takes(
        bay_arguments.BayArguments, search_arguments.SearchArguments
    )
    def run(
        self,
        bay: bay_arguments.BayArguments,
        search: search_arguments.SearchArguments,
    ) -> None:
        """Create a bay, search for its highest rate, and delete it.

        The highest rate is the highest at which all bounds hold, the load
        generator is not the limit, and the offer is reached.
        """
        self.run_load_in_own(bay, search)


@existing_bay_scenario.configure("find_max_rate_in_bay", "magnum_scale_search")
class FindMaxRateInBay(existing_bay_scenario.ExistingBayScenario):
    """Search for the highest rate of a bay that is there already."""

    @signature.takes(bay_arguments.WhichBay, search_arguments.SearchArguments)
    def run(
        self,
        which: bay_arguments.WhichBay,
        search: search_arguments.SearchArguments,
    ) -> None:
        """Search for the highest rate of a bay that is there already.

        The bay is one of the context ``bays``, one that Magnum shows, or
        whatever Kubernetes cluster a kubeconfig opens.
        """
        self.run_load_in(which, search)
