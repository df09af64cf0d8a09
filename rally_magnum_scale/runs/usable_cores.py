"""Count the cores that the pods of a load can use."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import cpusets
from rally_magnum_scale.kube import client
from rally_magnum_scale.kube import pod_cpusets
from rally_magnum_scale.kube import pods as pod_list
from rally_magnum_scale.runs import probes
from rally_magnum_scale.workload import manifests

# Deadline for reading the processors of all targets.
_READ_WITHIN_S = 20.0


class UsableCores(probes.Probe):
    """Counts cores by limits, nodes and the processors that pods can use.

    Targets are read before the load.  Workers report their processors
    themselves.  Where these are unknown, limits and nodes are left.

    :param cluster: the open Kubernetes API of the bay
    :param namespace: of the load
    :param log: callback for a line when processors can't be read
    """

    def __init__(
        self,
        cluster: client.KubeClient,
        namespace: str,
        log: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._log = log
        self._cpus: dict[str, frozenset[int]] = {}
        self._pods = probes.LoadPods()

    def read_targets(self, targets: Sequence[Mapping[str, Any]]) -> None:
        """Read the processors of target pods by a command in each of them.

        Commands in pods would disturb a load that runs.
        """
        found, why = pod_cpusets.of_pods(
            self._cluster,
            self._namespace,
            probes.pod_names(targets),
            manifests.TARGET_CONTAINER,
            deadline_s=_READ_WITHIN_S,
        )
        self._cpus |= found
        if why:
            self._log(
                f"can't read which processors the targets can use: {why}"
            )

    @contextlib.contextmanager
    def observing(self, pods: probes.LoadPods) -> Iterator[None]:
        """Keep the pods."""
        self._pods = pods
        yield

    def on_record(self, record: dict[str, Any]) -> None:
        """Take the workers' processors from the record of the start."""
        if record["record"] == "start":
            self._cpus |= cpusets.by_name(record["cpus"])

    @property
    def of_pods(self) -> float | None:
        """Cores that all pods can use together; None before they run."""
        return self._count(self._pods.every)

    @property
    def of_sides(self) -> dict[str, float | None]:
        """The same of the targets and of the generators."""
        if not self._pods.every:
            return {}
        return {
            "targets": self._count(self._pods.targets),
            "generators": self._count(self._pods.generators),
        }

    @property
    def are_seen(self) -> bool:
        """Whether the processors of all pods are known."""
        names = probes.pod_names(self._pods.every)
        return bool(names) and set(self._cpus) >= names

    def _count(self, pods: Sequence[Mapping[str, Any]]) -> float | None:
        if not pods:
            return None
        return pod_list.usable_cores(pods, self._pods.nodes, self._cpus)
