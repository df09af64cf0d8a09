"""Scenarios that search for the highest rate of a bay."""

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

        At the highest rate, all bounds hold, the load generator is not the
        limit, and the achieved rate reaches the offered rate.
        """
        self.run_load_in_own(bay, search)


@existing_bay_scenario.configure("find_max_rate_in_bay", "magnum_scale_search")
class FindMaxRateInBay(existing_bay_scenario.ExistingBayScenario):
    """Search for the highest rate of an existing bay."""

    @signature.takes(
        bay_arguments.BaySelection, search_arguments.SearchArguments
    )
    def run(
        self,
        selection: bay_arguments.BaySelection,
        search: search_arguments.SearchArguments,
    ) -> None:
        """Search for the highest rate of an existing bay.

        The bay is one of the context ``bays``, a bay in Magnum, or any
        Kubernetes cluster that a kubeconfig opens.
        """
        self.run_load_in(selection, search)
