"""Base class of what observes a load while it runs."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from rally_magnum_scale.in_bay.stats import records
from rally_magnum_scale.kube import nodes as node_list
from rally_magnum_scale.kube import pods as pod_list


@dataclasses.dataclass(frozen=True)
class LoadPods:
    """The pods of a load once all of them are Ready, as the API's objects.

    :param nodes: nodes of the bay
    :param targets: pods that answer requests
    :param generators: pods of the Locust workers and the master
    :param target_ip: ClusterIP of the targets' Service
    """

    nodes: Sequence[node_list.Node] = ()
    targets: Sequence[Mapping[str, Any]] = ()
    generators: Sequence[Mapping[str, Any]] = ()
    target_ip: str = ""

    @property
    def every(self) -> list[Mapping[str, Any]]:
        """Targets and generators."""
        return [*self.targets, *self.generators]

    @property
    def node_names(self) -> set[str]:
        """Names of the nodes that run the pods."""
        return pod_list.node_names(self.every)


class Probe:
    """Observes a load while it runs.

    A load calls the methods in this order.  A probe overrides those that it
    needs.
    """

    @contextlib.contextmanager
    def observing(self, pods: LoadPods) -> Iterator[None]:
        """Observe during the block, which ends when the load has ended.

        The block begins when all pods are Ready, before the first request.
        If the load fails, the block raises.
        """
        del pods
        yield

    def on_record(self, record: dict[str, Any]) -> None:
        """Take a record that the Locust master has just written.

        Each record arrives once, and each second in one window.
        """

    def records(
        self, source: records.Source, run: records.Run
    ) -> list[dict[str, Any]]:
        """Return the probe's own records, which follow those of the load.

        The load may have failed.

        :param source: makes the envelopes
        :param run: the records of the load, with its ``throughput``
        """
        del source, run
        return []


def pod_names(pods: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the names of pods, which are the API's objects."""
    return {pod["metadata"]["name"] for pod in pods}
