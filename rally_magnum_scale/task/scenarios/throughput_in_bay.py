"""How many requests a second a bay serves that is there already."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from rally.common import logging
from rally.common import validation

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.measurement import records
from rally_magnum_scale.runs import bay_visit
from rally_magnum_scale.task import clients
from rally_magnum_scale.task.contexts import bays as bays_context
from rally_magnum_scale.task.scenarios import arguments
from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import signature

LOG = logging.getLogger(__name__)


@validation.add("magnum_scale_bay_quotas", per_iteration=0)
@base.configure(
    "throughput_in_bay",
    "magnum_scale_platform_of_bay",
    "magnum_scale_which_bay",
    "magnum_scale_load",
)
class ThroughputInBay(base.Scenario):
    """Run a load in a bay that is there already, and leave the bay."""

    @classmethod
    def get_default_context(cls) -> dict[str, Any]:
        """Return what every task needs; users only come with OpenStack."""
        default: dict[str, Any] = super().get_default_context()
        default.pop("users@openstack", None)
        return default

    @signature.takes(arguments.WhichBay, arguments.LoadArguments)
    def run(
        self, which: arguments.WhichBay, load: arguments.LoadArguments
    ) -> None:
        """Run a load in a bay that is there already, and leave the bay.

        The bay is one of the context ``bays``, one that Magnum shows, or
        whatever Kubernetes cluster a kubeconfig opens.
        """
        with self.recorded(), self._visit(which) as visit:
            if visit.record.made_by != "context":
                self.keep_record(visit.record)
            self.run_load(
                load,
                visit.record.name,
                visit.cluster,
                visit.nodes,
                bay_stays=True,
            )

    def _visit(
        self, which: arguments.WhichBay
    ) -> AbstractContextManager[bay_visit.Visit]:
        if which.kubeconfig:
            return bay_visit.by_kubeconfig(
                which.kubeconfig, which.kubeconfig_context, LOG.info
            )
        bays = lifecycle.Bays(clients.magnum_of(self._clients), LOG.info)
        if which.bay:
            return bay_visit.by_name(bays, which.bay, LOG.info)
        mine = self._bay_of_context(which.bay_role)
        return bay_visit.of_context(bays, mine, LOG.info)

    def _bay_of_context(self, role: str | None) -> records.Bay:
        """Return the bay whose turn it is; keep the records of all."""
        tenant = self.context["tenant"]["id"]
        found = bays_context.bays_of(self.context, tenant)
        every = [records.Bay.from_json(each["record"]) for each in found]
        for record in every:
            self.keep_record(record)
        fitting = [
            record
            for each, record in zip(found, every, strict=True)
            if role in (None, each["role"])
        ]
        if not fitting:
            raise exceptions.InvalidInput(
                f"bay_role: no bay of the context bays has the name {role!r}."
            )
        return fitting[self._turn() % len(fitting)]

    def _turn(self) -> int:
        """Return which turn this is for the tenant, from 0."""
        before: int = self.context["iteration"] - 1
        if self.context["user_choice_method"] == "round_robin":
            return before // len(self.context["tenants"])
        return before
