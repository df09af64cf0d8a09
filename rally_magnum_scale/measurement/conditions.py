"""The conditions of a run: only runs under equal conditions are compared."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from rally_magnum_scale.in_bay.stats import json_record
from rally_magnum_scale.in_bay.stats import records

# Packages whose version can change a measured value.
PACKAGES = ("rally-magnum-scale", "locust")

# Arguments that change no measured value, or that only locate something.
_IRRELEVANT = frozenset(
    {
        "bay",
        "bay_role",
        "deadlines",
        "image_pull_secret_file",
        "keep_bay",
        "kubeconfig",
        "kubeconfig_context",
    }
)

# Rally's runners that run one iteration if their configuration has no times.
_ONCE_BY_DEFAULT = ("constant", "serial")


@dataclasses.dataclass(frozen=True)
class ConditionsRecord(json_record.JsonRecord):
    """The record ``conditions``: what is known before a run.

    :param cloud: address of Keystone and name of the region, or address of
        the Kubernetes API that a kubeconfig names
    :param scenario: its name, such as ``MagnumScale.throughput``
    :param arguments: a digest of the scenario's arguments, from
        :func:`digest`
    :param versions: of :data:`PACKAGES`
    :param runner: its type and configuration, from :func:`describe_runner`;
        empty if unknown
    :param contexts: a digest of the contexts in the task file, from
        :func:`digest_contexts`; empty if unknown
    :param iterations: how many the runner has to run, from
        :func:`planned_iterations`; None if unknown, or if the runner has no
        such number
    """

    cloud: str
    scenario: str
    arguments: str
    versions: dict[str, str]
    runner: str = ""
    contexts: str = ""
    iterations: int | None = None


@dataclasses.dataclass(frozen=True)
class Conditions(json_record.JsonRecord):
    """Everything that must be equal for two runs to be compared.

    An empty field is unknown, for example because the run broke off early.
    An unknown field differs from no value.

    :param cloud: as in :class:`ConditionsRecord`
    :param scenario: as in :class:`ConditionsRecord`
    :param arguments: as in :class:`ConditionsRecord`
    :param nodes: how many nodes the bays have, such as ``200 (199 hollow)``
    :param templates: names of the bays' templates, and their drivers
    :param versions: of :data:`PACKAGES` and of Kubernetes
    :param runner: type and configuration of the runner, such as ``constant
        (concurrency 10, times 10)``
    :param contexts: as in :class:`ConditionsRecord`
    """

    cloud: str = ""
    scenario: str = ""
    arguments: str = ""
    nodes: str = ""
    templates: str = ""
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    runner: str = ""
    contexts: str = ""

    def differences(
        self, other: Conditions, across: Collection[str] = ()
    ) -> list[str]:
        """Return the names of the fields that differ.

        :param across: fields that may differ, from :data:`KEYS`
        """
        return [
            name
            for name in KEYS
            if name not in across
            and _differ(getattr(self, name), getattr(other, name))
        ]

    def describe(self) -> str:
        """Describe the known conditions in one line."""
        parts = [
            self.scenario,
            self.nodes and f"{self.nodes} nodes",
            self.templates and f"template {self.templates}",
            self.cloud,
            ", ".join(f"{k} {v}" for k, v in sorted(self.versions.items())),
            self.runner and f"runner {self.runner}",
            self.arguments and f"arguments {self.arguments}",
            self.contexts and f"contexts {self.contexts}",
        ]
        return ", ".join(filter(None, parts))


KEYS = tuple(field.name for field in dataclasses.fields(Conditions))


def digest(arguments: Mapping[str, Any]) -> str:
    """Digest the arguments of a scenario that can change a measured value.

    Deadlines, credentials and the name of an existing bay are left out.
    """
    return _digest(_without_irrelevant(arguments))


def digest_contexts(contexts: Mapping[str, Any]) -> str:
    """Digest the contexts of a workload as they are in the task file.

    The objects that contexts create differ from run to run, so the digest
    must not depend on them.

    :param contexts: configuration by name, with or without its platform, such
        as ``bays@openstack``
    """
    return _digest(
        {
            name.partition("@")[0]: _without_irrelevant(config)
            for name, config in contexts.items()
        }
    )


def describe_runner(kind: str, config: Mapping[str, Any]) -> str:
    """Describe a runner as it is in the task file.

    :param kind: its type, such as ``constant``
    """
    options = [f"{k} {_as_json(v)}" for k, v in sorted(config.items())]
    return f"{kind} ({', '.join(options)})" if options else kind


def planned_iterations(kind: str, config: Mapping[str, Any]) -> int | None:
    """Return how many iterations a runner of a task file has to run.

    :param kind: its type, such as ``constant``
    :returns: None if the runner runs for a time instead
    """
    once = kind.partition("@")[0] in _ONCE_BY_DEFAULT
    times = config.get("times", 1 if once else None)
    return int(times) if json_record.is_number(times) else None


def describe_missing(stored: int, planned: int | None) -> str:
    """Return why the number of results is wrong; empty if it is right.

    When a process of the runner is killed, the results of the iterations that
    it was running are lost.

    :param stored: how many iterations have a result
    :param planned: how many the runner had to run; None or 0 if unknown
    """
    if planned and stored < planned:
        return f"{stored} of {planned} iterations have a result"
    if planned and stored > planned:
        return (
            f"{stored} iterations have a result, but the runner had to run "
            f"{planned}"
        )
    return ""


def record(
    cloud: str,
    scenario: str,
    arguments: Mapping[str, Any],
    runner: str = "",
    contexts: str = "",
    iterations: int | None = None,
) -> ConditionsRecord:
    """Return the record of what is known before a run.

    :param arguments: all arguments of the scenario; the others are as in
        :class:`ConditionsRecord`
    """
    return ConditionsRecord(
        cloud=cloud,
        scenario=scenario,
        arguments=digest(arguments),
        versions={name: package_version(name) for name in PACKAGES},
        runner=runner,
        contexts=contexts,
        iterations=iterations,
    )


@functools.cache
def package_version(name: str) -> str:
    """Return the version of an installed package, which is read once."""
    return metadata.version(name)


def find(
    runs: Iterable[records.Run], fallback: ConditionsRecord | None = None
) -> Conditions:
    """Return the conditions of a workload.

    :param runs: its iterations
    :param fallback: used if no iteration recorded its conditions
    """
    iterations = list(runs)
    recorded = (
        ConditionsRecord.from_json(one.conditions)
        for one in iterations
        if one.conditions
    )
    fallback = fallback or ConditionsRecord("", "", "", {})
    known = next(recorded, fallback)
    bays = [bay for one in iterations for bay in one.bays]
    kubernetes = _each(bay.kubernetes_version for bay in bays)
    nodes = _each(
        f"{bay.nodes} ({bay.nodes_hollow} hollow)"
        for bay in bays
        if bay.nodes_hollow is not None
    )
    return Conditions(
        cloud=known.cloud,
        scenario=known.scenario,
        arguments=known.arguments,
        nodes=nodes,
        templates=_each(bay.template_and_driver for bay in bays),
        versions=known.versions
        | ({"Kubernetes": kubernetes} if kubernetes else {}),
        # Earlier releases did not record these two.
        runner=known.runner or fallback.runner,
        contexts=known.contexts or fallback.contexts,
    )


def _without_irrelevant(config: Any) -> Any:
    """Leave out irrelevant arguments; return other values as they are."""
    if not isinstance(config, Mapping):
        return config
    return {k: v for k, v in config.items() if k not in _IRRELEVANT}


def _digest(found: Any) -> str:
    return hashlib.sha256(_as_json(found).encode()).hexdigest()[:12]


def _as_json(found: Any) -> str:
    return json.dumps(found, sort_keys=True, default=str)


def _differ(one: Any, other: Any) -> bool:
    """Tell whether two known values differ; an unknown value does not."""
    if isinstance(one, dict):
        return any(_differ(one[k], other[k]) for k in one.keys() & other)
    return bool(one and other and one != other)


def _each(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(filter(None, values))))
