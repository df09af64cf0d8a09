"""Scenarios that measure the effect of a rolling update on requests."""

from __future__ import annotations

from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import existing_bay_scenario
from rally_magnum_scale.task.scenarios import load_arguments
from rally_magnum_scale.task.scenarios import signature


@base.on_openstack
@base.configure(
    "rolling_update_under_load",
    "magnum_scale_bay_quotas",
    "magnum_scale_keep_bay",
    "magnum_scale_updated_load",
)
class RollingUpdateUnderLoad(base.BayScenario):
    """Create a bay, update the targets of a load in it, and delete it."""

    @signature.takes(
        bay_arguments.BayArguments, load_arguments.UpdatedLoadArguments
    )
    def run(
        self,
        bay: bay_arguments.BayArguments,
        load: load_arguments.UpdatedLoadArguments,
    ) -> None:
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
    """Update the targets of a load in an existing bay."""

    @signature.takes(
        bay_arguments.BaySelection, load_arguments.UpdatedLoadArguments
    )
    def run(
        self,
        selection: bay_arguments.BaySelection,
        load: load_arguments.UpdatedLoadArguments,
    ) -> None:
        """Update the targets of a load in an existing bay.

        The bay is one of the context ``bays``, a bay in Magnum, or any
        Kubernetes cluster that a kubeconfig opens.
        """
        self.run_load_in(selection, load)
