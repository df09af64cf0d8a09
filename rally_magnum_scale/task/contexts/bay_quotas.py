"""A context that sets Magnum's bay quota for the tenants of a workload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rally import consts
from rally.common import logging
from rally.common import validation
from rally.task import context
from rally_openstack.task import context as openstack_context

from rally_magnum_scale import exceptions
from rally_magnum_scale.bays import quotas
from rally_magnum_scale.task import clients
from rally_magnum_scale.task import validator_base
from rally_magnum_scale.task.contexts import bay_groups

LOG = logging.getLogger(__name__)


@validation.configure(name="magnum_scale_bay_quotas")
class BayQuotasValidator(validator_base.Validator):
    """Check that the quota of a workload is large enough for its bays.

    :param per_iteration: number of bays that an iteration creates
    """

    def __init__(self, per_iteration: int = 1) -> None:
        super().__init__()
        self._per_iteration = per_iteration

    def check(self, validated: validator_base.Validated) -> None:
        try:
            quota = int(validated.context("bay_quotas")["bays"])
            kept = bay_groups.count(validated.context("bays") or {})
            running = self._per_iteration * at_once(
                validated.workload["runner"]
            )
        except (LookupError, TypeError, ValueError, AttributeError):
            # There is no quota, or the schemas report what is wrong with it.
            return
        if quota < kept + running:
            self.fail(
                f"The context bay_quotas allows {quota} bays for each tenant, "
                f"but the task needs {kept + running}: {kept} for the context "
                f"bays and {running} for iterations that run at the same "
                f"time. Set bay_quotas to {kept + running} or more."
            )


@validation.add("required_platform", platform="openstack", admin=True)
@context.configure(name="bay_quotas", platform="openstack", order=301)
class BayQuotasContext(openstack_context.OpenStackContext):
    """Sets how many bays each tenant may have in Magnum.

    Magnum's default is 20.  At the end, the context restores the previous
    quota of each tenant.
    """

    CONFIG_SCHEMA = {
        "type": "object",
        "$schema": consts.JSON_SCHEMA7,
        "properties": {"bays": {"type": "integer", "minimum": 1}},
        "required": ["bays"],
        "additionalProperties": False,
    }

    def __init__(self, ctx: dict[str, Any]) -> None:
        super().__init__(ctx)
        self._before: dict[str, int | None] = {}

    def setup(self) -> None:
        """Set the quota of each tenant.

        :raises BayError: when Magnum refuses the quota
        """
        opened = self._quotas()
        for tenant_id in self.context["tenants"]:
            self._before[tenant_id] = opened.set(
                tenant_id, self.config["bays"]
            )

    def cleanup(self) -> None:
        """Restore the previous quota of each tenant."""
        opened = self._quotas()
        for tenant_id, had in self._before.items():
            try:
                opened.restore(tenant_id, had)
            except exceptions.BayError as error:
                LOG.error(str(error))

    def _quotas(self) -> quotas.BayQuotas:
        own = self.context["admin"]["credential"].clients()
        return quotas.BayQuotas(clients.magnum_of(own))


def at_once(runner: Mapping[str, Any]) -> int:
    """Return how many iterations may run at the same time."""
    for key in ("concurrency", "max_concurrency"):
        if key in runner:
            return min(int(runner[key]), int(runner.get("times", runner[key])))
    return 1
