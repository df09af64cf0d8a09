"""The base class of the validators, and what Rally passes to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from rally.common import validation


@dataclasses.dataclass(frozen=True)
class Validated:
    """What a validator checks.

    :param plugin: class of the plugin to which the validator was added
    :param config: configuration of that context or criterion
    """

    workload: Mapping[str, Any]
    plugin: Any = None
    config: Any = None

    @property
    def arguments(self) -> dict[str, Any]:
        return self.workload.get("args") or {}

    def context(self, name: str) -> Any:
        """Return the configuration of a context; None if it is not given."""
        return contexts_by_name(self.workload.get("contexts") or {}).get(name)


class Validator(validation.Validator):
    """A validator that needs nothing of the cloud."""

    def check(self, validated: Validated) -> None:
        """Fail with a message that names the invalid key."""
        raise NotImplementedError

    def validate(
        self,
        context: Any,
        config: dict[str, Any],
        plugin_cls: Any,
        plugin_cfg: Any,
    ) -> None:
        del context
        self.check(Validated(config, plugin_cls, plugin_cfg))


def contexts_by_name(contexts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contexts of a workload, keyed by name without platform."""
    return {name.partition("@")[0]: cfg for name, cfg in contexts.items()}
