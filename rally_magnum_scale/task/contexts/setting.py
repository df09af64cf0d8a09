"""A hidden context that keeps the task's runner and contexts."""

from __future__ import annotations

from rally.common import db
from rally.task import context

from rally_magnum_scale.measurement import conditions

KEY = "magnum_scale_setting"


@context.configure(name="setting", platform="openstack", order=3, hidden=True)
class Setting(context.Context):
    """Keep the configuration of the task for the record ``conditions``.

    Iterations have no access to the configuration of the runner and the
    contexts.
    """

    CONFIG_SCHEMA = {"type": "object", "additionalProperties": False}

    def setup(self) -> None:
        """Read the configuration from Rally's database."""
        workload = db.workload_get(self.get_owner_id())
        if workload is None:
            return
        runner = workload["runner_type"], workload["runner"]
        self.context[KEY] = {
            "runner": conditions.describe_runner(*runner),
            "iterations": conditions.planned_iterations(*runner),
            "contexts": conditions.digest_contexts(workload["contexts"]),
        }

    def cleanup(self) -> None:
        """Do nothing: the context creates nothing."""
