"""Checks of a task's arguments before anything is created."""

from __future__ import annotations

import dataclasses
from typing import Any

from rally.common import validation

from rally_magnum_scale.measurement import steps
from rally_magnum_scale.workload import manifests


@validation.configure(name="magnum_scale_load")
class LoadValidator(validation.Validator):
    """Check the steps and the sizes of a load.

    Rally has compared the arguments with their annotations by then; this
    says what a type can't: an empty list of steps, an unknown pull policy.
    """

    def validate(
        self,
        context: Any,
        config: dict[str, Any],
        plugin_cls: Any,
        plugin_cfg: Any,
    ) -> None:
        """Fail with one sentence that names the key."""
        del context, plugin_cls, plugin_cfg
        arguments = config.get("args") or {}
        known = {f.name for f in dataclasses.fields(manifests.WorkloadSpec)}
        try:
            manifests.WorkloadSpec(
                task="task",
                iteration=1,
                bay="bay",
                plan=steps.Plan.from_json(arguments.get("steps", [])),
                **{k: v for k, v in arguments.items() if k in known},
            )
        except (TypeError, ValueError) as error:
            self.fail(f"The arguments of the load can't be right: {error}.")
