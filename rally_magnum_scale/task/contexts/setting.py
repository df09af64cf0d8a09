"""A hidden context that keeps which runner and contexts were asked for."""

from __future__ import annotations

from rally.common import db
from rally.task import context

from rally_magnum_scale.measurement import conditions

KEY = "magnum_scale_setting"


@context.configure(name="setting", platform="openstack", order=3, hidden=True)
class Setting(context.Context):
    """Keep what the task file says, for the record ``conditions``.

    Iterations know neither the runner nor the contexts as they were given.
    """

    CONFIG_SCHEMA = {"type": "object", "additionalProperties": False}

    def setup(self) -> None:
        """Read it from Rally's database, where the engine has put it."""
        asked = db.workload_get(self.get_owner_id())
        if asked is None:
            return
        runner = asked["runner_type"], asked["runner"]
        self.context[KEY] = {
            "runner": conditions.say_runner(*runner),
            "iterations": conditions.iterations_told(*runner),
            "contexts": conditions.digest_contexts(asked["contexts"]),
        }

    def cleanup(self) -> None:
        """Leave nothing, as nothing was made."""
