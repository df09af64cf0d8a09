"""Base class of the scenarios that run a load in an existing bay."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from typing import TypeVar

from rally.common import logging
from rally.common import validation

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import lifecycle
from rally_magnum_scale.in_bay.stats import bay_records
from rally_magnum_scale.kube import client
from rally_magnum_scale.runs import existing_bay
from rally_magnum_scale.runs import fault_injectors
from rally_magnum_scale.task import clients
from rally_magnum_scale.task.contexts import bays as bays_context
from rally_magnum_scale.task.recovery import dead_loads
from rally_magnum_scale.task.recovery import run_markers
from rally_magnum_scale.task.scenarios import base
from rally_magnum_scale.task.scenarios import bay_arguments
from rally_magnum_scale.task.scenarios import workload_arguments

LOG = logging.getLogger(__name__)

S = TypeVar("S", bound="type[ExistingBayScenario]")


def configure(name: str, *validators: str) -> Callable[[S], S]:
    """Register a scenario that uses an existing bay."""
    register = base.configure(
        name,
        "magnum_scale_platform_of_bay",
        "magnum_scale_which_bay",
        *validators,
    )
    quotas = validation.add("magnum_scale_bay_quotas", per_iteration=0)

    def decorate(cls: S) -> S:
        configured: S = quotas(register(cls))
        return configured

    return decorate


class ExistingBayScenario(base.Scenario):
    """A scenario that runs a load in an existing bay and keeps the bay."""

    @classmethod
    def get_default_context(cls) -> dict[str, Any]:
        """Return the default contexts, without users.

        A task that opens a bay by a kubeconfig has no OpenStack users.
        """
        default: dict[str, Any] = super().get_default_context()
        default.pop("users@openstack", None)
        return default

    def run_load_in(
        self,
        selection: bay_arguments.BaySelection,
        load: workload_arguments.WorkloadArguments,
    ) -> None:
        """Run a load in the selected bay, and remove the load."""
        with self.recorded(), self._open_bay(selection) as opened:
            if opened.record.made_by != "context":
                self.keep_record(opened.record)
            with self.api_timed(opened.record.name, opened.cluster):
                self.run_load(
                    load,
                    opened.record.name,
                    opened.cluster,
                    opened.nodes,
                    bay_stays=True,
                    sign=opened.sign,
                    injector=fault_injectors.KubernetesFaultInjector
                    if selection.kubeconfig
                    else None,
                )

    def _open_bay(
        self, selection: bay_arguments.BaySelection
    ) -> AbstractContextManager[existing_bay.ExistingBay]:
        callbacks = LOG.info, _remove_dead_loads
        if path := selection.kubeconfig:
            context = selection.kubeconfig_context
            return existing_bay.by_kubeconfig(path, context, *callbacks)
        bays = lifecycle.Bays(clients.magnum_of(self._clients), LOG.info)
        if selection.bay:
            return existing_bay.by_name(bays, selection.bay, *callbacks)
        mine = self._bay_of_context(selection.bay_role)
        return existing_bay.of_context(bays, mine, *callbacks)

    def _bay_of_context(self, role: str | None) -> bay_records.Bay:
        """Return the bay of this iteration; keep the records of all bays."""
        tenant = self.context["tenant"]["id"]
        found = bays_context.bays_of(self.context, tenant)
        every = [bay_records.Bay.from_json(each["record"]) for each in found]
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
        """Return how many iterations the tenant has run before this one."""
        before: int = self.context["iteration"] - 1
        if self.context["user_choice_method"] == "round_robin":
            return before // len(self.context["tenants"])
        return before


def _remove_dead_loads(cluster: client.KubeClient) -> None:
    """Remove the loads of killed runs before the bay is measured."""
    dead_loads.remove(cluster, run_markers.database(), LOG.warning)
