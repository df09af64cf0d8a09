"""Parse the configuration of the context ``bays``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from rally_magnum_scale.bays import deadlines
from rally_magnum_scale.bays import lifecycle

_TEXT = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 1}
_SECONDS = {"type": "number", "exclusiveMinimum": 0}

BAY_PROPERTIES: dict[str, Any] = {
    "nodes": _COUNT,
    "count": _COUNT,
    "name": _TEXT,
    "bay_template": _TEXT,
    "masters": _COUNT,
    "keypair": _TEXT,
    "network": _TEXT,
    "subnet": _TEXT,
    "flavor": _TEXT,
    "master_flavor": _TEXT,
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
}
DEADLINES = {
    "type": "object",
    "properties": {
        field.name: _SECONDS
        for field in dataclasses.fields(deadlines.Deadlines)
    },
    "additionalProperties": False,
}


@dataclasses.dataclass(frozen=True)
class BayGroupSpec:
    """A group of bays with the same configuration.

    :param role: name by which a scenario selects bays of this group
    :param options: other fields of
        :class:`~rally_magnum_scale.bays.lifecycle.BayRequest`
    """

    nodes: int
    count: int
    role: str | None
    template: str | None
    options: Mapping[str, Any]

    def request(
        self, name: str, template: str | None, keypair: str | None
    ) -> lifecycle.BayRequest:
        """Return the request to create one bay of the group.

        :param template: name or id of the cluster template in Magnum
        :param keypair: default, if the task does not name a keypair
        """
        options = {"keypair": keypair, **self.options}
        return lifecycle.BayRequest(
            name=name, nodes=self.nodes, template=template, **options
        )


def read(config: Mapping[str, Any]) -> tuple[BayGroupSpec, ...]:
    """Read the configuration of the context ``bays``, in either form."""
    return tuple(
        _group(entry, config.get("deadlines") or {}) for entry in _bays(config)
    )


def count(config: Mapping[str, Any]) -> int:
    """Return how many bays each tenant gets."""
    return sum(int(entry.get("count") or 1) for entry in _bays(config))


def objection(config: Any) -> str:
    """Return what is wrong beyond what the schema checks, or an empty text."""
    if not isinstance(config, dict):
        return ""
    short = sorted(set(config) & set(BAY_PROPERTIES))
    if "bays" in config and short:
        return (
            "The context bays has both 'bays' and "
            f"{', '.join(map(repr, short))}. Move these keys into the "
            "entries of 'bays', or remove 'bays'."
        )
    if not {"bays", "nodes"} & set(config):
        return (
            "The context bays has neither 'nodes' nor 'bays'. Set 'nodes' to "
            "the number of nodes of a bay, or 'bays' to a list of bays."
        )
    return ""


def _bays(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "bays" in config:
        yield from config["bays"]
    elif config:
        yield config


def _group(
    entry: Mapping[str, Any], limits: Mapping[str, float]
) -> BayGroupSpec:
    own = set(BAY_PROPERTIES) - {"nodes", "count", "name", "bay_template"}
    options = {key: entry[key] for key in own if key in entry}
    options["labels"] = dict(entry.get("labels") or {})
    options["deadlines"] = deadlines.Deadlines(**limits)
    return BayGroupSpec(
        nodes=entry["nodes"],
        count=entry.get("count", 1),
        role=entry.get("name"),
        template=entry.get("bay_template"),
        options=options,
    )
