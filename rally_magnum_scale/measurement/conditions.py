"""Under what a run was made: runs are compared under equal conditions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from importlib import metadata
from typing import Any

from rally_magnum_scale.in_bay.stats import record_body
from rally_magnum_scale.in_bay.stats import records

# Those of the package's own parts that a figure depends on.
PACKAGES = ("rally-magnum-scale", "locust")

# Arguments that change no figure, or that name where something lies.
_NO_MATTER = frozenset(
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

# Runners of Rally that run one iteration where they are told no number.
_ONCE_BY_DEFAULT = ("constant", "serial")


@dataclasses.dataclass(frozen=True)
class Asked(record_body.Body):
    """The record ``conditions``: what was known before the run.

    :param cloud: address of Keystone and name of the region, or of the API
        that a kubeconfig opens
    :param scenario: its name, such as ``MagnumScale.throughput``
    :param arguments: the arguments of the scenario, digested by
        :func:`digest`
    :param versions: of :data:`PACKAGES`
    :param runner: its type and configuration, by :func:`say_runner`; empty
        where they were not known
    :param contexts: those that the task file gives, digested by
        :func:`digest_contexts`; empty where they were not known
    :param iterations: how many the runner was told to run, by
        :func:`iterations_told`; None where it was told none, or where that
        was not known
    """

    cloud: str
    scenario: str
    arguments: str
    versions: dict[str, str]
    runner: str = ""
    contexts: str = ""
    iterations: int | None = None


@dataclasses.dataclass(frozen=True)
class Conditions(record_body.Body):
    """All that must be equal for two runs to be compared.

    What is empty is not known, as of a run that broke before, and differs
    from nothing.

    :param nodes: nodes of the bays, hollow ones apart, such as ``200
        (199 hollow)``
    :param templates: names of their templates
    :param versions: of the package's own parts and of Kubernetes
    :param runner: type and configuration of the runner, such as ``constant
        (concurrency 10, times 10)``
    :param contexts: a digest of those that the task file gives
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
        """Name what differs.

        :param across: names of :data:`KEYS` that may differ
        """
        return [
            name
            for name in KEYS
            if name not in across
            and _differ(getattr(self, name), getattr(other, name))
        ]

    def describe(self) -> str:
        """Say in a line what is known."""
        said = [
            self.scenario,
            self.nodes and f"{self.nodes} nodes",
            self.templates and f"template {self.templates}",
            self.cloud,
            ", ".join(f"{k} {v}" for k, v in sorted(self.versions.items())),
            self.runner and f"runner {self.runner}",
            self.arguments and f"arguments {self.arguments}",
            self.contexts and f"contexts {self.contexts}",
        ]
        return ", ".join(filter(None, said))


KEYS = tuple(field.name for field in dataclasses.fields(Conditions))


def digest(arguments: Mapping[str, Any]) -> str:
    """Digest the arguments of a scenario that a figure depends on.

    Deadlines, credentials and the name of a bay that is there already are
    left out.
    """
    return _digest(_what_matters(arguments))


def digest_contexts(contexts: Mapping[str, Any]) -> str:
    """Digest the contexts of a workload as the task file gives them.

    What they made differs from run to run, and must not be in it.

    :param contexts: by name, with or without its platform, such as
        ``bays@openstack``
    """
    return _digest(
        {
            name.partition("@")[0]: _what_matters(config)
            for name, config in contexts.items()
        }
    )


def say_runner(kind: str, config: Mapping[str, Any]) -> str:
    """Say how a runner was configured.

    :param kind: its type, such as ``constant``
    :param config: as the task file gives it
    """
    said = [f"{k} {_as_json(v)}" for k, v in sorted(config.items())]
    return f"{kind} ({', '.join(said)})" if said else kind


def iterations_told(kind: str, config: Mapping[str, Any]) -> int | None:
    """Return how many iterations a runner was told to run.

    :param kind: its type, such as ``constant``
    :param config: as the task file gives it
    :returns: None where it runs for a time instead
    """
    once = kind.partition("@")[0] in _ONCE_BY_DEFAULT
    times = config.get("times", 1 if once else None)
    return int(times) if record_body.is_number(times) else None


def say_missing(stored: int, told: int | None) -> str:
    """Say that not all iterations left a result, or more than all.

    A runner's process that is killed takes along those that it was at.

    :param stored: how many have a result
    :param told: how many the runner was told to run; None or 0 where that
        is not known
    :returns: empty where nothing is missing
    """
    if told and stored < told:
        return f"{stored} of {told} iterations have a result"
    if told and stored > told:
        return (
            f"{stored} iterations have a result, but the runner was told to "
            f"run {told}"
        )
    return ""


def ask(
    cloud: str,
    scenario: str,
    arguments: Mapping[str, Any],
    runner: str = "",
    contexts: str = "",
    iterations: int | None = None,
) -> Asked:
    """Return what is known before a run.

    :param runner: of :func:`say_runner`; empty when not known
    :param contexts: of :func:`digest_contexts`; empty when not known
    :param iterations: of :func:`iterations_told`; None when not known
    """
    versions = {name: metadata.version(name) for name in PACKAGES}
    return Asked(
        cloud,
        scenario,
        digest(arguments),
        versions,
        runner,
        contexts,
        iterations,
    )


def find(
    runs: Iterable[records.Run], asked: Asked | None = None
) -> Conditions:
    """Return the conditions of the iterations of a workload.

    :param asked: what is known where no iteration recorded it
    """
    seen = list(runs)
    recorded = (Asked.from_json(one.asked) for one in seen if one.asked)
    asked = asked or Asked("", "", "", {})
    known = next(recorded, asked)
    bays = [bay for one in seen for bay in one.bays]
    versions = dict(known.versions)
    if kubernetes := _each(bay.kubernetes_version for bay in bays):
        versions["Kubernetes"] = kubernetes
    return Conditions(
        cloud=known.cloud,
        scenario=known.scenario,
        arguments=known.arguments,
        nodes=_each(
            f"{bay.nodes} ({bay.nodes_hollow} hollow)"
            for bay in bays
            if bay.nodes_hollow is not None
        ),
        templates=_each(bay.template_name or bay.template for bay in bays),
        versions=versions,
        # A release before recorded all but these two.
        runner=known.runner or asked.runner,
        contexts=known.contexts or asked.contexts,
    )


def _what_matters(config: Any) -> Any:
    """Leave out what changes no figure; what is no object stays whole."""
    if not isinstance(config, Mapping):
        return config
    return {k: v for k, v in config.items() if k not in _NO_MATTER}


def _digest(found: Any) -> str:
    return hashlib.sha256(_as_json(found).encode()).hexdigest()[:12]


def _as_json(found: Any) -> str:
    return json.dumps(found, sort_keys=True, default=str)


def _differ(one: Any, other: Any) -> bool:
    """Compare what is known of both."""
    if isinstance(one, dict):
        return any(_differ(one[k], other[k]) for k in one.keys() & other)
    return bool(one and other and one != other)


def _each(values: Iterable[str]) -> str:
    return ", ".join(sorted(set(filter(None, values))))
